//! `rate-limiter`: a consumer with manual demand that asks on a timer.
//!
//! By default a consumer asks again as soon as it has handled events. A
//! consumer that returns `DemandMode::Manual` when a subscription begins
//! decides itself: this one asks for a few events, and for the same number
//! again only after an interval. The producer needs no timer, and produces
//! nothing that the limiter does not ask for.
//!
//! The interval is an *info*: a message that the stage sends itself after a
//! delay, and that it handles between batches.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use stages::operators::from_iter;
use stages::prelude::*;

/// Handles at most `max_demand` events of each producer per interval.
struct RateLimiter {
    interval: Duration,
    /// The number of events of each producer handled in this interval, to be
    /// asked for in the next.
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
        // The limit: this handler does not ask for more.
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
        // A subscription that has ended is no longer in the map, and its timer
        // stops here.
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
