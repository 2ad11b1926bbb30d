//! The state of a queue in memory: plain data, with time as an argument.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

use crate::ack::{Settled, Token, Verdict};
use crate::clock::after;

/// What became of the messages of a queue in memory. Every message that was enqueued is
/// waiting, delayed, leased, acked or dead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryCounts {
    /// Messages that were enqueued.
    pub enqueued: u64,
    /// Messages that wait to be leased.
    pub waiting: usize,
    /// Messages whose retry is not due yet.
    pub delayed: usize,
    /// Messages that are leased.
    pub leased: usize,
    /// Messages that were acknowledged.
    pub acked: u64,
    /// Messages that were rejected.
    pub dead: u64,
    /// Deliveries, so far.
    pub deliveries: u64,
    /// Verdicts that were retries.
    pub retried: u64,
    /// Verdicts that were releases.
    pub released: u64,
    /// Leases that ended without a verdict.
    pub expired: u64,
    /// Verdicts on leases that had ended: they changed nothing.
    pub stale: u64,
}

/// A message that was leased.
pub(super) struct Lease<T> {
    pub(super) token: Token,
    pub(super) data: T,
    pub(super) key: Option<Arc<str>>,
    pub(super) deliveries: u32,
}

pub(super) struct State<T> {
    entries: HashMap<u64, Entry<T>, RandomState>,
    /// Messages that can be leased, by number.
    ready: BTreeSet<u64>,
    /// Messages that wait for an earlier one of their key, which is delayed.
    blocked: HashMap<Arc<str>, BTreeSet<u64>, RandomState>,
    /// The delayed messages of each key that has some.
    delayed_by_key: HashMap<Arc<str>, BTreeSet<u64>, RandomState>,
    delayed: BTreeMap<(Instant, u64), ()>,
    /// When leases end, unless they are extended or settled before.
    ends: BinaryHeap<Reverse<(Instant, u64, u32)>>,
    visibility: Duration,
    /// Until when all leases are extended.
    extended: Option<Instant>,
    pub(super) closed: bool,
    next: u64,
    pub(super) counts: MemoryCounts,
    pub(super) dead: Vec<(u64, T, u32, Option<Arc<str>>)>,
}

struct Entry<T> {
    data: T,
    key: Option<Arc<str>>,
    deliveries: u32,
    epoch: u32,
    leased: bool,
}

impl<T: Clone> State<T> {
    pub(super) fn new(visibility: Duration) -> Self {
        Self {
            entries: HashMap::default(),
            ready: BTreeSet::new(),
            blocked: HashMap::default(),
            delayed_by_key: HashMap::default(),
            delayed: BTreeMap::new(),
            ends: BinaryHeap::new(),
            visibility,
            extended: None,
            closed: false,
            next: 0,
            counts: MemoryCounts::default(),
            dead: Vec::new(),
        }
    }

    pub(super) fn enqueue(&mut self, data: T, key: Option<Arc<str>>) -> u64 {
        let id = self.next;
        self.next += 1;
        self.counts.enqueued += 1;
        self.entries.insert(
            id,
            Entry {
                data,
                key,
                deliveries: 0,
                epoch: 0,
                leased: false,
            },
        );
        self.make_ready(id);
        id
    }

    /// Whether nothing will come any more, and nothing is left.
    pub(super) fn is_over(&self) -> bool {
        self.closed && self.entries.is_empty()
    }

    /// Leases up to `demand` messages, in order.
    pub(super) fn lease(&mut self, now: Instant, demand: usize, out: &mut Vec<Lease<T>>) {
        self.advance(now);
        for _ in 0..demand {
            let Some(id) = self.ready.pop_first() else {
                break;
            };
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            entry.deliveries += 1;
            entry.epoch = entry.epoch.wrapping_add(1);
            entry.leased = true;
            self.ends
                .push(Reverse((after(now, self.visibility), id, entry.epoch)));
            self.counts.leased += 1;
            self.counts.deliveries += 1;
            out.push(Lease {
                token: Token::new(id, entry.epoch),
                data: entry.data.clone(),
                key: entry.key.clone(),
                deliveries: entry.deliveries,
            });
        }
    }

    /// Extends all leases.
    pub(super) fn extend(&mut self, now: Instant) {
        self.advance(now);
        self.extended = Some(after(now, self.visibility));
    }

