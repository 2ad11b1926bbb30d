//! The statistics of a stage, and the counters behind them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A snapshot of the statistics of a stage since it was spawned.
///
/// The stage writes its counters once per batch, one after the other, so a snapshot
/// can see a batch half counted. At rest the counters agree.
///
/// The three durations are exact for a stage with up to some thousand handler calls a
/// second. For a stage with more they are sampled, to a few milliseconds: reading the
/// clock for every batch would cost it a good part of its time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct StageStats {
    /// The stage's name.
    pub name: Arc<str>,
    /// Events that its handler was given.
    pub events_in: u64,
    /// Batches that its handler was given.
    pub batches_in: u64,
    /// Events that its handlers emitted.
    pub events_out: u64,
    /// Batches that it emitted: handler calls that emitted something.
    pub batches_out: u64,
    /// Events put on links; a broadcast counts each event once per subscriber.
    pub delivered: u64,
    /// Events that consumers handed back unhandled when they ended. Most of them are
    /// delivered again.
    pub handed_back: u64,
    /// Of these, events that `handle_returned` took out of circulation.
    pub taken_back: u64,
    /// Events that are gone: because the buffer was full, a partition's hash returned
    /// `None`, a broadcast subscriber left, or the stage itself ended with events left.
    pub discarded: u64,
    /// Events that the dispatcher could send to no subscriber. Each is traced.
    pub rejected: u64,
    /// Events in its buffer, or queued in its dispatcher.
    pub buffered: u64,
    /// The weight of the events in its buffer, in bytes, as the weigher of the buffer
    /// says; `None` if the bound of the buffer is not in bytes. Events queued in its
    /// dispatcher do not count.
    pub buffered_bytes: Option<u64>,
    /// Events that consumers had asked for and it had not emitted, when it last came to
    /// rest.
    pub unmet: u64,
    /// Events that had arrived and were not handled, when it last came to rest.
    pub queued: u64,
    /// Events that its state held, when it last came to rest: taken from a batch and
    /// not done with.
    pub held: u64,
    /// Events given to a dead-letter hook.
    pub dead_lettered: u64,
    /// Events that were moved into a handler that then failed, and events that its
    /// state held when it was dropped.
    pub lost: u64,
    /// Events of failed batches that the restarted stage was given again.
    pub retried: u64,
    /// How often it was restarted.
    pub restarts: u64,
    /// Time inside its handlers.
    pub in_handlers: Duration,
    /// Time with events but no demand.
    pub waiting_for_demand: Duration,
    /// Idle time with demand but no events.
    pub waiting_for_events: Duration,
}

impl StageStats {
    /// Adds the numbers of another stage, which has ended.
    pub(crate) fn add(&mut self, ended: &Self) {
        // Without `..`: whoever adds a number has to decide here what its sum is.
        let Self {
            name: _,
            events_in,
            batches_in,
            events_out,
            batches_out,
            delivered,
            handed_back,
            taken_back,
            discarded,
            rejected,
            buffered: _,
            buffered_bytes: _,
            unmet: _,
            queued: _,
            held: _,
            dead_lettered,
            lost,
            retried,
            restarts,
            in_handlers,
            waiting_for_demand,
            waiting_for_events,
        } = ended;
        for (sum, number) in [
            (&mut self.events_in, events_in),
            (&mut self.batches_in, batches_in),
            (&mut self.events_out, events_out),
            (&mut self.batches_out, batches_out),
            (&mut self.delivered, delivered),
            (&mut self.handed_back, handed_back),
            (&mut self.taken_back, taken_back),
            (&mut self.discarded, discarded),
            (&mut self.rejected, rejected),
            (&mut self.dead_lettered, dead_lettered),
            (&mut self.lost, lost),
            (&mut self.retried, retried),
            (&mut self.restarts, restarts),
        ] {
            *sum = sum.saturating_add(*number);
        }
        for (sum, time) in [
            (&mut self.in_handlers, in_handlers),
            (&mut self.waiting_for_demand, waiting_for_demand),
            (&mut self.waiting_for_events, waiting_for_events),
        ] {
            *sum = sum.saturating_add(*time);
        }
    }
}

/// The counters behind [`StageStats`]. Only the stage's task writes them.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) events_in: Counter,
    pub(crate) batches_in: Counter,
    pub(crate) events_out: Counter,
    pub(crate) batches_out: Counter,
    pub(crate) delivered: Counter,
    pub(crate) handed_back: Counter,
    pub(crate) taken_back: Counter,
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
    /// Adds `count`. Only the owning task may call this, as [`set`](Self::set): a load
    /// and a store are cheaper than a read-modify-write, and enough for one writer.
    #[inline]
    pub(crate) fn add(&self, count: usize) {
        self.add_u64(count as u64);
    }

    /// Sets the value.
    #[inline]
    pub(crate) fn set(&self, value: usize) {
        self.0.store(value as u64, Relaxed);
    }

    /// Adds `count`; like [`add`](Self::add).
    #[inline]
    pub(crate) fn add_u64(&self, count: u64) {
        self.0
            .store(self.0.load(Relaxed).saturating_add(count), Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Returns the value as a duration in nanoseconds.
    fn time(&self) -> Duration {
        Duration::from_nanos(self.get())
    }
}

impl Counters {
    /// Counts the events in a state that is dropped: those of a source as emitted and
    /// discarded, those of any other stage as lost.
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

    /// Reads all counters, but not the bytes, which are elsewhere.
    pub(crate) fn snapshot(&self, name: &Arc<str>) -> StageStats {
        StageStats {
            name: Arc::clone(name),
            events_in: self.events_in.get(),
            batches_in: self.batches_in.get(),
            events_out: self.events_out.get(),
            batches_out: self.batches_out.get(),
            delivered: self.delivered.get(),
            handed_back: self.handed_back.get(),
            taken_back: self.taken_back.get(),
            discarded: self.discarded.get(),
            rejected: self.rejected.get(),
            buffered: self.buffered.get(),
            buffered_bytes: None,
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
