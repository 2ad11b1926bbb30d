//! [`LowWaterMark`]: up to where a log is settled.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How far a consumer of a log has come: the offset below which all messages are
/// settled, for one partition.
///
/// Messages are settled in any order. The mark is what may be committed: it never
/// passes a message that is not settled. Offsets grow and may have holes, as those
/// of a compacted log have.
///
/// One message that is never settled holds the mark for ever, and all that is
/// settled behind it is kept. [`is_over`](Self::is_over) bounds this gap.
///
/// Leasing costs O(1), and settling O(log n) in the messages of the gap, or O(1)
/// without holes.
///
/// ```
/// use std::time::Instant;
/// use stage_pipeline::ack::LowWaterMark;
///
/// let now = Instant::now();
/// let mut log = LowWaterMark::new();
/// for offset in [10, 11, 15] {
///     log.lease(now, offset)?;
/// }
/// let generation = log.generation();
/// assert_eq!(log.settle(generation, 11), None);
/// assert_eq!(log.settle(generation, 10), Some(15));
/// assert_eq!(log.settle(generation, 15), Some(16));
/// # Ok::<(), stage_pipeline::ack::LeaseOrderError>(())
/// ```
///
/// Source: `SubmittedRecords` of Kafka Connect (KAFKA-12226) keeps such a queue with
/// flags for each partition.
#[derive(Clone, Debug, Default)]
pub struct LowWaterMark {
    generation: u64,
    /// Ascending by offset. The first is not settled.
    leased: VecDeque<Entry>,
    mark: Option<u64>,
    stale: u64,
    ignored: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    offset: u64,
    at: Instant,
    settled: bool,
}

/// What a lease of an offset means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leased {
    /// It is a new message.
    New,
    /// It was leased before and is not settled, such as one that is retried.
    Again,
    /// It is settled in this generation: there is nothing to do for it.
    Settled,
}

/// An offset was leased that lies between others and was not leased with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "offset {offset} was leased after offset {last}, but offsets must grow: lease them \
     in the order of the log, or begin a new generation after going back"
)]
pub struct LeaseOrderError {
    /// The offset.
    pub offset: u64,
    /// The highest offset that was leased.
    pub last: u64,
}

/// The messages between the mark and the last lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// How many there are, settled or not.
    pub count: usize,
    /// How long ago the first of them, which is not settled, was leased; zero if
    /// there is none.
    pub age: Duration,
}

/// The largest [`Gap`] that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GapLimits {
    /// The most messages.
    pub count: usize,
    /// The longest time that the first message may take.
    pub age: Duration,
}

impl LowWaterMark {
    /// Returns the mark of a partition from which nothing was leased.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that the message at `offset` was leased. To lease one that is not
    /// settled again keeps its age.
    ///
    /// # Errors
    ///
    /// [`LeaseOrderError`] if `offset` is below one that was leased, and was not
    /// leased itself. Nothing changes then.
    pub fn lease(&mut self, now: Instant, offset: u64) -> Result<Leased, LeaseOrderError> {
        let next = self.next();
        if next.is_none_or(|next| offset >= next) {
            if self.leased.is_empty() {
                // There is nothing between what was settled and this one.
                self.mark = Some(offset);
            }
            self.leased.push_back(Entry {
                offset,
                at: now,
                settled: false,
            });
            return Ok(Leased::New);
        }
        match self.find(offset) {
            Some(index) if self.leased[index].settled => Ok(Leased::Settled),
            Some(_) => Ok(Leased::Again),
            None if self.mark.is_some_and(|mark| offset < mark) => Ok(Leased::Settled),
            None => Err(LeaseOrderError {
                offset,
                last: next.unwrap_or(0).saturating_sub(1),
            }),
        }
    }

    /// Notes that the message at `offset`, which was leased in `generation`, is
    /// settled. Returns the new mark if it moved.
    ///
    /// A message of another generation is counted as [`stale`](Self::stale), and
    /// one that is settled already or was not leased as
    /// [`ignored`](Self::ignored). Neither changes anything.
    pub fn settle(&mut self, generation: u64, offset: u64) -> Option<u64> {
        if generation != self.generation {
            self.stale += 1;
            return None;
        }
        let found = self.find(offset).filter(|&at| !self.leased[at].settled);
        let Some(index) = found else {
            self.ignored += 1;
            return None;
        };
        self.leased[index].settled = true;
        if index > 0 {
            return None;
        }
        let after = self.next();
        while self.leased.front().is_some_and(|entry| entry.settled) {
            self.leased.pop_front();
        }
        self.mark = self.leased.front().map(|entry| entry.offset).or(after);
        self.mark
    }

    /// Begins a new generation, after a rebalance or when the reader went back:
    /// forgets all that was leased, and the mark. Returns the generation.
    pub fn rebalance(&mut self) -> u64 {
        self.generation += 1;
        self.leased.clear();
        self.mark = None;
        self.generation
    }

    /// Returns the generation of the messages that are leased now.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns the offset below which all is settled, which is the one to read next
    /// after a restart; `None` if nothing was leased in this generation.
    #[must_use]
    pub const fn mark(&self) -> Option<u64> {
        self.mark
    }

    /// Returns the lowest offset that is not settled.
    #[must_use]
    pub fn lowest_unsettled(&self) -> Option<u64> {
        self.leased.front().map(|entry| entry.offset)
    }

    /// Returns the messages between the mark and the last lease.
    #[must_use]
    pub fn gap(&self, now: Instant) -> Gap {
        let age = |entry: &Entry| now.saturating_duration_since(entry.at);
        Gap {
            count: self.leased.len(),
            age: self.leased.front().map_or(Duration::ZERO, age),
        }
    }

    /// Returns whether the gap is larger than `limits` in messages or in time. If
    /// so, nothing more should be leased from the partition.
    #[must_use]
    pub fn is_over(&self, now: Instant, limits: GapLimits) -> bool {
        let gap = self.gap(now);
        gap.count > limits.count || gap.age > limits.age
    }

    /// Returns how many settlements of an older generation came.
    #[must_use]
    pub const fn stale(&self) -> u64 {
        self.stale
    }

    /// Returns how many settlements came for messages that were settled already or
    /// not leased.
    #[must_use]
    pub const fn ignored(&self) -> u64 {
        self.ignored
    }

    /// The lowest offset that may be leased as a new one.
    fn next(&self) -> Option<u64> {
        let last = self.leased.back().map(|entry| entry.offset);
        last.map(|last| last.saturating_add(1)).or(self.mark)
    }

    fn find(&self, offset: u64) -> Option<usize> {
        let first = self.leased.front()?.offset;
        let distance = usize::try_from(offset.checked_sub(first)?).unwrap_or(usize::MAX);
        // Its place if there are no holes.
        if self
            .leased
            .get(distance)
            .is_some_and(|entry| entry.offset == offset)
        {
            return Some(distance);
        }
        self.leased
            .binary_search_by_key(&offset, |entry| entry.offset)
            .ok()
    }
}