    pub(super) fn settle(&mut self, now: Instant, settled: &mut Settled) {
        self.advance(now);
        let Token { id, epoch } = settled.token;
        let current = self
            .entries
            .get_mut(&id)
            .filter(|entry| entry.leased && entry.epoch == epoch);
        let Some(entry) = current else {
            self.counts.stale += 1;
            settled.stale = true;
            return;
        };
        entry.leased = false;
        self.counts.leased -= 1;
        match settled.verdict {
            Verdict::Ack => {
                self.entries.remove(&id);
                self.counts.acked += 1;
            }
            Verdict::Release => {
                entry.deliveries -= 1;
                self.counts.released += 1;
                self.make_ready(id);
            }
            Verdict::Retry(delay) => {
                self.counts.retried += 1;
                self.delay(id, after(now, delay));
            }
            Verdict::Reject => {
                self.counts.dead += 1;
                if let Some(entry) = self.entries.remove(&id) {
                    self.dead
                        .push((id, entry.data, entry.deliveries, settled.reason.clone()));
                }
            }
        }
    }

    /// The time at which something changes by itself.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let delayed = self.delayed.keys().next().map(|&(due, _)| due);
        let ends = self
            .ends
            .peek()
            .map(|&Reverse((end, ..))| self.extended.map_or(end, |until| end.max(until)));
        delayed.into_iter().chain(ends).min()
    }

    pub(super) fn counts(&self) -> MemoryCounts {
        let delayed = self.delayed.len();
        let waiting = self.entries.len() - delayed - self.counts.leased;
        MemoryCounts {
            waiting,
            delayed,
            ..self.counts
        }
    }

    /// Makes ready what was delayed until now, and what is leased no longer.
    fn advance(&mut self, now: Instant) {
        while let Some(entry) = self.delayed.first_entry()
            && entry.key().0 <= now
        {
            let (_, id) = *entry.key();
            entry.remove();
            self.end_delay(id);
        }
        while let Some(&Reverse((end, id, epoch))) = self.ends.peek()
            && end <= now
        {
            self.ends.pop();
            let current = self
                .entries
                .get_mut(&id)
                .filter(|entry| entry.leased && entry.epoch == epoch);
            let Some(entry) = current else { continue };
            if let Some(until) = self.extended.filter(|until| *until > now) {
                self.ends.push(Reverse((until, id, epoch)));
                continue;
            }
            entry.leased = false;
            self.counts.leased -= 1;
            self.counts.expired += 1;
            self.make_ready(id);
        }
    }

    fn key(&self, id: u64) -> Option<Arc<str>> {
        self.entries.get(&id)?.key.clone()
    }

    /// Puts a message where it waits to be leased, behind a delayed one of its key.
    fn make_ready(&mut self, id: u64) {
        if let Some(key) = self.key(id)
            && let Some(first) = self.delayed_by_key.get(&key).and_then(BTreeSet::first)
            && *first < id
        {
            self.blocked.entry(key).or_default().insert(id);
            return;
        }
        self.ready.insert(id);
    }

    fn delay(&mut self, id: u64, due: Instant) {
        self.delayed.insert((due, id), ());
        let Some(key) = self.key(id) else { return };
        self.delayed_by_key
            .entry(Arc::clone(&key))
            .or_default()
            .insert(id);
        // Rare, and over the messages that wait: those of the key go behind this one.
        let behind: Vec<_> = self
            .ready
            .range(id..)
            .copied()
            .filter(|other| {
                self.entries
                    .get(other)
                    .is_some_and(|entry| entry.key.as_deref() == Some(&*key))
            })
            .collect();
        for other in behind {
            self.ready.remove(&other);
            self.blocked
                .entry(Arc::clone(&key))
                .or_default()
                .insert(other);
        }
    }

    fn end_delay(&mut self, id: u64) {
        let key = self.key(id);
        if let Some(key) = &key
            && let Some(delayed) = self.delayed_by_key.get_mut(key)
        {
            delayed.remove(&id);
            if delayed.is_empty() {
                self.delayed_by_key.remove(key);
            }
        }
        self.make_ready(id);
        if let Some(key) = key
            && let Some(blocked) = self.blocked.remove(&key)
        {
            for other in blocked {
                self.make_ready(other);
            }
        }
    }
}
