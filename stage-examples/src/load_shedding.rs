//! `load-shedding`: a source that cannot be slowed down, and a sink that is
//! slower.
//!
//! Demand holds back a source that can wait. Push notifications cannot: they
//! arrive in bursts, whether or not anybody asks. Discord's push service puts
//! a stage in their way. Its *buffer* takes what comes, up to a bound; a burst
//! beyond that is shed, on purpose and counted, so that the service answers
//! late instead of running out of memory.
//!
//! Which ones to shed is a choice. `Overflow::DropOldest` keeps the newest, because an
//! old notification is worth less; `Overflow::DropNewest` would keep the oldest.
//!
//! What to look for: what was sent is exactly what was delivered plus what was
//! shed, and the very last notification arrives.

use std::ops::Range;
use std::time::Duration;

use stages::prelude::*;
use tokio::time::sleep;

/// A notification, by its number.
type Push = u64;

/// Takes bursts of notifications. Only its buffer makes it more than a pipe.
struct Collector;

/// Notifications that arrive together.
struct Burst(Range<Push>);

/// The outside world has gone.
struct Close;

impl Producer for Collector {
    type Event = Push;

    async fn handle_demand(&mut self, _: usize, _: &mut Emitter<'_, Push>) -> StageResult {
        Ok(())
    }
}

impl Handler<Burst, Push> for Collector {
    type Reply = ();

    /// Emits all of the burst. What is not asked for goes to the buffer, and
    /// the buffer alone decides what to keep.
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
        // The call waits until the burst has been taken, so that none of it is
        // under way when we look; the sink is not waited for.
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
