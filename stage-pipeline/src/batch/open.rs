//! [`OpenBatches`]: the batches of one batcher that are not full yet.

use std::collections::VecDeque;
use std::hash::Hash;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use indexmap::{Equivalent, IndexMap};
use slab::Slab;

use super::splitter::{BatchLimitError, Split, SplitState, Splitter};

/// Why a batch left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// The splitter said that it is full.
    Size,
    /// Its timeout, counted from its first message, has passed.
    Timeout,
    /// A message in it asked to be handled at once.
    Flush,
    /// All open batches together held too many messages, and it was the oldest.
    Pressure,
    /// The batcher ends.
    End,
}

/// A batch that has left, for its batch handler. It is never empty.
#[derive(Debug)]
pub struct ReadyBatch<T, K> {
    /// The batch key.
    pub key: K,
    /// The partition.
    pub partition: usize,
    /// The messages, in the order in which they came.
    pub items: Vec<T>,
    /// Why it left.
    pub trigger: Trigger,
    /// When its first message came.
    pub opened: Instant,
}

/// The open batches of one batcher, one for each batch key and partition.
///
/// It starts no timer. Whoever holds it calls [`due`](Self::due) after the time
/// that [`next_due`](Self::next_due) returns. A timer that fires when its batch has
/// left already does no harm: the next batch of that key has its own time. So each
/// message is in exactly one batch, whichever trigger comes first.
///
/// Batches that leave are added to a vector of the caller.
///
/// ```
/// use std::time::{Duration, Instant};
/// use stage_pipeline::batch::{OpenBatches, Splitter, Trigger};
///
/// let start = Instant::now();
/// let timeout = Duration::from_secs(1);
/// let mut open = OpenBatches::new(Splitter::count(2)?, Some(timeout), 1000)?;
/// let mut out = Vec::new();
/// open.push(start, "berlin", 0, 1, false, &mut out);
/// open.push(start, "lisbon", 0, 2, false, &mut out);
/// open.push(start, "berlin", 0, 3, false, &mut out);
/// assert_eq!((out[0].key, out[0].trigger), ("berlin", Trigger::Size));
/// assert_eq!(out[0].items, [1, 3]);
///
/// assert_eq!(open.next_due(start), Some(timeout));
/// open.due(start + timeout, &mut out);
/// assert_eq!((out[1].key, out[1].trigger), ("lisbon", Trigger::Timeout));
/// # Ok::<(), stage_pipeline::batch::BatchLimitError>(())
/// ```
#[derive(Debug)]
pub struct OpenBatches<T, K> {
    splitter: Splitter<T>,
    timeout: Option<Duration>,
    max_open: usize,
    slots: Slab<Slot<T, K>>,
    by_key: IndexMap<(K, usize), usize, RandomState>,
    /// Slots in the order in which they were opened, which is the order of their
    /// timeouts. The first one is open. Others that have left are removed later.
    order: VecDeque<(usize, u64)>,
    /// The slot that was used last.
    recent: usize,
    next_id: u64,
    len: usize,
    /// The size of the batch that left last: the room for the next one.
    last_size: usize,
}

#[derive(Debug)]
struct Slot<T, K> {
    id: u64,
    key: K,
    partition: usize,
    items: Vec<T>,
    state: SplitState<T>,
    opened: Instant,
}

/// The key and the partition of a batch, borrowed to look it up.
#[derive(Hash)]
struct Place<'a, K>(&'a K, usize);

impl<K: Eq> Equivalent<(K, usize)> for Place<'_, K> {
    fn equivalent(&self, (key, partition): &(K, usize)) -> bool {
        self.1 == *partition && self.0 == key
    }
}

/// The number of open batches up to which each gets room for a full one at once.
const FEW: usize = 16;

impl<T, K: Eq + Hash + Clone> OpenBatches<T, K> {
    /// Returns an empty one. A batch leaves `timeout` after its first message; with
    /// `None` it waits without limit. All open batches together hold fewer than
    /// `max_open` messages: when a message makes it so many, the oldest batch
    /// leaves.
    ///
    /// # Errors
    ///
    /// [`BatchLimitError`] if the timeout or `max_open` is 0.
    pub fn new(
        splitter: Splitter<T>,
        timeout: Option<Duration>,
        max_open: usize,
    ) -> Result<Self, BatchLimitError> {
        if let Some(timeout) = timeout.filter(Duration::is_zero) {
            return Err(BatchLimitError::Timeout { timeout });
        }
        if max_open == 0 {
            return Err(BatchLimitError::MaxOpen);
        }
        Ok(Self::with_limits(splitter, timeout, max_open))
    }

    /// Returns an empty one with the same limits.
    #[must_use]
    pub fn empty(&self) -> Self {
        Self::with_limits(self.splitter.clone(), self.timeout, self.max_open)
    }

    fn with_limits(splitter: Splitter<T>, timeout: Option<Duration>, max_open: usize) -> Self {
        Self {
            splitter,
            timeout,
            max_open,
            slots: Slab::new(),
            by_key: IndexMap::default(),
            order: VecDeque::new(),
            recent: 0,
            next_id: 0,
            len: 0,
            last_size: 0,
        }
    }

