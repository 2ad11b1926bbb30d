//! `rate-limiter`: a consumer that asks by the clock.
//!
//! A consumer normally asks again as soon as it has handled something. One
//! that says `DemandMode::Manual` when a subscription begins decides for
//! itself: this one asks for a few events, and for as many more only when an
//! interval has passed. The producer needs no idea of time, and what the
//! limiter does not ask for is not produced.
//!
//! The interval is an *info*: a message that the stage sends itself, after a
//! delay, and that takes its place among the batches.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use stages::operators::from_iter;
use stages::prelude::*;

/// Handles at most `max_demand` events of each producer in an interval.
struct RateLimiter {
    interval: Duration,
    /// The events of each producer that were handled in this interval, to be
    /// asked for again in the next.
    handled: HashMap<SubscriptionId, usize>,
    start: Instant,
    total: usize,
}

/// The interval of a subscription has passed.
struct Tick(SubscriptionId);

impl RateLimiter {
    fn new(interval: Duration) -> Self {
        Self {
            interval,
            handled: HashMap::new(),
            start: Instant::now(),
            total: 0,
        }
    }
}

impl Consumer for RateLimiter {
    type Event = u32;

    async fn handle_subscribe(
        &mut self,
        producer: &Peer,
        cx: &mut Context<'_>,
    ) -> StageResult<DemandMode> {
        self.handled.insert(producer.subscription, 0);
        cx.ask(producer.subscription, producer.demand.max());
        cx.info_after(self.interval, Tick(producer.subscription));
        Ok(DemandMode::Manual)
    }

    async fn handle_events(
        &mut self,
        events: &mut Batch<u32>,
        cx: &mut Context<'_>,
    ) -> StageResult {
        let elapsed = self.start.elapsed().as_millis();
        println!("{elapsed:4} ms: {:?}", &events[..]);
        self.total += events.len();
        // Nothing is asked for here: that is the limit.
        if let Some(handled) = cx
            .subscription()
            .and_then(|from| self.handled.get_mut(&from))
        {
            *handled += events.len();
        }
        Ok(())
    }

    async fn handle_info(&mut self, info: Info, cx: &mut Context<'_>) -> StageResult {
        let Some(Tick(from)) = info.downcast_ref::<Tick>() else {
            return Ok(());
        };
        // A subscription that has ended is no longer in the map, and its
        // clock stops here.
        if let Some(handled) = self.handled.get_mut(from) {
            cx.ask(*from, std::mem::take(handled));
            cx.info_after(self.interval, Tick(*from));
        }
        Ok(())
    }

    async fn handle_cancel(
        &mut self,
        producer: &Peer,
        _outcome: &Outcome,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        self.handled.remove(&producer.subscription);
        Ok(())
    }
}

pub(crate) async fn run() -> Result<(), BoxError> {
    let numbers = from_iter(1..=30).stage().name("numbers").spawn();
    let limiter = RateLimiter::new(Duration::from_millis(200))
        .stage()
        .subscribe_to(numbers.subscription().max_demand(5).min_demand(0))
        .spawn();

    let limiter = limiter.join_stage().await?;
    let elapsed = limiter.start.elapsed().as_millis();
    println!(
        "{} events in {elapsed} ms, five every 200 ms",
        limiter.total
    );
    Ok(())
}
