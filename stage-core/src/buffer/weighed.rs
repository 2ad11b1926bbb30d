//! The rare parts of a [`Buffer`]: a bound in bytes, a share of a budget, and the
//! events that it shed, for a hook.

use super::{Buffer, Entry, Overflow, Stored};
use crate::budget::Share;
use crate::{Batch, Budget};

/// The state of a buffer with a bound in bytes, or of one that keeps what it
/// sheds.
#[derive(Debug)]
pub(super) struct Rare<E> {
    /// Weighs an event; `None` if the bound is not in bytes.
    weigh: Option<fn(&E) -> usize>,
    /// The weight of all events in the buffer; 0 without a weigher.
    bytes: usize,
    /// The part of a budget; `None` without one.
    share: Option<Share>,
    /// The events shed since they were last taken; `None` if they are dropped.
    shed: Option<Vec<Batch<E>>>,
}

// Not derived: a derive would ask the same of `E`.
impl<E> Default for Rare<E> {
    fn default() -> Self {
        Self {
            weigh: None,
            bytes: 0,
            share: None,
            shed: None,
        }
    }
}

impl<E, I> Buffer<E, I> {
    /// Keeps what the buffer sheds from now on, to be taken by
    /// [`take_shed`](Buffer::take_shed). By default it is dropped.
    pub fn keep_shed(&mut self) {
        let rare = self.rare.get_or_insert_default();
        rare.shed.get_or_insert_default();
    }

    /// Shares `budget` from now on: what is stored stays within what is left of
    /// it, too. A buffer keeps one event in any case, and what is handed back.
    /// No effect unless the bound is in bytes, because nothing is weighed then.
    pub fn share(&mut self, budget: &Budget) {
        if self.weigher().is_some()
            && let Some(rare) = &mut self.rare
        {
            rare.share = Some(Share::of(budget));
            rare.settle();
        }
    }

    /// Takes the events that were shed, oldest first. Empty unless
    /// [`keep_shed`](Buffer::keep_shed) was called.
    ///
    /// ```
    /// use stage_core::{Batch, Bound, Buffer, Overflow};
    ///
    /// let mut buffer: Buffer<u32, ()> = Buffer::new(Bound::Events(2), Overflow::DropOldest);
    /// buffer.keep_shed();
    /// let stored = buffer.store(Batch::from(vec![1, 2, 3]));
    /// assert_eq!(stored.discarded, 1);
    /// let shed: Vec<u32> = buffer.take_shed().into_iter().flatten().collect();
    /// assert_eq!(shed, [1]);
    /// ```
    #[must_use = "the events are no longer in the buffer"]
    pub fn take_shed(&mut self) -> Vec<Batch<E>> {
        let shed = self.rare.as_mut().and_then(|rare| rare.shed.as_mut());
        shed.map(std::mem::take).unwrap_or_default()
    }

    /// Returns the weight of the events in the buffer, in bytes; `None` if the
    /// bound is not in bytes.
    #[must_use]
    pub fn bytes(&self) -> Option<usize> {
        let rare = self.rare.as_ref()?;
        rare.weigh.map(|_| rare.bytes)
    }

    /// [`store`](Self::store) with a bound in bytes.
    #[inline(never)]
    pub(super) fn store_weighed(
        &mut self,
        weigh: fn(&E) -> usize,
        mut batch: Batch<E>,
        stored: &mut Stored<E, I>,
    ) {
        let held = self.bytes().unwrap_or_default();
        let granted = self.claim(&batch);
        match self.overflow {
            Overflow::DropNewest => {
                let kept = self.fitting(weigh, &batch, granted);
                stored.discarded = batch.len() - kept;
                let kept = batch.split_to(kept);
                self.add_weight(&kept);
                self.push_back(kept);
                self.shed(batch, &mut stored.spare);
            }
            Overflow::DropOldest => {
                self.add_weight(&batch);
                // Events that were handed back may exceed the limit. Only as
                // much of them goes as comes. An event that is heavier than the
                // limit goes as soon as there is another.
                let cap = if self.events > 1 {
                    self.limit.max(held)
                } else {
                    self.limit
                }
                .min(granted);
                self.push_back(batch);
                let excess = self.oldest_beyond(weigh, cap);
                stored.discarded = excess;
                self.discard_oldest(excess, stored);
            }
        }
        self.settle();
    }