    /// Adds `item` to the batch of `key` and `partition`, and adds the batches that
    /// leave by it to `out`: at most two. With `flush` the batch of the item is one
    /// of them.
    pub fn push(
        &mut self,
        now: Instant,
        key: K,
        partition: usize,
        item: T,
        flush: bool,
        out: &mut Vec<ReadyBatch<T, K>>,
    ) {
        let Some(index) = self.find(&key, partition) else {
            self.open(now, key, partition, item, flush, out);
            return;
        };
        let slot = &mut self.slots[index];
        let split = self.splitter.split(&mut slot.state, &item);
        if split == Split::Before {
            let full = self.close(index, Trigger::Size);
            out.push(full);
            self.open(now, key, partition, item, flush, out);
            return;
        }
        slot.items.push(item);
        self.len += 1;
        if split == Split::After {
            let full = self.close(index, Trigger::Size);
            out.push(full);
        } else if flush {
            let flushed = self.close(index, Trigger::Flush);
            out.push(flushed);
        } else {
            self.relieve(out);
        }
    }

    /// Returns the batch of `key` and `partition`, as [`Trigger::Flush`]; `None` if
    /// there is none. To flush after several messages at once.
    pub fn flush(&mut self, key: &K, partition: usize) -> Option<ReadyBatch<T, K>> {
        let index = self.find(key, partition)?;
        Some(self.close(index, Trigger::Flush))
    }

    /// Adds the batches whose timeout has passed at `now` to `out`, oldest first.
    pub fn due(&mut self, now: Instant, out: &mut Vec<ReadyBatch<T, K>>) {
        while self.next_due(now) == Some(Duration::ZERO)
            && let Some(index) = self.oldest()
        {
            let due = self.close(index, Trigger::Timeout);
            out.push(due);
        }
    }

    /// Returns the time until the first timeout; zero if it has passed, `None` if
    /// there is none.
    #[must_use]
    pub fn next_due(&self, now: Instant) -> Option<Duration> {
        let timeout = self.timeout?;
        let opened = self.slots[self.oldest()?].opened;
        Some(timeout.saturating_sub(now.saturating_duration_since(opened)))
    }

    /// Adds all batches to `out`, oldest first.
    pub fn end(&mut self, out: &mut Vec<ReadyBatch<T, K>>) {
        while let Some(index) = self.oldest() {
            let last = self.close(index, Trigger::End);
            out.push(last);
        }
    }

    /// Returns the number of messages in all open batches.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Returns whether no batch is open.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the number of open batches.
    #[must_use]
    pub fn batches(&self) -> usize {
        self.slots.len()
    }

    /// Returns all messages in open batches: to extend their leases.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flat_map(|(_, slot)| &slot.items)
    }

    fn find(&self, key: &K, partition: usize) -> Option<usize> {
        // Most messages go where the last one went.
        if let Some(slot) = self.slots.get(self.recent)
            && slot.partition == partition
            && slot.key == *key
        {
            return Some(self.recent);
        }
        if self.slots.is_empty() {
            return None;
        }
        self.by_key.get(&Place(key, partition)).copied()
    }

    /// Opens a batch with its first item.
    fn open(
        &mut self,
        now: Instant,
        key: K,
        partition: usize,
        item: T,
        flush: bool,
        out: &mut Vec<ReadyBatch<T, K>>,
    ) {
        let mut state = self.splitter.begin();
        let split = self.splitter.split(&mut state, &item);
        let mut items = self.vector();
        items.push(item);
        if split != Split::Continue || flush {
            let full = split != Split::Continue;
            out.push(ReadyBatch {
                key,
                partition,
                items,
                trigger: if full { Trigger::Size } else { Trigger::Flush },
                opened: now,
            });
            return;
        }
        let id = self.next_id;
        self.next_id += 1;
        let index = self.slots.insert(Slot {
            id,
            key: key.clone(),
            partition,
            items,
            state,
            opened: now,
        });
        self.by_key.insert((key, partition), index);
        self.order.push_back((index, id));
        self.recent = index;
        self.len += 1;
        self.relieve(out);
    }

    fn vector(&self) -> Vec<T> {
        // Many open batches are mostly small.
        if self.slots.len() < FEW {
            Vec::with_capacity(self.last_size)
        } else {
            Vec::new()
        }
    }

    /// Lets the oldest batch leave if there are too many messages. One is enough,
    /// since messages come one at a time.
    fn relieve(&mut self, out: &mut Vec<ReadyBatch<T, K>>) {
        if self.len >= self.max_open
            && let Some(index) = self.oldest()
        {
            let oldest = self.close(index, Trigger::Pressure);
            out.push(oldest);
        }
    }

    fn close(&mut self, index: usize, trigger: Trigger) -> ReadyBatch<T, K> {
        let slot = self.slots.remove(index);
        self.by_key.swap_remove(&Place(&slot.key, slot.partition));
        self.len -= slot.items.len();
        self.last_size = slot.items.len();
        let slots = &self.slots;
        let is_open = |&(index, id): &(usize, u64)| slots.get(index).is_some_and(|s| s.id == id);
        while self.order.front().is_some_and(|first| !is_open(first)) {
            self.order.pop_front();
        }
        // One batch that stays open keeps all behind it that have left.
        if self.order.len() > 2 * slots.len() + FEW {
            self.order.retain(is_open);
        }
        ReadyBatch {
            key: slot.key,
            partition: slot.partition,
            items: slot.items,
            trigger,
            opened: slot.opened,
        }
    }

    fn oldest(&self) -> Option<usize> {
        self.order.front().map(|&(index, _)| index)
    }
}
