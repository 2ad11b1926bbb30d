//! [`ParkedByKey`]: what waits for the rate limit of its key.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

use super::Wait;

/// Items that wait for the rate limit of their key, in order for each key. Other
/// keys go on.
///
/// It does not know the limit: [`pop_due`](Self::pop_due) takes the call that asks
/// for permits. So that the order of a key holds, an item of a key that
/// [waits](Self::waits) is pushed here without asking.
///
/// ```
/// use std::time::{Duration, Instant};
/// use stage_pipeline::policy::{KeyedBuckets, ParkedByKey, Rate};
///
/// let start = Instant::now();
/// let mut limits = KeyedBuckets::new(Rate::per_second(1), 1000);
/// let mut parked = ParkedByKey::new(100);
/// let mut out = Vec::new();
/// for item in ["a1", "a2", "b1"] {
///     let key = u64::from(item.as_bytes()[0]);
///     match limits.take(start, key, 1) {
///         Ok(_) => out.push(item),
///         Err(wait) => parked.push(start, key, item, wait).unwrap(),
///     }
/// }
/// assert_eq!(out, ["a1", "b1"]);
/// let wait = parked.next_due(start).unwrap();
/// assert_eq!(wait, Duration::from_secs(1));
///
/// let now = start + wait;
/// parked.pop_due(now, 10, |key, want| limits.take(now, key, want), &mut out);
/// assert_eq!(out, ["a1", "b1", "a2"]);
/// ```
#[derive(Debug)]
pub struct ParkedByKey<T> {
    queues: HashMap<u64, Queue<T>, RandomState>,
    /// The time of each queue that has one, earliest first.
    due: BTreeSet<(Instant, u64)>,
    len: usize,
    limit: usize,
}

#[derive(Debug)]
struct Queue<T> {
    items: VecDeque<T>,
    /// `None` while the rate of the key is closed.
    due: Option<Instant>,
}

impl<T> ParkedByKey<T> {
    /// Returns an empty one that holds at most `limit` items over all keys.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            queues: HashMap::default(),
            due: BTreeSet::new(),
            len: 0,
            limit,
        }
    }

    /// Puts `item` behind the others of `key`. `wait` is what the limit of the key
    /// answered; it is not looked at if the key waits already.
    ///
    /// # Errors
    ///
    /// Returns the item if there is no room. It must not go on: the order of its
    /// key would be lost if others of it wait here.
    pub fn push(&mut self, now: Instant, key: u64, item: T, wait: Wait) -> Result<(), T> {
        if self.len >= self.limit {
            return Err(item);
        }
        self.len += 1;
        let due = &mut self.due;
        let queue = self.queues.entry(key).or_insert_with(|| Queue {
            items: VecDeque::new(),
            due: schedule(due, now, key, wait),
        });
        queue.items.push_back(item);
        Ok(())
    }

    /// Moves the items that may go to the end of `out`, at most `max`, those of the
    /// key that has waited longest first. `take` asks the limit of a key for a
    /// number of permits.
    pub fn pop_due(
        &mut self,
        now: Instant,
        max: usize,
        mut take: impl FnMut(u64, usize) -> Result<usize, Wait>,
        out: &mut Vec<T>,
    ) {
        let mut left = max;
        while left > 0
            && let Some(&(due, key)) = self.due.first()
            && due <= now
        {
            self.due.remove(&(due, key));
            let Some(queue) = self.queues.get_mut(&key) else {
                continue;
            };
            queue.due = None;
            while left > 0 && !queue.items.is_empty() {
                let want = queue.items.len().min(left);
                match take(key, want) {
                    Ok(granted) => {
                        let granted = granted.min(want);
                        out.extend(queue.items.drain(..granted));
                        self.len -= granted;
                        left -= granted;
                        if granted == 0 {
                            // Against the contract of `take`; not to ask in a loop.
                            let later = Wait::For(Duration::from_millis(1));
                            queue.due = schedule(&mut self.due, now, key, later);
                            break;
                        }
                    }
                    Err(wait) => {
                        queue.due = schedule(&mut self.due, now, key, wait);
                        break;
                    }
                }
            }
            if queue.items.is_empty() {
                self.queues.remove(&key);
            } else if left == 0 {
                // It did not hear from its limit, so it is asked for again.
                self.due.insert((now, key));
                queue.due = Some(now);
            }
        }
    }

    /// Makes all keys due, so that [`pop_due`](Self::pop_due) asks for each of
    /// them. Call it when rates have changed.
    pub fn recheck(&mut self, now: Instant) {
        self.due.clear();
        for (&key, queue) in &mut self.queues {
            queue.due = Some(now);
            self.due.insert((now, key));
        }
    }

    /// Returns the time until a key is due: `None` if nothing waits, or all that
    /// waits has a closed rate.
    #[must_use]
    pub fn next_due(&self, now: Instant) -> Option<Duration> {
        let (due, _) = self.due.first()?;
        Some(due.saturating_duration_since(now))
    }

    /// Returns whether items of `key` wait here.
    #[must_use]
    pub fn waits(&self, key: u64) -> bool {
        self.len > 0 && self.queues.contains_key(&key)
    }

    /// Returns the number of items.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there are no items.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the number of items for which there is room.
    #[must_use]
    pub const fn room(&self) -> usize {
        self.limit.saturating_sub(self.len)
    }

    /// Returns all items, in order for each key: to extend their leases.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.queues.values().flat_map(|queue| &queue.items)
    }

    /// Takes all items out, in order for each key: to release them.
    pub fn drain(&mut self) -> impl Iterator<Item = T> + use<T> {
        self.due.clear();
        self.len = 0;
        let queues = std::mem::take(&mut self.queues);
        queues.into_values().flat_map(|queue| queue.items)
    }
}

/// Returns the time when `key` is due, and notes it. It is after `now`, so that a
/// key whose limit answers "at once" is not asked in a loop.
fn schedule(
    due: &mut BTreeSet<(Instant, u64)>,
    now: Instant,
    key: u64,
    wait: Wait,
) -> Option<Instant> {
    let wait = wait.duration()?.max(Duration::from_nanos(1));
    let at = now.checked_add(wait)?;
    due.insert((at, key));
    Some(at)
}
