//! [`Buffer`]: a producer's queue of events without demand.

use std::collections::VecDeque;

use crate::budget::Share;
use crate::{Batch, Bound, Budget};

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

/// The state of a buffer with a bound in bytes, or of one that keeps what it
/// sheds.
#[derive(Debug)]
struct Rare<E> {
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
            rare: weigh.map(|weigh| {
                Box::new(Rare {
                    weigh: Some(weigh),
                    ..Rare::default()
                })
            }),
        }
    }

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

    /// [`store`](Self::store) with a bound in bytes.
    #[inline(never)]
    fn store_weighed(
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
    fn claim(&mut self, batch: &Batch<E>) -> usize {
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
    fn fitting(&self, weigh: fn(&E) -> usize, batch: &Batch<E>, granted: usize) -> usize {
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
    fn oldest_beyond(&self, weigh: fn(&E) -> usize, cap: usize) -> usize {
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
                    if let Some(rare) = &mut self.rare {
                        rare.bytes = rare.bytes.saturating_sub(rare.weight(&batch[..count]));
                    }
                    let shed = self.rare.as_mut().and_then(|rare| rare.shed.as_mut());
                    // Dropped in place unless they are kept: splitting allocates.
                    match shed {
                        Some(shed) => shed.push(batch.split_to(count)),
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

    /// Keeps discarded events for the user, or drops them and returns their
    /// allocation in `spare`.
    fn shed(&mut self, batch: Batch<E>, spare: &mut Option<Vec<E>>) {
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

    fn weigher(&self) -> Option<fn(&E) -> usize> {
        self.rare.as_ref()?.weigh
    }

    /// Adds the weight of a batch that is about to be stored.
    fn add_weight(&mut self, batch: &Batch<E>) {
        if let Some(rare) = &mut self.rare {
            rare.bytes = rare.bytes.saturating_add(rare.weight(batch));
        }
    }

    /// Removes the weight of a batch that leaves.
    fn remove_weight(&mut self, batch: &Batch<E>) {
        if let Some(rare) = &mut self.rare {
            rare.bytes = rare.bytes.saturating_sub(rare.weight(batch));
        }
    }

    /// Holds of the budget what the buffer weighs.
    fn settle(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.settle();
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

impl<E> Rare<E> {
    fn settle(&mut self) {
        if let Some(share) = &mut self.share {
            share.set(self.bytes);
        }
    }

    /// Returns the weight of events in bytes; 0 without a weigher.
    fn weight(&self, events: &[E]) -> usize {
        self.weigh.map_or(0, |weigh| {
            events.iter().map(weigh).fold(0, usize::saturating_add)
        })
    }
}
