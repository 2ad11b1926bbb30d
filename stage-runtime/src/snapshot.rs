//! Snapshots: the stages and links of a pipeline at one moment, as plain data.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use stage_core::{Budget, SubscriptionId};

pub use crate::pipeline::Leftover;
use crate::stage_id::StageId;
use crate::stats::StageStats;

/// The stages of a pipeline and the links between them at one moment: what they have
/// done so far, and what they are doing now.
///
/// Each stage and each link is read for itself, while the pipeline goes on, so the
/// numbers of two of them can be of slightly different moments.
#[derive(Debug, Clone, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// The stages that live, and those that ended last; in the order in which they joined
    /// the pipeline. Two of them have the same name if one has ended.
    pub stages: Vec<StageSnapshot>,
    /// The links from, to and between the stages, in the order in which they were made.
    /// Links that ended long ago are left out; their sums are in
    /// [`StageSnapshot::past`] and [`StageSnapshot::past_sent`].
    pub links: Vec<LinkSnapshot>,
    /// The sums of the stages that ended long ago and are left out of
    /// [`stages`](Self::stages).
    pub past_stages: PastStages,
    /// The budgets that [`Pipeline::budget`](crate::Pipeline::budget) made and that
    /// somebody still has, in the order in which they were made.
    pub budgets: Vec<BudgetSnapshot>,
}

/// A [`Budget`] at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BudgetSnapshot {
    /// The most bytes.
    pub limit: u64,
    /// The bytes that all bounds which share it hold, or have asked for.
    pub used: u64,
}

impl BudgetSnapshot {
    pub(crate) fn of(budget: &Budget) -> Self {
        Self {
            limit: budget.limit() as u64,
            used: budget.used() as u64,
        }
    }
}

/// The sums of the stages that a pipeline has forgotten.
///
/// A pipeline keeps at least the 32 stages that ended last, and at most 64 of them if
/// the consumers of all others have settled what they were sent. It forgets the rest, so
/// that a pipeline whose stages come and go does not grow, and keeps these sums.
///
/// ```
/// use stage_runtime::operators::from_iter;
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let pipeline = Pipeline::new();
/// for _ in 0..100 {
///     let numbers = from_iter(0..3).stage().name("numbers").in_group(&pipeline).spawn();
///     numbers.stop("enough");
///     numbers.outcome().await;
/// }
/// let snapshot = pipeline.snapshot();
/// assert_eq!(snapshot.stages.len() as u64 + snapshot.past_stages.cancelled, 100);
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PastStages {
    /// How many of them completed.
    pub completed: u64,
    /// How many of them were cancelled.
    pub cancelled: u64,
    /// How many of them failed.
    pub failed: u64,
    /// The sums of their statistics; the name is empty. What a stage shows at rest
    /// (`buffered`, `unmet`, `queued`, `held`) is 0.
    pub stats: StageStats,
    /// The sums of the links to their producers.
    pub received: LinkTotals,
    /// The sums of the links to their consumers. A link between two of these stages is in
    /// `sent` and in `received`. A link to a stage that was not forgotten is also that
    /// stage's: it is in [`Snapshot::links`], or in the `past` or `past_sent` of that stage.
    pub sent: LinkTotals,
}

/// One stage at one moment.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct StageSnapshot {
    /// The id of the stage.
    pub id: StageId,
    /// The kind of the stage.
    pub kind: StageKind,
    /// What the stage is doing.
    pub activity: Activity,
    /// How long it has been doing that.
    pub since: Duration,
    /// The statistics of the stage so far.
    pub stats: StageStats,
    /// The type of its dispatcher, such as `Broadcast`; a consumer has `Nobody`.
    pub dispatcher: &'static str,
    /// Its gate is closed.
    pub gate_closed: bool,
    /// It takes nothing new in, and ends when everything it emitted has been
    /// delivered and handled, and its `may_complete` says so.
    pub completing: bool,
    /// The subscriber that its dispatcher waits for, if it waits for one.
    pub bottleneck: Option<BottleneckSnapshot>,
    /// What the stage says that it waits for; see
    /// [`Context::waits_for`](stage_core::Context::waits_for).
    pub waits_for: Option<WaitsForSnapshot>,
    /// The outcome, if the stage has ended.
    pub outcome: Option<String>,
    /// The sums of the links to its producers that ended long ago.
    pub past: LinkTotals,
    /// The sums of the links to its consumers that ended long ago. A link between two
    /// stages of the snapshot is in `past_sent` of one and in `past` of the other.
    pub past_sent: LinkTotals,
    /// Its failure does not stop its pipeline: it is
    /// [expendable](crate::builder::ProducerBuilder::expendable), or is never restarted.
    pub expendable: bool,
    /// The [name](crate::Group::named) of its group, if the group has one.
    pub group: Option<Arc<str>>,
}

/// The kind of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum StageKind {
    /// It emits events.
    Producer,
    /// It handles events and emits others.
    ProducerConsumer,
    /// It handles events.
    Consumer,
}

impl StageKind {
    /// Whether it handles events.
    pub(crate) const fn consumes(self) -> bool {
        matches!(self, Self::ProducerConsumer | Self::Consumer)
    }
}

