//! What a pipeline looks like at one moment, as a value.

use std::sync::Arc;
use std::time::Duration;

use stage_core::SubscriptionId;

pub use crate::pipeline::Leftover;
use crate::stage_id::StageId;
use crate::stats::StageStats;

/// What the stages of a pipeline and the links between them have done so far,
/// and what they are doing now.
///
/// Each stage and each link is consistent in itself; between two of them the
/// pipeline goes on.
#[derive(Debug, Clone, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// The stages, in the order in which they joined the pipeline.
    pub stages: Vec<StageSnapshot>,
    /// The links from, to and between them, in the order in which they were
    /// made. Of those that ended long ago only the sums are left, in
    /// [`StageSnapshot::past`] and [`StageSnapshot::past_sent`].
    pub links: Vec<LinkSnapshot>,
}

/// One stage at one moment.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct StageSnapshot {
    /// The stage.
    pub id: StageId,
    /// What kind of stage it is.
    pub kind: StageKind,
    /// What it is doing.
    pub activity: Activity,
    /// For how long it has been doing that.
    pub since: Duration,
    /// What it has done so far.
    pub stats: StageStats,
    /// The type of its dispatcher, such as `Broadcast`; a consumer has `Nobody`.
    pub dispatcher: &'static str,
    /// Its gate is closed.
    pub gate_closed: bool,
    /// It takes nothing new in, and ends when everything it emitted has been
    /// delivered and handled.
    pub completing: bool,
    /// What holds its dispatcher up, if something does.
    pub bottleneck: Option<BottleneckSnapshot>,
    /// How it ended, if it has.
    pub outcome: Option<String>,
    /// The sums of links it had as a consumer that ended long ago.
    pub past: LinkTotals,
    /// The sums of links it had as a producer that ended long ago. A link between two
    /// stages of the snapshot is in the one's sums and in the other's.
    pub past_sent: LinkTotals,
}

/// What kind of stage a stage is.
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
    /// It has nothing to do: it waits for events, or for its source.
    WaitingForEvents,
    /// It has something and nobody asks for it.
    WaitingForDemand,
    /// It has failed and waits to be restarted.
    Restarting,
    /// It has ended.
    Ended,
}

/// A [`Bottleneck`](stage_core::Bottleneck), for a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BottleneckSnapshot {
    /// The [`id`](LinkSnapshot::id) of the link that the others wait for;
    /// `None` if nobody has subscribed to what is full.
    pub link: Option<SubscriptionId>,
    /// What is full, such as `partition 3`.
    pub part: Option<String>,
    /// Events that wait there.
    pub held: u64,
}

/// One link at one moment.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LinkSnapshot {
    /// The subscription.
    pub id: SubscriptionId,
    /// The end that sends.
    pub producer: Endpoint,
    /// The end that asks.
    pub consumer: Endpoint,
    /// The most its consumer asks for in automatic mode, in events.
    pub max_demand: u64,
    /// The consumer asks by hand.
    pub manual: bool,
    /// One of its ends has let go of it.
    pub ended: bool,
    /// What went over it.
    pub totals: LinkTotals,
}

/// The stage, or stream, at one end of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Endpoint {
    /// The stage or stream.
    pub id: StageId,
    /// Its name.
    pub name: Arc<str>,
    /// It is a stream, and not a stage.
    pub is_stream: bool,
}

/// What went over a link, in events. What was delivered is, at every moment,
/// exactly one of what comes after it here.
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
    /// Given back to the producer unhandled.
    pub handed_back: u64,
    /// Given to the consumer's dead-letter hook.
    pub dead_lettered: u64,
    /// Moved into a handler that then failed.
    pub lost: u64,
    /// Given back when the producer had ended, so that nobody could have them.
    pub discarded: u64,
    /// On the link, waiting at the consumer or in its handler.
    pub in_flight: u64,
}

impl Snapshot {
    /// A number that changes whenever something moves.
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
        links.chain(stages).fold(0, u64::wrapping_add)
    }

    /// Whether events wait somewhere.
    pub(crate) fn has_work(&self) -> bool {
        self.links.iter().any(|link| link.totals.in_flight > 0)
            || self
                .stages
                .iter()
                .any(|stage| stage.activity != Activity::Ended && stage.stats.buffered > 0)
    }
}

impl LinkTotals {
    /// Asked for and not delivered yet, in events.
    #[must_use]
    pub const fn outstanding(&self) -> u64 {
        self.asked.saturating_sub(self.delivered)
    }

    /// Everything delivered that is no longer in flight.
    pub(crate) const fn settled(&self) -> u64 {
        self.handled + self.handed_back + self.dead_lettered + self.lost + self.discarded
    }

    /// Whether what was delivered is accounted for.
    #[must_use]
    pub const fn balance(&self) -> bool {
        self.delivered == self.settled() + self.in_flight
    }

    pub(crate) const fn add(&mut self, other: &Self) {
        // Demand may be as good as endless; events are not.
        self.asked = self.asked.saturating_add(other.asked);
        self.delivered += other.delivered;
        self.handled += other.handled;
        self.handed_back += other.handed_back;
        self.dead_lettered += other.dead_lettered;
        self.lost += other.lost;
        self.discarded += other.discarded;
        self.in_flight += other.in_flight;
    }
}
