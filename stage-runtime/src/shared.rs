//! The state that the task of a stage shares with its handles and its pipeline.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;
use std::time::Duration;

use parking_lot::Mutex;
use stage_core::{Bottleneck, Outcome, Reason};
use tokio::time::Instant;

use crate::activity::ActivityCell;
use crate::lifecycle::Lifecycle;
use crate::link::Notifier;
use crate::outcome_watch::OutcomeWatch;
use crate::registry::Registry;
use crate::snapshot::{
    BottleneckSnapshot, Endpoint, LinkSnapshot, PastStages, StageKind, StageSnapshot,
    WaitsForSnapshot,
};
use crate::stage_id::StageId;
use crate::stats::{Counter, Counters, StageStats};

/// The shared state of one stage.
///
/// The task writes the counters, the activity and the outcome. Handles read these and
/// write lifecycle requests. Control requests and messages are not here, because they
/// depend on the types of the stage; see `ControlQueue`.
#[derive(Debug)]
pub(crate) struct StageShared {
    pub(crate) id: StageId,
    pub(crate) name: Arc<str>,
    pub(crate) kind: StageKind,
    /// The failure of the stage does not stop its pipeline.
    pub(crate) expendable: bool,
    /// Returns the type name of the dispatcher, with its path.
    dispatcher: fn() -> &'static str,
    /// Notifies the task.
    pub(crate) notifier: Arc<Notifier>,
    pub(crate) counters: Counters,
    /// The weight of the events in the buffer, if its bound is in bytes.
    pub(crate) buffered_bytes: Option<Box<Counter>>,
    pub(crate) activity: ActivityCell,
    /// Requests to stop, complete, restart or drain.
    pub(crate) lifecycle: Lifecycle,
    /// The links to producers.
    pub(crate) producer_links: Registry,
    /// The links to consumers.
    pub(crate) consumer_links: Registry,
    /// The gate of the producer half is closed.
    pub(crate) gate_closed: AtomicBool,
    /// The stage takes nothing new in and is about to complete.
    pub(crate) completing: AtomicBool,
    /// What the task published when it last parked, if it had something to publish.
    waits: Mutex<Option<Box<Waits>>>,
    pub(crate) outcome: OutcomeWatch,
}

/// What a stage waits for, as far as its counters do not show it.
#[derive(Debug, Clone, Default)]
struct Waits {
    /// The bottleneck of the dispatcher.
    bottleneck: Option<Bottleneck>,
    /// What the stage itself said; see `Context::waits_for`.
    own: Option<OwnWait>,
}

/// What a stage said that it waits for.
#[derive(Debug, Clone)]
struct OwnWait {
    what: Cow<'static, str>,
    until: Option<Instant>,
}

impl StageShared {
    /// Makes the state of a stage named `name`. Without a name it is called by its type
    /// and number. `buffers_bytes` says that the bound of its buffer is in bytes.
    pub(crate) fn new(
        name: Option<String>,
        type_name: &str,
        kind: StageKind,
        dispatcher: fn() -> &'static str,
        expendable: bool,
        buffers_bytes: bool,
    ) -> Arc<Self> {
        let id = StageId::next();
        let name = name.unwrap_or_else(|| format!("{}#{}", short(type_name), id.get()));
        let name = Arc::<str>::from(name);
        let notifier = Notifier::new(Endpoint {
            id,
            name: Arc::clone(&name),
            is_stream: false,
        });
        Arc::new(Self {
            id,
            name,
            kind,
            expendable,
            dispatcher,
            notifier,
            counters: Counters::default(),
            buffered_bytes: buffers_bytes.then(Box::default),
            activity: ActivityCell::new(),
            lifecycle: Lifecycle::default(),
            producer_links: Registry::default(),
            consumer_links: Registry::default(),
            gate_closed: AtomicBool::new(false),
            completing: AtomicBool::new(false),
            waits: Mutex::new(None),
            outcome: OutcomeWatch::default(),
        })
    }

    /// Requests the stage to end as cancelled; the first reason counts.
    pub(crate) fn stop(&self, reason: Reason) {
        self.lifecycle.request(|requests| {
            requests.stop.get_or_insert(reason);
        });
        self.notifier.notify();
    }

    /// Requests the stage to complete.
    pub(crate) fn complete(&self) {
        self.lifecycle.request(|requests| requests.complete = true);
        self.notifier.notify();
    }