/// What a stage is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Activity {
    /// It has not run yet.
    Starting,
    /// It is inside one of its handlers, named here as in its trait.
    Handler(&'static str),
    /// It waits for events, from its producers or from its source.
    WaitingForEvents,
    /// It has events, or could get some, and waits for its consumers to ask.
    WaitingForDemand,
    /// It has failed and waits to be restarted.
    Restarting,
    /// It has ended.
    Ended,
}

/// A [`Bottleneck`](stage_core::Bottleneck) of a dispatcher, as plain data.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BottleneckSnapshot {
    /// The [`id`](LinkSnapshot::id) of the link that the others wait for; `None` if the
    /// full part has no subscriber.
    pub link: Option<SubscriptionId>,
    /// The part of the dispatcher that is full, such as `partition 3`.
    pub part: Option<String>,
    /// Events that wait in that part.
    pub held: u64,
}

/// What a stage says that it waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct WaitsForSnapshot {
    /// What it waits for, such as `the rate limit`.
    pub what: Cow<'static, str>,
    /// The time until it expects to go on, if it said so.
    pub until: Option<Duration>,
}

/// One link at one moment.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LinkSnapshot {
    /// The id of the subscription.
    pub id: SubscriptionId,
    /// The end that sends.
    pub producer: Endpoint,
    /// The end that asks.
    pub consumer: Endpoint,
    /// The most events that the consumer asks for in automatic mode.
    pub max_demand: u64,
    /// The consumer asks by hand.
    pub manual: bool,
    /// One of the two ends has let go of the link.
    pub ended: bool,
    /// The bytes in flight, if the subscription sets
    /// [`max_bytes`](crate::Subscription::max_bytes): the weight of the events that have
    /// arrived, and the mean weight for each event that is on its way. `None` for the
    /// link of a stream.
    pub in_flight_bytes: Option<u64>,
    /// The ledger of the link.
    pub totals: LinkTotals,
}

/// The stage, or stream, at one end of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Endpoint {
    /// The id of the stage or stream.
    pub id: StageId,
    /// The name of the stage or stream.
    pub name: Arc<str>,
    /// It is a stream and not a stage.
    pub is_stream: bool,
}

/// The ledger of a link, in events.
///
/// Invariant: `delivered` equals the sum of `handled`, `handed_back`, `dead_lettered`,
/// `lost`, `discarded` and `in_flight`, at every moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LinkTotals {
    /// Asked for by the consumer.
    pub asked: u64,
    /// Put on the link by the producer.
    pub delivered: u64,
    /// Handled by the consumer.
    pub handled: u64,
    /// Handed back to the producer unhandled.
    pub handed_back: u64,
    /// Given to the consumer's dead-letter hook.
    pub dead_lettered: u64,
    /// Moved into a handler that then failed.
    pub lost: u64,
    /// Handed back when the producer had ended, and therefore dropped.
    pub discarded: u64,
    /// On the link, waiting at the consumer or in its handler.
    pub in_flight: u64,
    /// Dropped by the producer's dispatcher for this consumer, because the consumer's
    /// queue in the dispatcher was full. Not part of `delivered`.
    pub shed: u64,
}

impl Snapshot {
    /// Returns a number that changes whenever an event, an ask or a restart happens.
    pub(crate) fn progress(&self) -> u64 {
        let links = self.links.iter().map(|link| {
            let totals = &link.totals;
            totals
                .asked
                .wrapping_add(totals.delivered)
                .wrapping_add(totals.settled())
        });
        let stages = self.stages.iter().map(|stage| {
            let stats = &stage.stats;
            stats.events_in + stats.events_out + stats.restarts + stats.batches_in
        });
        let past = &self.past_stages;
        let past = [past.received, past.sent]
            .iter()
            .map(|totals| totals.asked.wrapping_add(totals.settled()))
            .fold(past.stats.events_out, u64::wrapping_add);
        links.chain(stages).fold(past, u64::wrapping_add)
    }

    /// Whether events are in flight on a link or buffered in a stage.
    pub(crate) fn has_work(&self) -> bool {
        self.links.iter().any(|link| link.totals.in_flight > 0)
            || self
                .stages
                .iter()
                .any(|stage| stage.activity != Activity::Ended && stage.stats.buffered > 0)
    }
}

impl LinkTotals {
    /// Returns how many events were asked for and not delivered yet.
    #[must_use]
    pub const fn outstanding(&self) -> u64 {
        self.asked.saturating_sub(self.delivered)
    }

    /// Returns how many delivered events are no longer in flight.
    pub(crate) const fn settled(&self) -> u64 {
        self.handled + self.handed_back + self.dead_lettered + self.lost + self.discarded
    }

    /// Whether every delivered event is accounted for.
    #[must_use]
    pub const fn balance(&self) -> bool {
        self.delivered == self.settled() + self.in_flight
    }

    /// Adds the numbers of another ledger.
    pub(crate) const fn add(&mut self, other: &Self) {
        // Only demand can be near the limit: a consumer may ask for `usize::MAX`.
        self.asked = self.asked.saturating_add(other.asked);
        self.delivered += other.delivered;
        self.handled += other.handled;
        self.handed_back += other.handed_back;
        self.dead_lettered += other.dead_lettered;
        self.lost += other.lost;
        self.discarded += other.discarded;
        self.in_flight += other.in_flight;
        self.shed += other.shed;
    }
}
