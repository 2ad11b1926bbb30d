//! [`Inlet`]: the end that is pushed into.

use std::sync::Arc;

use stage_core::Reason;

use super::reservation::Reservation;
use super::shared::Shared;
use super::{PushError, Pushed, QueueCounts, QueueSink};
use crate::operators::debug_as_name;

/// Pushes events into a queue, from any thread; made by [`queue`](super::queue()).
///
/// Clones push into the same queue. When all of them are dropped, the queue is
/// finished. An inlet needs no runtime, so one may be in a `static`:
///
/// ```
/// use std::sync::{LazyLock, Mutex};
/// use stage_core::Bound;
/// use stage_runtime::operators::fold;
/// use stage_runtime::prelude::*;
/// use stage_runtime::queue::{FromQueue, Inlet, Pushed, queue};
///
/// static BUS: LazyLock<(Inlet<u64>, Mutex<Option<FromQueue<u64>>>)> = LazyLock::new(|| {
///     let (inlet, source) = queue(Bound::Events(100));
///     (inlet, Mutex::new(Some(source)))
/// });
///
/// assert!(matches!(BUS.0.push(1), Pushed::Stored)); // There is no runtime yet.
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let source = BUS.1.lock().unwrap().take().expect("spawned once");
/// let source = source.stage().spawn();
/// let sum = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(&source).spawn();
/// BUS.0.finish();
/// assert_eq!(sum.output().await.unwrap(), 1);
/// # });
/// ```
pub struct Inlet<E> {
    shared: Arc<Shared<E>>,
}

impl<E> Inlet<E> {
    pub(super) const fn new(shared: Arc<Shared<E>>) -> Self {
        Self { shared }
    }

    /// Pushes an event, and never waits. Returns what became of it.
    ///
    /// With [`WhenFull::Wait`](super::WhenFull::Wait) the event also comes back while
    /// others wait in [`send`](Self::send), so that they are not overtaken.
    #[inline]
    pub fn push(&self, event: E) -> Pushed<E> {
        self.shared.push(event)
    }

    /// Waits for room and pushes an event. Those who wait are served in the order in
    /// which they came, and a light event behind a heavy one waits for it.
    ///
    /// Waits only with [`WhenFull::Wait`](super::WhenFull::Wait). With any other policy
    /// it does as [`push`](Self::push), and `Ok` says that the queue has treated the
    /// event as its policy says: stored or shed.
    ///
    /// # Errors
    ///
    /// [`PushError`] with the event, if the queue takes nothing any more, also if that
    /// happens while the call waits.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it is ready, the event was not pushed. It is
    /// dropped with the future, which gives up its place and lets the next one have
    /// the room. While a future is neither polled nor dropped, the room that it was
    /// given stays reserved for it. To keep the event, wait for room with
    /// [`QueueSink`]'s `poll_ready`, or use `push`.
    pub async fn send(&self, event: E) -> Result<(), PushError<E>> {
        match self.shared.push(event) {
            Pushed::Stored | Pushed::Shed(_) | Pushed::NoSubscriber(_) => Ok(()),
            Pushed::Gone(event) => Err(PushError(Some(event))),
            Pushed::Full(event) => {
                let weight = self.shared.weight_of(&event);
                let room = Reservation::new(Arc::clone(&self.shared), weight);
                room.send(event).await
            }
        }
    }

    /// Takes nothing more, from any inlet. The source completes when it has emitted
    /// what is queued. Does nothing if the queue takes nothing any more.
    pub fn finish(&self) {
        self.shared.finish();
    }

    /// Ends the source as cancelled with `reason`, between two of its handlers, and
    /// takes nothing more. The queued events are shed, with
    /// [`ShedReason::StageEnded`](crate::ShedReason::StageEnded). Does nothing after
    /// the source has ended.
    pub fn detach(&self, reason: impl Into<Reason>) {
        self.shared.detach(reason.into());
    }

    /// Returns what the queue holds, and what became of its events.
    #[must_use]
    pub fn counts(&self) -> QueueCounts {
        self.shared.counts()
    }

    /// Returns `true` if the queue takes nothing any more: it was finished or detached,
    /// or its source has ended or drains.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.is_closed()
    }

    /// Waits until the queue takes nothing any more.
    ///
    /// # Cancel safety
    ///
    /// May be dropped at any time and called again.
    pub async fn closed(&self) {
        self.shared.closed().await;
    }

    /// Returns `false` if a push would return
    /// [`Pushed::NoSubscriber`](super::Pushed::NoSubscriber): so that an event that
    /// nobody listens to need not be made. One atomic load.
    #[inline]
    #[must_use]
    pub fn has_subscriber(&self) -> bool {
        !self.shared.is_absent()
    }

    /// Returns the name of the queue.
    #[must_use]
    pub fn name(&self) -> &str {
        self.shared.name()
    }

    /// Makes a [`Sink`](futures::Sink) of this inlet.
    #[must_use]
    pub fn into_sink(self) -> QueueSink<E> {
        QueueSink::new(self)
    }

    pub(super) const fn shared(&self) -> &Arc<Shared<E>> {
        &self.shared
    }
}

impl<E> Clone for Inlet<E> {
    fn clone(&self) -> Self {
        self.shared.add_inlet();
        Self::new(Arc::clone(&self.shared))
    }
}

impl<E> Drop for Inlet<E> {
    fn drop(&mut self) {
        self.shared.remove_inlet();
    }
}

debug_as_name!(Inlet<E>);
