//! Recording snapshots through the `metrics` facade.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge};
use tokio::time::{MissedTickBehavior, interval};

use crate::pipeline::Pipeline;
use crate::snapshot::{LinkTotals, Snapshot, StageSnapshot};
use crate::stats::StageStats;

impl Snapshot {
    /// Records the snapshot through the [`metrics`] facade: counters as absolute values,
    /// levels as gauges.
    ///
    /// | name | labels | unit |
    /// |---|---|---|
    /// | `stages_events_in_total`, `stages_events_out_total` | `stage` | events |
    /// | `stages_discarded_total`, `stages_rejected_total`, `stages_dead_lettered_total`, `stages_lost_total`, `stages_retried_total` | `stage` | events |
    /// | `stages_restarts_total` | `stage` | restarts |
    /// | `stages_buffered`, `stages_queued`, `stages_held`, `stages_unmet_demand` | `stage` | events |
    /// | `stages_buffered_bytes` | `stage`, of those whose buffer is bounded in bytes | bytes |
    /// | `stages_handler_seconds` | `stage` | seconds, so far |
    /// | `stages_link_asked_total`, `stages_link_delivered_total`, `stages_link_handled_total`, `stages_link_handed_back_total`, `stages_link_shed_total` | `producer`, `consumer` | events |
    /// | `stages_link_in_flight` | `producer`, `consumer` | events |
    /// | `stages_link_in_flight_bytes` | `producer`, `consumer`, of subscriptions with `max_bytes` | bytes |
    ///
    /// Links between the same two stages share their labels and are summed up. Links
    /// that ended so long ago that the snapshot only has their sums are not recorded, and
    /// neither are such stages. Stages that had the same name one after the other are
    /// summed up as long as the snapshot lists them; their gauges are those of the last.
    pub fn record_metrics(&self) {
        let mut stages = BTreeMap::<_, StageStats>::new();
        for StageSnapshot { stats, .. } in &self.stages {
            let sums = stages.entry(&*stats.name).or_default();
            sums.add(stats);
            // What a stage shows at rest is that of the one that joined last.
            sums.buffered = stats.buffered;
            sums.unmet = stats.unmet;
            sums.queued = stats.queued;
            sums.held = stats.held;
            sums.buffered_bytes = stats.buffered_bytes;
        }
        for (name, stats) in stages {
            record_stage(name, &stats);
        }
        let mut sums = BTreeMap::<_, (LinkTotals, Option<u64>)>::new();
        for link in &self.links {
            let names = (&*link.producer.name, &*link.consumer.name);
            let (totals, bytes) = sums.entry(names).or_default();
            totals.add(&link.totals);
            if let Some(more) = link.in_flight_bytes {
                *bytes = Some(bytes.unwrap_or_default().saturating_add(more));
            }
        }
        for ((producer, consumer), (totals, bytes)) in sums {
            record_links(producer, consumer, &totals, bytes);
        }
    }
}

/// Records one stage, or the sum of stages that had the same name one after the other.
fn record_stage(name: &str, stats: &StageStats) {
    let labels = [("stage", name.to_owned())];
    for (name, value) in [
        ("stages_events_in_total", stats.events_in),
        ("stages_events_out_total", stats.events_out),
        ("stages_discarded_total", stats.discarded),
        ("stages_rejected_total", stats.rejected),
        ("stages_dead_lettered_total", stats.dead_lettered),
        ("stages_lost_total", stats.lost),
        ("stages_retried_total", stats.retried),
        ("stages_restarts_total", stats.restarts),
    ] {
        counter!(name, &labels).absolute(value);
    }
    for (name, value) in [
        ("stages_buffered", stats.buffered),
        ("stages_queued", stats.queued),
        ("stages_held", stats.held),
        ("stages_unmet_demand", stats.unmet),
    ] {
        gauge!(name, &labels).set(level(value));
    }
    if let Some(bytes) = stats.buffered_bytes {
        gauge!("stages_buffered_bytes", &labels).set(level(bytes));
    }
    gauge!("stages_handler_seconds", &labels).set(stats.in_handlers.as_secs_f64());
}

/// Records the sum of the links between two stages.
fn record_links(producer: &str, consumer: &str, totals: &LinkTotals, bytes: Option<u64>) {
    let labels = [
        ("producer", producer.to_owned()),
        ("consumer", consumer.to_owned()),
    ];
    for (name, value) in [
        ("stages_link_asked_total", totals.asked),
        ("stages_link_delivered_total", totals.delivered),
        ("stages_link_handled_total", totals.handled),
        ("stages_link_handed_back_total", totals.handed_back),
        ("stages_link_shed_total", totals.shed),
    ] {
        counter!(name, &labels).absolute(value);
    }
    gauge!("stages_link_in_flight", &labels).set(level(totals.in_flight));
    if let Some(bytes) = bytes {
        gauge!("stages_link_in_flight_bytes", &labels).set(level(bytes));
    }
}

/// Converts a level into a gauge value.
#[allow(
    clippy::cast_precision_loss,
    reason = "a level of 2^53 events or bytes is none"
)]
const fn level(value: u64) -> f64 {
    value as f64
}

impl Pipeline {
    /// [Records](Snapshot::record_metrics) a snapshot once per period `every`.
    ///
    /// Spawns a task on the current runtime, which ends when all stages have ended or
    /// the last clone of the pipeline is dropped. Nothing is recorded per event or per
    /// batch, so the pipeline does not get slower.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, as `tokio::spawn` does, and if `every` is zero.
    pub fn publish_metrics(&self, every: Duration) {
        let stages = Arc::downgrade(&self.root.stages);
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::spawn(async move {
            loop {
                ticks.tick().await;
                let Some(stages) = stages.upgrade() else {
                    return;
                };
                let over = stages.have_ended();
                stages.snapshot().record_metrics();
                if over {
                    return;
                }
            }
        });
    }
}
