//! [`Buffer`]: a producer's queue of events without demand.

mod weighed;

use std::collections::VecDeque;

use self::weighed::Rare;
use crate::{Batch, Bound};

/// The overflow policy: the events that a full buffer drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Overflow {
    /// Drops the new events that do not fit.
    DropNewest,
    /// Drops the oldest events to make room for the new ones. The default.
    #[default]
    DropOldest,
}

/// A queue of batches with a [`Bound`] on its events or on their bytes.
///
/// An *info* is an out-of-band message that keeps its place among the events
/// and is never discarded. It comes out when the events stored before it have
/// left, either taken or discarded.
///
/// Storing and taking move whole batches; only a batch that is taken in part is
/// split. No memory is allocated in proportion to the bound. With a bound in
/// bytes, each event is weighed when it is stored and when it leaves.
///
/// ```
/// use stage_core::{Batch, Bound, Buffer, Overflow};
///
/// let mut buffer: Buffer<u32, &str> = Buffer::new(Bound::Events(3), Overflow::DropOldest);
/// let stored = buffer.store(Batch::from(vec![1, 2, 3, 4]));
/// assert_eq!((stored.discarded, buffer.len()), (1, 3));
///
/// let taken = buffer.take(2).unwrap();
/// let events: Vec<u32> = taken.batches.into_iter().flatten().collect();
/// assert_eq!(events, [2, 3]);
/// ```
///
/// Source: `GenStage.Buffer`, which has a bound in events. A bound of 0, which
/// crashes there, stores nothing here.
#[derive(Debug)]
pub struct Buffer<E, I> {
    entries: VecDeque<Entry<E, I>>,
    events: usize,
    infos: usize,
    /// The limit of the bound in its unit; [`usize::MAX`] for no bound.
    limit: usize,
    overflow: Overflow,
    /// What few buffers need. Boxed, so that all others stay small.
    rare: Option<Box<Rare<E>>>,
}

#[derive(Debug)]
enum Entry<E, I> {
    Events(Batch<E>),
    Info(I),
}

/// The result of [`Buffer::store`]: what it pushed out of the buffer.
#[derive(Debug)]
#[must_use = "what was pushed out has to be counted and delivered"]
#[non_exhaustive]
pub struct Stored<E, I> {
    /// The number of events discarded, new or old.
    pub discarded: usize,
    /// The infos that are due because events before them were discarded.
    pub infos: Vec<I>,
    /// The emptied allocation of a discarded batch, for reuse.
    pub spare: Option<Vec<E>>,
}

impl<E, I> Stored<E, I> {
    const fn all() -> Self {
        Self {
            discarded: 0,
            infos: Vec::new(),
            spare: None,
        }
    }
}

/// The result of [`Buffer::take`].
#[derive(Debug)]
#[must_use = "what was taken is no longer in the buffer"]
pub struct Taken<E, I> {
    /// The events, in order.
    pub batches: Vec<Batch<E>>,
    /// The infos that are due directly after these events.
    pub infos: Vec<I>,
    /// The part of the requested count that was not served, in events.
    pub remaining: usize,
}

impl<E, I> Buffer<E, I> {
    /// Returns an empty buffer with a bound.
    #[must_use]
    pub fn new(bound: Bound<E>, overflow: Overflow) -> Self {
        let weigh = match bound {
            Bound::Bytes { weigh, .. } => Some(weigh),
            Bound::Events(_) | Bound::Unbounded => None,
        };
        Self {
            entries: VecDeque::new(),
            events: 0,
            infos: 0,
            limit: bound.limit().unwrap_or(usize::MAX),
            overflow,
            rare: weigh.map(|weigh| Box::new(Rare::of(weigh))),
        }
    }

