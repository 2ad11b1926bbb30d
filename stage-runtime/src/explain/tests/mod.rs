//! Tests of `explain` with snapshots that are built by hand.

mod causes;
mod demand;
mod missed;
mod ranking;
mod rest;
mod rings;
mod robust;
mod size;

use std::time::Duration;

use super::*;
use crate::snapshot::{
    Activity, BottleneckSnapshot, Endpoint, LinkSnapshot, LinkTotals, Snapshot, StageKind,
    StageSnapshot,
};
use crate::stage_id::StageId;
use crate::stats::Counters;
use stage_core::SubscriptionId;

/// How long everything has stood still, unless a test says otherwise.
const LONG: Duration = Duration::from_millis(12_100);
const SHORT: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(1);

fn endpoint(id: StageId, name: &str) -> Endpoint {
    Endpoint {
        id,
        name: name.into(),
        is_stream: name.starts_with("stream of "),
    }
}

/// A stage. Its id is made of its name.
fn stage(name: &str, activity: Activity) -> StageSnapshot {
    StageSnapshot {
        id: id_of(name),
        kind: StageKind::Producer,
        dispatcher: "Demand",
        activity,
        since: LONG,
        stats: Counters::default().snapshot(&name.into()),
        gate_closed: false,
        completing: false,
        bottleneck: None,
        waits_for: None,
        outcome: None,
        past: LinkTotals::default(),
        past_sent: LinkTotals::default(),
        expendable: false,
        group: None,
    }
}

fn inside(name: &str, handler: &'static str) -> StageSnapshot {
    stage(name, Activity::Handler(handler))
}

/// A stage with events that no consumer asks for.
fn full(name: &str) -> StageSnapshot {
    stage(name, Activity::WaitingForDemand)
}

/// A stage that waits for events.
fn idle(name: &str) -> StageSnapshot {
    stage(name, Activity::WaitingForEvents)
}

fn number_of(name: &str) -> u64 {
    name.bytes()
        .fold(7, |id: u64, byte| id.wrapping_mul(257) + u64::from(byte))
}

fn id_of(name: &str) -> StageId {
    StageId::new(number_of(name))
}

impl StageSnapshot {
    fn for_(mut self, since: Duration) -> Self {
        self.since = since;
        self
    }

    fn unmet(mut self, unmet: u64) -> Self {
        self.stats.unmet = unmet;
        self
    }

    fn buffered(mut self, buffered: u64) -> Self {
        self.stats.buffered = buffered;
        self
    }

    fn closed(mut self) -> Self {
        self.gate_closed = true;
        self
    }

    fn bottleneck(mut self, link: Option<SubscriptionId>, part: Option<&str>, held: u64) -> Self {
        self.bottleneck = Some(BottleneckSnapshot {
            link,
            part: part.map(str::to_owned),
            held,
        });
        self
    }
}

/// An automatic link; all that was asked over it was delivered and handled.
fn link(producer: &str, consumer: &str) -> LinkSnapshot {
    LinkSnapshot {
        id: SubscriptionId::new(number_of(&format!("{producer}>{consumer}"))),
        producer: endpoint(id_of(producer), producer),
        consumer: endpoint(id_of(consumer), consumer),
        max_demand: 1000,
        manual: false,
        ended: false,
        in_flight_bytes: None,
        totals: LinkTotals::default(),
    }
}

impl LinkSnapshot {
    /// Its consumer has asked for this much more.
    fn asked(mut self, events: u64) -> Self {
        self.totals.asked += events;
        self
    }

    /// This much more was asked for and handled.
    fn handled(mut self, events: u64) -> Self {
        self.totals.asked += events;
        self.totals.delivered += events;
        self.totals.handled += events;
        self
    }

    /// This much more was asked for and delivered, and is not handled.
    fn busy(mut self, events: u64) -> Self {
        self.totals.asked += events;
        self.totals.delivered += events;
        self.totals.in_flight += events;
        self
    }

    fn manual(mut self) -> Self {
        self.manual = true;
        self
    }

    fn ended(mut self) -> Self {
        self.ended = true;
        self
    }
}

fn snapshot(
    stages: impl IntoIterator<Item = StageSnapshot>,
    links: impl IntoIterator<Item = LinkSnapshot>,
) -> Snapshot {
    Snapshot {
        stages: stages.into_iter().collect(),
        links: links.into_iter().collect(),
        ..Snapshot::default()
    }
}

fn explain(
    stages: impl IntoIterator<Item = StageSnapshot>,
    links: impl IntoIterator<Item = LinkSnapshot>,
) -> Explanation {
    snapshot(stages, links).explain(PATIENCE)
}
