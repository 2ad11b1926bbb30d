//! The events that nobody has asked for yet.

use std::collections::VecDeque;

use crate::Batch;

/// Which events a full buffer drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Overflow {
    /// Drops the new events that do not fit.
    DropNewest,
    /// Drops the oldest events to make room for the new ones. The default.
    #[default]
    DropOldest,
}

/// A queue of batches with a bound on the events in it.
///
/// An *info* is an out-of-band message that keeps its place among the events
/// and is never discarded: it comes out when the events stored before it have
/// left, by being taken or by being discarded.
///
/// Storing and taking moves whole batches; only a batch that is taken in part
/// is split. Nothing is allocated in proportion to the bound.
///
/// ```
/// use stage_core::{Batch, Buffer, Overflow};
///
/// let mut buffer: Buffer<u32, &str> = Buffer::new(Some(3), Overflow::DropOldest);
/// let stored = buffer.store(Batch::from(vec![1, 2, 3, 4]));
/// assert_eq!((stored.discarded, buffer.len()), (1, 3));
///
/// let taken = buffer.take(2).unwrap();
/// let events: Vec<u32> = taken.batches.into_iter().flatten().collect();
/// assert_eq!(events, [2, 3]);
/// ```
///
/// Source: `GenStage.Buffer`. A bound of 0, which crashes there, stores
/// nothing here.
#[derive(Debug)]
pub struct Buffer<E, I> {
    entries: VecDeque<Entry<E, I>>,
    events: usize,
    infos: usize,
    bound: Option<usize>,
    overflow: Overflow,
}

#[derive(Debug)]
enum Entry<E, I> {
    Events(Batch<E>),
    Info(I),
}

/// What storing events pushed out of a [`Buffer`].
#[derive(Debug)]
#[must_use = "what was pushed out has to be counted and delivered"]
pub struct Stored<I> {
    /// How many events were discarded, new or old.
    pub discarded: usize,
    /// The infos whose place was among the discarded events.
    pub infos: Vec<I>,
}

/// What came out of a [`Buffer`].
#[derive(Debug)]
#[must_use = "what was taken is no longer in the buffer"]
pub struct Taken<E, I> {
    /// The events, in order.
    pub batches: Vec<Batch<E>>,
    /// The infos whose place is right behind these events.
    pub infos: Vec<I>,
    /// How much of the count asked for was not served, in events.
    pub remaining: usize,
}

impl<E, I> Buffer<E, I> {
    /// An empty buffer that holds up to `bound` events, any number for `None`.
    #[must_use]
    pub const fn new(bound: Option<usize>, overflow: Overflow) -> Self {
        Self {
            entries: VecDeque::new(),
            events: 0,
            infos: 0,
            bound,
            overflow,
        }
    }

    /// The number of events in it; infos do not count.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.events
    }

    /// Whether it holds no event.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// The number of infos that wait for their turn.
    #[must_use]
    pub const fn infos(&self) -> usize {
        self.infos
    }

    /// Stores events behind all others. Beyond the bound it discards: the
    /// newest with [`Overflow::DropNewest`], the oldest with [`Overflow::DropOldest`].
    pub fn store(&mut self, mut batch: Batch<E>) -> Stored<I> {
        let room = self.bound.map(|bound| bound.saturating_sub(self.events));
        let excess = room.map_or(0, |room| batch.len().saturating_sub(room));
        let mut infos = Vec::new();
        match self.overflow {
            Overflow::DropNewest => {
                let kept = batch.split_to(batch.len() - excess);
                self.push_back(kept);
            }
            Overflow::DropOldest => {
                self.push_back(batch);
                self.discard_oldest(excess, &mut infos);
            }
        }
        Stored {
            discarded: excess,
            infos,
        }
    }

    /// Puts events back in front of all others, in the order given. The bound
    /// does not apply: they had been accepted before.
    pub fn hand_back<T>(&mut self, batches: T)
    where
        T: IntoIterator<Item = Batch<E>>,
        T::IntoIter: DoubleEndedIterator,
    {
        for batch in batches.into_iter().rev() {
            if !batch.is_empty() {
                self.events += batch.len();
                self.entries.push_front(Entry::Events(batch));
            }
        }
    }

    /// Puts back what [`take`](Buffer::take) took and what could not be
    /// delivered after all: `batches` in front, the infos right behind them.
    pub(crate) fn restore(&mut self, batches: Vec<Batch<E>>, infos: Vec<I>) {
        self.infos += infos.len();
        for info in infos.into_iter().rev() {
            self.entries.push_front(Entry::Info(info));
        }
        self.hand_back(batches);
    }

    /// Keeps `info` behind the events stored so far.
    ///
    /// # Errors
    ///
    /// Gives `info` back when there is nothing to wait behind: it is due now.
    pub fn store_info(&mut self, info: I) -> Result<(), I> {
        if self.entries.is_empty() {
            return Err(info);
        }
        self.infos += 1;
        self.entries.push_back(Entry::Info(info));
        Ok(())
    }

    /// Takes up to `count` events, but never past an info: the infos that
    /// follow come out with the events before them, and the rest of the count
    /// waits for the next call. `None` when there was nothing to take.
    ///
    /// Where the buffer has no bound, an info comes out when a take *reaches*
    /// it, one at a time, and not together with the event before it. That is
    /// how GenStage has it, and the traces recorded from it say so.
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
                    taken.batches.push(batch.split_to(taken.remaining));
                    self.events -= taken.remaining;
                    taken.remaining = 0;
                }
                Some(Entry::Events(batch)) => {
                    let batch = std::mem::take(batch);
                    self.entries.pop_front();
                    self.events -= batch.len();
                    taken.remaining -= batch.len();
                    taken.batches.push(batch);
                    if self.bound.is_some() && self.pop_infos(&mut taken.infos) {
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
        Some(taken)
    }

    /// Moves the infos that no event is in front of behind `infos`.
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

    fn discard_oldest(&mut self, mut count: usize, infos: &mut Vec<I>) {
        while count > 0 {
            match self.entries.front_mut() {
                Some(Entry::Events(batch)) if batch.len() > count => {
                    batch.advance(count);
                    self.events -= count;
                    return;
                }
                Some(Entry::Events(batch)) => {
                    count -= batch.len();
                    self.events -= batch.len();
                    self.entries.pop_front();
                    self.pop_infos(infos);
                }
                Some(Entry::Info(_)) => {
                    self.pop_infos(infos);
                }
                None => return,
            }
        }
    }

    /// Takes the infos at the front; says whether there were any.
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
