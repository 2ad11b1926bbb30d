//! [`queue`] and [`FromQueue`]: the end that a stage reads.

use std::sync::Arc;

use stage_core::{Emitter, Outcome, Peer, Producer, StageResult};

use super::shared::Shared;
use super::state::Next;
use super::{Inlet, QueueOptions};
use crate::operators::{OptionError, debug_as_name};

/// Emits the events that are pushed into a queue; made by [`queue`].
///
/// When it is dropped, before it was spawned or with its stage, the queue takes nothing
/// more, and the events in it are shed with
/// [`ShedReason::StageEnded`](crate::ShedReason::StageEnded).
pub struct FromQueue<E> {
    shared: Arc<Shared<E>>,
    /// What is wrong with the options.
    refused: Option<OptionError>,
    /// The queue outlives this state: a new one may be made.
    is_supervised: bool,
    /// The events that were left when the stage ended.
    left: usize,
}

/// Makes a queue that is pushed into, and the producer that emits what is pushed. No
/// runtime is needed until the producer is spawned.
///
/// `options` are [`QueueOptions`], or only a [`Bound`](stage_core::Bound) for a queue
/// that makes those who `send` wait when it is full. The producer takes events out of
/// the queue only for demand, so the demand of the pipeline reaches the inlets.
///
/// When the pipeline drains, the queue takes nothing more, and what is in it is emitted.
/// Events that are left when the stage ends are shed, and count as discarded.
///
/// # Errors
///
/// A bound of 0 fails the stage with an [`OptionError`] when it is spawned.
///
/// ```
/// use stage_core::Bound;
/// use stage_runtime::operators::fold;
/// use stage_runtime::prelude::*;
/// use stage_runtime::queue::queue;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (inlet, pushed) = queue(Bound::Events(16));
/// let pushed = pushed.stage().spawn();
/// let sum = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(&pushed).spawn();
///
/// for n in 1..=100 {
///     inlet.send(n).await?; // Waits while 16 events wait.
/// }
/// drop(inlet);
/// assert_eq!(sum.output().await?, 5050);
/// # Ok(())
/// # }
/// ```
///
/// Source: Akka's `Source.queue`; its `BoundedSourceQueue` for a push that never waits.
#[must_use]
pub fn queue<E: Send + 'static>(options: impl Into<QueueOptions<E>>) -> (Inlet<E>, FromQueue<E>) {
    named_queue("queue", options.into())
}

/// [`queue`], as a part of `function`, which wrong options are reported for.
pub(crate) fn named_queue<E>(
    function: &'static str,
    options: QueueOptions<E>,
) -> (Inlet<E>, FromQueue<E>) {
    let refused = options.refused(function);
    let shared = Arc::new(Shared::new(options));
    let source = FromQueue {
        shared: Arc::clone(&shared),
        refused,
        is_supervised: false,
        left: 0,
    };
    (Inlet::new(shared), source)
}

impl<E> FromQueue<E> {
    /// Returns a factory for [`supervised`](crate::supervised): each state that it
    /// makes reads on where the last one stopped. So a restart, such as one for a
    /// failure in the group of the stage, loses nothing that waits in the queue.
    ///
    /// ```
    /// use stage_core::Bound;
    /// use stage_runtime::operators::fold;
    /// use stage_runtime::prelude::*;
    /// use stage_runtime::queue::queue;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (inlet, pushed) = queue(Bound::Events(16));
    /// let pushed = supervised(pushed.into_factory()).stage().spawn();
    /// # let sum = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(&pushed).spawn();
    /// # inlet.send(7).await?;
    /// # drop(inlet);
    /// # assert_eq!(sum.output().await?, 7);
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_factory(mut self) -> impl FnMut() -> Self + Send + 'static
    where
        E: Send + 'static,
    {
        self.is_supervised = true;
        let shared = Arc::clone(&self.shared);
        let refused = self.refused.clone();
        let mut first = Some(self);
        move || {
            first.take().unwrap_or_else(|| {
                shared.add_reader();
                Self {
                    shared: Arc::clone(&shared),
                    refused: refused.clone(),
                    is_supervised: true,
                    left: 0,
                }
            })
        }
    }

    /// Carries out what is to be done when nothing more is to be taken now.
    fn go_on(next: Next, out: &mut Emitter<'_, E>) {
        match next {
            Next::Wait => {}
            Next::Complete => out.complete(),
            Next::Stop(reason) => out.stop(reason),
        }
    }
}

impl<E: Send + 'static> Producer for FromQueue<E> {
    type Event = E;

    /// Leaves the waker: the queue may end before there is any demand.
    async fn handle_start(&mut self, out: &mut Emitter<'_, E>) -> StageResult {
        let next = self.shared.watch(out.waker());
        Self::go_on(next, out);
        Ok(())
    }

    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, E>) -> StageResult {
        let waker = out.waker().clone();
        let next = self.shared.take(demand, out.as_mut_vec(), &waker);
        Self::go_on(next, out);
        Ok(())
    }

    /// The queue was closed; or there are events, which `handle_demand` takes.
    async fn handle_wake(&mut self, out: &mut Emitter<'_, E>) -> StageResult {
        let next = self.shared.watch(out.waker());
        Self::go_on(next, out);
        Ok(())
    }

    async fn handle_subscribe(&mut self, consumer: &Peer, _: &mut Emitter<'_, E>) -> StageResult {
        self.shared.add_consumer(consumer.subscription);
        Ok(())
    }

    async fn handle_cancel(
        &mut self,
        consumer: &Peer,
        _: &Outcome,
        _: &mut Emitter<'_, E>,
    ) -> StageResult {
        self.shared.remove_consumer(consumer.subscription);
        Ok(())
    }

    async fn handle_drain(&mut self, out: &mut Emitter<'_, E>) -> StageResult {
        self.shared.finish();
        let next = self.shared.watch(out.waker());
        Self::go_on(next, out);
        Ok(())
    }

    fn validate(&self) -> StageResult {
        match &self.refused {
            Some(error) => Err(error.clone().into()),
            None => Ok(()),
        }
    }

    fn held(&self) -> usize {
        if self.left > 0 {
            self.left
        } else if self.shared.has_one_reader() {
            self.shared.len()
        } else {
            // The next state has the events already.
            0
        }
    }

    async fn terminate(&mut self, _: &Outcome) {
        if !self.is_supervised {
            // From here on nothing is added to the events that count as held.
            self.left = self.shared.leave();
        }
    }
}

impl<E> Drop for FromQueue<E> {
    fn drop(&mut self) {
        self.shared.remove_reader();
    }
}

debug_as_name!(FromQueue<E>);
