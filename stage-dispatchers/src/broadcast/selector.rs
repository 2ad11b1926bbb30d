//! What a subscriber of a broadcast wants to see.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use stage_core::{Batch, DefaultRoute, SharedBatch};

use stage_core::panic_message;

/// Says which events of a [`Broadcast`](super::Broadcast) a subscriber gets.
///
/// The default is all of them, which is the cheapest as well: such a
/// subscriber shares its events with the others.
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
    /// Keeps every event.
    #[must_use]
    pub const fn all() -> Self {
        Self { keeps: None }
    }

    /// Keeps the events for which `keeps` returns `true`. It is called once
    /// for each event. One at which it panics is rejected for this subscriber,
    /// and counted.
    pub fn new(keeps: impl Fn(&E) -> bool + Send + 'static) -> Self {
        Self {
            keeps: Some(Box::new(keeps)),
        }
    }

    /// Whether it keeps every event without looking at it.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        self.keeps.is_none()
    }

    /// Whether it keeps `event`.
    #[must_use]
    pub fn keeps(&self, event: &E) -> bool {
        self.keeps.as_ref().is_none_or(|keeps| keeps(event))
    }

    /// The events it keeps, and which it panicked at, with the message.
    ///
    /// It is called a second time for the others of a batch at one of whose
    /// events it panics: to be ready for that at every event would cost all
    /// batches.
    pub(super) fn select_all(&self, events: &SharedBatch<E>) -> (Batch<E>, Vec<(E, String)>)
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

    /// The events it keeps: the shared ones themselves when it keeps them all,
    /// copies otherwise.
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
