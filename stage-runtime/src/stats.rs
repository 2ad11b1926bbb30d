//! What a stage has done so far.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What a stage has done since it was spawned; a snapshot.
///
/// Its counters are written once per batch, one after the other: between two
/// of them a snapshot can catch a batch half-counted. At rest they agree.
///
/// The three durations are exact for a stage that has up to some thousand turns
/// a second. Of one that has more they are a sample, to a few milliseconds: to
/// read the clock for every batch would cost such a stage a good part of its
/// time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct StageStats {
    /// The stage's name.
    pub name: Arc<str>,
    /// Events its handler was given.
    pub events_in: u64,
    /// Batches its handler was given.
    pub batches_in: u64,
    /// Events its handlers emitted.
    pub events_out: u64,
    /// Batches it emitted: calls of a handler that emitted something.
    pub batches_out: u64,
    /// Events put on links; with a broadcast, once for each subscriber.
    pub delivered: u64,
    /// Events that a consumer which ended had not handled and gave back; most
    /// are delivered again.
    pub handed_back: u64,
    /// Events that are gone: by a full buffer, by a partition's hash that
    /// answered `None`, by a broadcast subscriber that left, or left over when
    /// the stage itself ended.
    pub discarded: u64,
    /// Events that the dispatcher could send nowhere; each is traced.
    pub rejected: u64,
    /// Events in its buffer, or queued in its dispatcher.
    pub buffered: u64,
    /// Events that it was asked for and has not emitted, when it last came to
    /// rest.
    pub unmet: u64,
    /// Events that it had taken in and not handled, when it last came to rest.
    pub queued: u64,
    /// Events that its state had taken in and not let go of, when it last came to
    /// rest.
    pub held: u64,
    /// Events given to a dead-letter hook.
    pub dead_lettered: u64,
    /// Events that were moved into a handler which then failed, and those that
    /// its state held when it was dropped.
    pub lost: u64,
    /// Events of failed batches that the restarted stage was given again.
    pub retried: u64,
    /// How often it was restarted.
    pub restarts: u64,
    /// Time inside its handlers.
    pub in_handlers: Duration,
    /// Time it had something to do and nobody asked for it.
    pub waiting_for_demand: Duration,
    /// Time it was asked, or would have asked, and had nothing to do.
    pub waiting_for_events: Duration,
}

/// The counters behind [`StageStats`]; written by the stage's task alone.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) events_in: Counter,
    pub(crate) batches_in: Counter,
    pub(crate) events_out: Counter,
    pub(crate) batches_out: Counter,
    pub(crate) delivered: Counter,
    pub(crate) handed_back: Counter,
    pub(crate) discarded: Counter,
    pub(crate) rejected: Counter,
    pub(crate) buffered: Counter,
    pub(crate) unmet: Counter,
    pub(crate) queued: Counter,
    pub(crate) held: Counter,
    pub(crate) dead_lettered: Counter,
    pub(crate) lost: Counter,
    pub(crate) retried: Counter,
    pub(crate) restarts: Counter,
    pub(crate) in_handlers: Counter,
    pub(crate) waiting_for_demand: Counter,
    pub(crate) waiting_for_events: Counter,
}

/// A number that one task writes and others read.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Only the owning task may call this: a load and a store are cheaper than
    /// a read-modify-write, and enough for one writer.
    #[inline]
    pub(crate) fn add(&self, count: usize) {
        self.add_u64(count as u64);
    }

    #[inline]
    pub(crate) fn set(&self, value: usize) {
        self.0.store(value as u64, Relaxed);
    }

    #[inline]
    pub(crate) fn add_u64(&self, count: u64) {
        self.0
            .store(self.0.load(Relaxed).saturating_add(count), Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    fn time(&self) -> Duration {
        Duration::from_nanos(self.get())
    }
}

impl Counters {
    /// The stage's state is dropped with so many events: those of a source were
    /// emitted for nobody, those of another stage are lost.
    #[cold]
    pub(crate) fn drop_held(&self, consumes: bool, events: usize) {
        if consumes {
            self.lost.add(events);
        } else {
            self.events_out.add(events);
            self.discarded.add(events);
        }
        self.held.set(0);
        tracing::warn!(
            events,
            "events were in the state of a stage that was dropped"
        );
    }

    pub(crate) fn snapshot(&self, name: &Arc<str>) -> StageStats {
        StageStats {
            name: Arc::clone(name),
            events_in: self.events_in.get(),
            batches_in: self.batches_in.get(),
            events_out: self.events_out.get(),
            batches_out: self.batches_out.get(),
            delivered: self.delivered.get(),
            handed_back: self.handed_back.get(),
            discarded: self.discarded.get(),
            rejected: self.rejected.get(),
            buffered: self.buffered.get(),
            unmet: self.unmet.get(),
            queued: self.queued.get(),
            held: self.held.get(),
            dead_lettered: self.dead_lettered.get(),
            lost: self.lost.get(),
            retried: self.retried.get(),
            restarts: self.restarts.get(),
            in_handlers: self.in_handlers.time(),
            waiting_for_demand: self.waiting_for_demand.time(),
            waiting_for_events: self.waiting_for_events.time(),
        }
    }
}
