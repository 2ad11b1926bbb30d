//! `load-shedding`: a source that cannot be slowed down, with a slower sink.
//!
//! Demand holds back a source that can wait. Push notifications cannot wait:
//! they arrive in bursts, whether or not there is demand. Discord's push
//! service puts a stage between them and the sink. Its *buffer* accepts events
//! up to a bound, and sheds and counts the events of a burst beyond it, so that
//! the service is late instead of running out of memory.
//!
//! The overflow policy selects the events to shed. `Overflow::DropOldest` keeps
//! the newest notifications, because an old one is worth less;
//! `Overflow::DropNewest` would keep the oldest.
//!
//! What to look for: the number of events sent equals the number delivered plus
//! the number shed, and the last notification arrives.

use std::ops::Range;
use std::time::Duration;

use stages::prelude::*;
use tokio::time::sleep;

/// A notification, by its number.
type Push = u64;

/// Accepts bursts of notifications into its buffer.
struct Collector;

/// Notifications that arrive together.
struct Burst(Range<Push>);

/// The source has closed.
struct Close;

impl Producer for Collector {
    type Event = Push;

    async fn handle_demand(&mut self, _: usize, _: &mut Emitter<'_, Push>) -> StageResult {
        Ok(())
    }
}

impl Handler<Burst, Push> for Collector {
    type Reply = ();

    /// Emits all of the burst. Events without demand go to the buffer, which
    /// decides which ones to keep.
    async fn handle(&mut self, Burst(pushes): Burst, out: &mut Emitter<'_, Push>) -> StageResult {
        out.extend(pushes);
        Ok(())
    }
}

impl Handler<Close, Push> for Collector {
    type Reply = ();

    async fn handle(&mut self, _: Close, out: &mut Emitter<'_, Push>) -> StageResult {
        out.complete();
        Ok(())
    }
}

/// Delivers notifications, more slowly than they arrive.
#[derive(Default)]
struct Sink {
    delivered: u64,
    last: Option<Push>,
}

impl Consumer for Sink {
    type Event = Push;

    async fn handle_events(
        &mut self,
        pushes: &mut Batch<Push>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        sleep(Duration::from_millis(5)).await;
        self.delivered += pushes.len() as u64;
        self.last = pushes.last().copied().or(self.last);
        Ok(())
    }
}

pub(crate) async fn run() -> Result<(), BoxError> {
    let collector = Collector
        .stage()
        .name("collector")
        .buffer_size(200)
        .on_overflow(Overflow::DropOldest)
        .spawn();
    let sink = Sink::default()
        .stage()
        .name("sink")
        .subscribe_to(collector.subscription().max_demand(20))
        .spawn();

    let mut sent = 0;
    for size in [50, 1000, 100, 3000, 10] {
        // The call returns once the collector has accepted the whole burst, so
        // that the counts below are complete. It does not wait for the sink.
        collector.call(Burst(sent..sent + size)).await?;
        sent += size;
        let shed = collector.stats().discarded;
        println!("a burst of {size:4}: {sent} sent so far, {shed} of them shed");
        sleep(Duration::from_millis(60)).await;
    }
    collector.call(Close).await?;

    let sink = sink.join_stage().await?;
    let shed = collector.stats().discarded;
    println!("sent {sent} = delivered {} + shed {shed}", sink.delivered);
    if let Some(last) = sink.last {
        println!("the last of {sent} to be delivered was number {}", last + 1);
    }
    Ok(())
}