    /// Takes from the budget what the buffer weighs with `batch`. Returns how much
    /// it may weigh: [`usize::MAX`] without a budget.
    pub(super) fn claim(&mut self, batch: &Batch<E>) -> usize {
        let limit = self.limit;
        match &mut self.rare {
            Some(rare) if rare.share.is_some() => {
                let all = rare.bytes.saturating_add(rare.weight(batch));
                let share = rare.share.as_mut();
                share.map_or(usize::MAX, |share| share.grow(all.min(limit)))
            }
            _ => usize::MAX,
        }
    }

    /// Returns how many events at the front of `batch` fit by their weight, if
    /// the budget grants the buffer `granted` bytes.
    pub(super) fn fitting(
        &self,
        weigh: fn(&E) -> usize,
        batch: &Batch<E>,
        granted: usize,
    ) -> usize {
        let most = self.limit.min(granted);
        let room = most.checked_sub(self.bytes().unwrap_or_default());
        let Some(mut room) = room.filter(|_| self.limit > 0) else {
            return 0;
        };
        let fits = |event: &&E| match room.checked_sub(weigh(event)) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        };
        let fitting = batch.iter().take_while(fits).count();
        // An event that is heavier than the limit could never be stored
        // otherwise.
        fitting.max(usize::from(self.events == 0))
    }

    /// Returns how many of the oldest events have to go until the rest weighs
    /// at most `cap`, or is one event.
    pub(super) fn oldest_beyond(&self, weigh: fn(&E) -> usize, cap: usize) -> usize {
        let mut bytes = self.bytes().unwrap_or_default();
        let most = self.events - usize::from(self.limit > 0);
        let heavy = |event: &&E| {
            let goes = bytes > cap || self.limit == 0;
            bytes = bytes.saturating_sub(weigh(event));
            goes
        };
        let batches = self.entries.iter().filter_map(|entry| match entry {
            Entry::Events(batch) => Some(batch),
            Entry::Info(_) => None,
        });
        let events = batches.flat_map(|batch| batch.iter());
        events.take(most).take_while(heavy).count()
    }

    /// Keeps discarded events for the user, or drops them and returns their
    /// allocation in `spare`.
    pub(super) fn shed(&mut self, batch: Batch<E>, spare: &mut Option<Vec<E>>) {
        let shed = self.rare.as_mut().and_then(|rare| rare.shed.as_mut());
        match shed {
            Some(shed) if !batch.is_empty() => shed.push(batch),
            _ => {
                if let Some(emptied) = batch.recycle().filter(|emptied| emptied.capacity() > 0) {
                    *spare = Some(emptied);
                }
            }
        }
    }

    pub(super) fn weigher(&self) -> Option<fn(&E) -> usize> {
        self.rare.as_ref()?.weigh
    }

    /// Adds the weight of a batch that is about to be stored.
    pub(super) fn add_weight(&mut self, batch: &Batch<E>) {
        if let Some(rare) = &mut self.rare {
            rare.bytes = rare.bytes.saturating_add(rare.weight(batch));
        }
    }

    /// Removes the weight of a batch that leaves.
    pub(super) fn remove_weight(&mut self, batch: &Batch<E>) {
        if let Some(rare) = &mut self.rare {
            rare.bytes = rare.bytes.saturating_sub(rare.weight(batch));
        }
    }

    /// Holds of the budget what the buffer weighs.
    pub(super) fn settle(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.settle();
        }
    }
}

impl<E> Rare<E> {
    /// Returns the state of a buffer with a bound in bytes.
    pub(super) fn of(weigh: fn(&E) -> usize) -> Self {
        Self {
            weigh: Some(weigh),
            ..Self::default()
        }
    }

    fn settle(&mut self) {
        if let Some(share) = &mut self.share {
            share.set(self.bytes);
        }
    }

    /// Sheds the first `count` events of a batch, which stays in the buffer.
    pub(super) fn shed_front(&mut self, batch: &mut Batch<E>, count: usize) {
        self.bytes = self.bytes.saturating_sub(self.weight(&batch[..count]));
        // Dropped in place unless they are kept: splitting allocates.
        match &mut self.shed {
            Some(shed) => shed.push(batch.split_to(count)),
            None => batch.advance(count),
        }
    }

    /// Returns the weight of events in bytes; 0 without a weigher.
    fn weight(&self, events: &[E]) -> usize {
        self.weigh.map_or(0, |weigh| {
            events.iter().map(weigh).fold(0, usize::saturating_add)
        })
    }
}
