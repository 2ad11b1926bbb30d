//! [`Selector`]: the events that a subscriber of a broadcast accepts.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use stage_core::{Batch, DefaultRoute, SharedBatch};

use stage_core::panic_message;

/// Selects the events of a [`Broadcast`](super::Broadcast), or of a
/// [`Detached`](crate::Detached), that a subscriber gets.
///
/// The default selects all events and is the cheapest: such a subscriber shares
/// its events with the others.
///
/// ```
/// use stage_dispatchers::Selector;
///
/// let even = Selector::new(|n: &u64| n % 2 == 0);
/// assert!(even.keeps(&2) && !even.keeps(&3));
/// assert!(Selector::<u64>::all().is_all());
/// ```
///
/// Source: the `:selector` option of `GenStage.BroadcastDispatcher`.
pub struct Selector<E> {
    keeps: Option<Box<Keeps<E>>>,
}

type Keeps<E> = dyn Fn(&E) -> bool + Send;

impl<E> Selector<E> {
    /// Returns a selector that accepts every event.
    #[must_use]
    pub const fn all() -> Self {
        Self { keeps: None }
    }

    /// Returns a selector that accepts the events for which `keeps` returns
    /// `true`.
    ///
    /// `keeps` is called once for each event. If it panics, the event is
    /// rejected for this subscriber and counted, and `keeps` is called again
    /// for each event of the batch.
    pub fn new(keeps: impl Fn(&E) -> bool + Send + 'static) -> Self {
        Self {
            keeps: Some(Box::new(keeps)),
        }
    }

    /// Returns `true` if the selector accepts every event without looking at
    /// it.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        self.keeps.is_none()
    }

    /// Returns `true` if the selector accepts `event`.
    #[must_use]
    pub fn keeps(&self, event: &E) -> bool {
        self.keeps.as_ref().is_none_or(|keeps| keeps(event))
    }

    /// Returns the events that the selector accepts, and those at which it
    /// panicked, with the panic messages.
    ///
    /// After a panic it calls the function for all events of the batch a second
    /// time, catching each panic. Doing so from the start would cost every
    /// batch.
    pub(crate) fn select_all(&self, events: &SharedBatch<E>) -> (Batch<E>, Vec<(E, String)>)
    where
        E: Clone,
    {
        if let Ok(kept) = catch_unwind(AssertUnwindSafe(|| self.select(events))) {
            return (kept, Vec::new());
        }
        let (mut kept, mut failed) = (Vec::new(), Vec::new());
        for event in events.as_slice() {
            match catch_unwind(AssertUnwindSafe(|| self.keeps(event))) {
                Ok(true) => kept.push(event.clone()),
                Ok(false) => {}
                Err(panic) => failed.push((event.clone(), panic_message(panic.as_ref()))),
            }
        }
        (Batch::from(kept), failed)
    }

    /// Returns the events that the selector accepts: the shared batch itself if
    /// that is all of them, otherwise copies.
    fn select(&self, events: &SharedBatch<E>) -> Batch<E>
    where
        E: Clone,
    {
        if self.is_all() {
            return Batch::from(events.clone());
        }
        let all = events.as_slice();
        let Some(refused) = all.iter().position(|event| !self.keeps(event)) else {
            return Batch::from(events.clone());
        };
        let (before, rest) = all.split_at(refused);
        let mut kept = before.to_vec();
        kept.extend(
            rest.iter()
                .skip(1)
                .filter(|event| self.keeps(event))
                .cloned(),
        );
        Batch::from(kept)
    }
}

impl<E> Default for Selector<E> {
    fn default() -> Self {
        Self::all()
    }
}

impl<E> fmt::Debug for Selector<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_all() {
            "Selector::all()"
        } else {
            "Selector::new(..)"
        })
    }
}

impl<E> DefaultRoute for Selector<E> {
    fn default_route() -> Self {
        Self::all()
    }
}