    /// Requests the stage to restart with a new state.
    pub(crate) fn restart(&self, reason: Reason) {
        self.lifecycle
            .request(|requests| requests.restart = Some(reason));
        self.notifier.notify();
    }

    /// Requests the stage to drain, together with the others in `stages`.
    pub(crate) fn drain(&self, stages: &Arc<HashSet<StageId>>) {
        self.lifecycle
            .request(|requests| requests.drain = Some(Arc::clone(stages)));
        self.notifier.notify();
    }

    /// Requests the stage to drain without any other. A pending request to drain with
    /// others stays.
    pub(crate) fn drain_alone(&self) {
        self.lifecycle.request(|requests| {
            let alone = || Arc::new(HashSet::from([self.id]));
            requests.drain.get_or_insert_with(alone);
        });
        self.notifier.notify();
    }

    /// Publishes the bottleneck of the stage's dispatcher.
    pub(crate) fn set_bottleneck(&self, bottleneck: Option<Bottleneck>) {
        // The box stays: a bottleneck usually comes back.
        self.waits.lock().get_or_insert_default().bottleneck = bottleneck;
    }

    /// Publishes what the stage says that it waits for, and for how long.
    pub(crate) fn set_own_wait(&self, wait: Option<(Cow<'static, str>, Option<Duration>)>) {
        self.waits.lock().get_or_insert_default().own = wait.map(|(what, until)| OwnWait {
            what,
            until: until.and_then(|until| Instant::now().checked_add(until)),
        });
    }

    /// Returns the statistics of the stage so far.
    pub(crate) fn stats(&self) -> StageStats {
        let mut stats = self.counters.snapshot(&self.name);
        stats.buffered_bytes = self.buffered_bytes.as_ref().map(|bytes| bytes.get());
        stats
    }

    /// Returns the stage and its links at this moment: those to its producers, then
    /// those to its consumers.
    pub(crate) fn snapshot(&self) -> (StageSnapshot, Vec<LinkSnapshot>) {
        let (activity, since) = self.activity.get();
        let (mut links, past) = self.producer_links.snapshot();
        let (consumer_links, past_sent) = self.consumer_links.snapshot();
        links.extend(consumer_links);
        let waits = self.waits.lock().clone();
        let Waits { bottleneck, own } = waits.map(|waits| *waits).unwrap_or_default();
        let stage = StageSnapshot {
            id: self.id,
            kind: self.kind,
            activity,
            since,
            stats: self.stats(),
            dispatcher: short((self.dispatcher)()),
            gate_closed: self.gate_closed.load(Ordering::Relaxed),
            completing: self.completing.load(Ordering::Relaxed),
            bottleneck: bottleneck.map(|bottleneck| BottleneckSnapshot {
                link: bottleneck.subscriber,
                part: bottleneck.part,
                held: bottleneck.held as u64,
            }),
            waits_for: own.map(|own| WaitsForSnapshot {
                what: own.what,
                until: own
                    .until
                    .map(|until| until.saturating_duration_since(Instant::now())),
            }),
            outcome: self.outcome.get().as_ref().map(ToString::to_string),
            past,
            past_sent,
            expendable: self.expendable,
            group: None,
        };
        (stage, links)
    }

    /// Whether all events that the stage was sent and has sent are settled. The numbers
    /// of a stage that has ended do not change from then on.
    pub(crate) fn is_settled(&self) -> bool {
        self.producer_links.is_over() && self.consumer_links.is_over()
    }

    /// Adds the numbers of the stage, which has ended, to `past`.
    pub(crate) fn add_to(&self, past: &mut PastStages) {
        match self.outcome.get() {
            Some(Outcome::Failed(_)) => past.failed += 1,
            Some(Outcome::Cancelled(_)) => past.cancelled += 1,
            Some(Outcome::Completed) | None => past.completed += 1,
        }
        past.stats.add(&self.counters.snapshot(&self.name));
        past.received.add(&self.producer_links.totals());
        past.sent.add(&self.consumer_links.totals());
    }
}

/// The waker that a stage gets from its emitter or its context.
impl Wake for StageShared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.notifier.notify_wake();
    }
}

/// Returns a type name without its path and parameters: `Map` for
/// `stages::operators::Map<F>`.
fn short(type_name: &str) -> &str {
    let path = type_name.split('<').next().unwrap_or(type_name);
    path.rsplit(':').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn a_type_is_named_without_its_path_and_parameters() {
        let name = short("stages::operators::Map<fn(a::B) -> c::D>");
        assert_eq!(name, "Map");
    }
}