    /// Returns the number of events in the buffer, without infos.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.events
    }

    /// Returns `true` if the buffer holds no event.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// Returns the number of infos in the buffer.
    #[must_use]
    pub const fn infos(&self) -> usize {
        self.infos
    }

    /// Stores events behind all others. Discards those beyond the bound: the
    /// newest with [`Overflow::DropNewest`], the oldest with
    /// [`Overflow::DropOldest`].
    ///
    /// Among the new events, [`Overflow::DropNewest`] discards the first one
    /// that does not fit and all behind it. With a bound in bytes, an event
    /// that weighs more than the bound is stored if no other is in the buffer. A
    /// [budget](Self::share) without room is as a bound that is reached.
    pub fn store(&mut self, mut batch: Batch<E>) -> Stored<E, I> {
        let mut stored = Stored::all();
        if batch.is_empty() {
            return stored;
        }
        if let Some(weigh) = self.weigher() {
            self.store_weighed(weigh, batch, &mut stored);
            return stored;
        }
        let room = self.limit.saturating_sub(self.events);
        let excess = batch.len().saturating_sub(room);
        stored.discarded = excess;
        match self.overflow {
            Overflow::DropNewest => {
                let kept = batch.split_to(batch.len() - excess);
                self.push_back(kept);
                self.shed(batch, &mut stored.spare);
            }
            Overflow::DropOldest => {
                self.push_back(batch);
                self.discard_oldest(excess, &mut stored);
            }
        }
        stored
    }

    /// Puts events back in front of all others, in the given order. The bound
    /// does not apply, because these events had been accepted before.
    pub fn hand_back<T>(&mut self, batches: T)
    where
        T: IntoIterator<Item = Batch<E>>,
        T::IntoIter: DoubleEndedIterator,
    {
        for batch in batches.into_iter().rev() {
            if !batch.is_empty() {
                self.add_weight(&batch);
                self.events += batch.len();
                self.entries.push_front(Entry::Events(batch));
            }
        }
        self.settle();
    }

    /// Puts back the undelivered part of a [`take`](Buffer::take): `batches` in
    /// front, the infos directly behind them.
    pub(crate) fn restore(&mut self, batches: Vec<Batch<E>>, infos: Vec<I>) {
        self.infos += infos.len();
        for info in infos.into_iter().rev() {
            self.entries.push_front(Entry::Info(info));
        }
        self.hand_back(batches);
    }

    /// Stores `info` behind the events stored so far.
    ///
    /// # Errors
    ///
    /// Returns `info` if the buffer is empty: it is due now.
    pub fn store_info(&mut self, info: I) -> Result<(), I> {
        if self.entries.is_empty() {
            return Err(info);
        }
        self.infos += 1;
        self.entries.push_back(Entry::Info(info));
        Ok(())
    }

    /// Takes up to `count` events, but none past an info: the infos directly
    /// behind the events come out with them, and the rest of the count is left
    /// to the next call. Returns `None` if the buffer is empty or `count` is 0.
    ///
    /// In a buffer without a bound, an info comes out when a take *reaches* it,
    /// one at a time, and not together with the event before it. GenStage does
    /// so, and the traces recorded from it check it.
    pub fn take(&mut self, count: usize) -> Option<Taken<E, I>> {
        if count == 0 || self.entries.is_empty() {
            return None;
        }
        let mut taken = Taken {
            batches: Vec::new(),
            infos: Vec::new(),
            remaining: count,
        };
        while taken.remaining > 0 {
            match self.entries.front_mut() {
                Some(Entry::Events(batch)) if batch.len() > taken.remaining => {
                    let part = batch.split_to(taken.remaining);
                    self.remove_weight(&part);
                    self.events -= part.len();
                    taken.remaining = 0;
                    taken.batches.push(part);
                }
                Some(Entry::Events(batch)) => {
                    let batch = std::mem::take(batch);
                    self.entries.pop_front();
                    self.remove_weight(&batch);
                    self.events -= batch.len();
                    taken.remaining -= batch.len();
                    taken.batches.push(batch);
                    if self.limit < usize::MAX && self.pop_infos(&mut taken.infos) {
                        break;
                    }
                }
                Some(Entry::Info(_)) => {
                    self.pop_info(&mut taken.infos);
                    break;
                }
                None => break,
            }
        }
        self.settle();
        Some(taken)
    }

    /// Moves the infos at the front, which are due, behind `infos`.
    #[inline]
    pub(crate) fn release_infos(&mut self, infos: &mut Vec<I>) {
        if self.infos > 0 {
            self.pop_infos(infos);
        }
    }

    fn push_back(&mut self, batch: Batch<E>) {
        if batch.is_empty() {
            return;
        }
        self.events += batch.len();
        self.entries.push_back(Entry::Events(batch));
    }

    fn discard_oldest(&mut self, mut count: usize, stored: &mut Stored<E, I>) {
        while count > 0 {
            match self.entries.front_mut() {
                Some(Entry::Events(batch)) if batch.len() > count => {
                    match &mut self.rare {
                        Some(rare) => rare.shed_front(batch, count),
                        None => batch.advance(count),
                    }
                    self.events -= count;
                    return;
                }
                Some(Entry::Events(batch)) => {
                    let batch = std::mem::take(batch);
                    self.entries.pop_front();
                    count -= batch.len();
                    self.events -= batch.len();
                    self.remove_weight(&batch);
                    self.shed(batch, &mut stored.spare);
                    self.pop_infos(&mut stored.infos);
                }
                Some(Entry::Info(_)) => {
                    self.pop_infos(&mut stored.infos);
                }
                None => return,
            }
        }
    }

    /// Takes the infos at the front; returns `true` if there were any.
    fn pop_infos(&mut self, infos: &mut Vec<I>) -> bool {
        let before = infos.len();
        while self.pop_info(infos) {}
        infos.len() > before
    }

    fn pop_info(&mut self, infos: &mut Vec<I>) -> bool {
        match self.entries.pop_front() {
            Some(Entry::Info(info)) => {
                self.infos -= 1;
                infos.push(info);
                true
            }
            Some(events) => {
                self.entries.push_front(events);
                false
            }
            None => false,
        }
    }
}
