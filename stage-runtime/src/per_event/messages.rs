//! The messages of a running stage: count, list, start and stop children.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;
use stage_core::{Emitter, Handler, StageResult};
use tokio::sync::oneshot;

use super::{ChildCounts, ChildId, ChildInfo, ChildWork, PerEvent, PerEventError, Shutdown};

/// Asks a [`PerEvent`] stage for the counts of its children. The reply is [`ChildCounts`].
///
/// ```
/// use stage_runtime::{per_event, prelude::*, per_event::{CountChildren, StartChild}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let workers = per_event(|_job: u32| std::future::pending()).stage().spawn();
/// for job in 0..3 {
///     workers.call(StartChild(job)).await??;
/// }
/// assert_eq!(workers.call(CountChildren).await?.running, 3);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct CountChildren;

/// Asks a [`PerEvent`] stage for its running children. The reply has a [`ChildInfo`] for
/// each, the oldest first.
#[derive(Debug, Clone, Copy)]
pub struct ListChildren;

/// Makes a [`PerEvent`] stage start a child for an event of the caller. The child does not
/// count against the demand of any subscription.
///
/// The reply is its [`ChildId`], or [`PerEventError::Panicked`] if the closure that creates
/// its future panicked. In that case there is no child and no restart.
///
/// ```
/// use stage_runtime::{per_event, prelude::*, per_event::{ListChildren, StartChild}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let workers = per_event(|_job: u32| std::future::pending()).stage().spawn();
/// let id = workers.call(StartChild(7)).await??;
/// let children = workers.call(ListChildren).await?;
/// assert_eq!((children[0].id, children[0].subscription), (id, None));
/// # Ok(())
/// # }
/// ```
///
/// Source: `ConsumerSupervisor.start_child/2`.
#[derive(Debug, Clone, Copy)]
pub struct StartChild<E>(pub E);

/// Makes a [`PerEvent`] stage stop a child. The reply comes at once: a [`Stopping`] that is
/// ready when the child has ended, or [`PerEventError::NoSuchChild`].
///
/// A child whose closure takes a [`ShutdownSignal`](super::ShutdownSignal) is stopped by
/// the stage's [`Shutdown`] policy. Any other child is aborted at once. A child that is
/// being stopped does not restart. When it has ended, the stage asks for an event in its
/// place, as for any other child.
///
/// ```
/// use stage_runtime::{per_event, prelude::*, per_event::{CountChildren, StartChild, StopChild}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let workers = per_event(|_job: u32| std::future::pending()).stage().spawn();
/// let id = workers.call(StartChild(7)).await??;
/// workers.call(StopChild(id)).await??.await;
/// assert_eq!(workers.call(CountChildren).await?.running, 0);
/// assert!(workers.call(StopChild(id)).await?.is_err());
/// # Ok(())
/// # }
/// ```
///
/// Source: `ConsumerSupervisor.terminate_child/2`, which blocks the stage until the child
/// has ended.
#[derive(Debug, Clone, Copy)]
pub struct StopChild(pub ChildId);

/// A future that is ready when a child that is being stopped has ended; the reply to
/// [`StopChild`].
///
/// # Cancel safety
///
/// The child is stopped even if this future is dropped.
pub struct Stopping(oneshot::Receiver<()>);

/// An info that the stage sends itself: the time that the child had to stop has passed.
pub(super) struct Deadline(pub(super) ChildId);

impl<W: ChildWork<E>, E: Send + 'static> Handler<CountChildren> for PerEvent<W, E> {
    type Reply = ChildCounts;

    async fn handle(
        &mut self,
        _: CountChildren,
        out: &mut Emitter<'_, Infallible>,
    ) -> StageResult<ChildCounts> {
        // Reaped first, so that the reply includes children that have just ended.
        self.reap(out.context())?;
        Ok(self.counts())
    }
}

impl<W: ChildWork<E>, E: Send + 'static> Handler<ListChildren> for PerEvent<W, E> {
    type Reply = Vec<ChildInfo>;

    async fn handle(
        &mut self,
        _: ListChildren,
        out: &mut Emitter<'_, Infallible>,
    ) -> StageResult<Vec<ChildInfo>> {
        self.reap(out.context())?;
        Ok(self.children.list())
    }
}

impl<W: ChildWork<E>, E: Send + 'static> Handler<StartChild<E>> for PerEvent<W, E> {
    type Reply = Result<ChildId, PerEventError>;

    async fn handle(
        &mut self,
        StartChild(event): StartChild<E>,
        out: &mut Emitter<'_, Infallible>,
    ) -> StageResult<Self::Reply> {
        let started = self.try_start(event);
        self.reap(out.context())?;
        Ok(started)
    }
}

impl<W: ChildWork<E>, E: Send + 'static> Handler<StopChild> for PerEvent<W, E> {
    type Reply = Result<Stopping, PerEventError>;

    async fn handle(
        &mut self,
        StopChild(id): StopChild,
        out: &mut Emitter<'_, Infallible>,
    ) -> StageResult<Self::Reply> {
        self.reap(out.context())?;
        let child = match self.children.find(id) {
            Ok(child) => child,
            Err(unknown) => return Ok(Err(unknown)),
        };
        let stopping = Stopping(child.ask_to_stop());
        match self.shutdown {
            _ if !child.signal.is_heard() => child.abort(),
            Shutdown::Immediately => child.abort(),
            Shutdown::After(limit) => out.info_after(limit, Deadline(id)),
            Shutdown::Unlimited => {}
        }
        Ok(Ok(stopping))
    }
}

impl Future for Stopping {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Nothing is ever sent: the sender is dropped when the child has ended.
        self.0.poll_unpin(cx).map(|_| ())
    }
}

impl fmt::Debug for Stopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stopping")
    }
}
