//! Reference: elixir-broadway/broadway pull request 134 and issue 300, "update_rate_limit
//! doesn't reset the counter/interval right away"; elastic/opentelemetry-collector-components
//! issue 619, clients that are all let through when the limit is reset
//!
//! A source may take so many messages in a second. Its consumers share the limit, nobody calls
//! the source starved, and a new limit counts at once.

use std::time::Duration;

use super::support::*;
use stage_runtime::explain::Cause;
use stage_runtime::prelude::*;
use tokio::time::{Instant, sleep};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Emits `limit` events in each second.
struct Limited {
    limit: usize,
    left: usize,
    until: Instant,
    next: u64,
}

impl Limited {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            left: limit,
            until: Instant::now() + SECOND,
            next: 0,
        }
    }
}

impl Producer for Limited {
    type Event = u64;

    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, u64>) -> StageResult {
        let now = Instant::now();
        if now >= self.until {
            (self.left, self.until) = (self.limit, now + SECOND);
        }
        let count = self.left.min(demand);
        self.left -= count;
        out.extend(self.next..self.next + count as u64);
        self.next += count as u64;
        if count < demand {
            let wait = self.until - now;
            // Woken then, it is asked for what is still wanted.
            out.wake_after(wait);
            out.waits_for("the rate limit", wait);
        }
        Ok(())
    }
}

/// A new limit.
struct Limit(usize);

impl Handler<Limit, u64> for Limited {
    type Reply = ();

    async fn handle(&mut self, limit: Limit, out: &mut Emitter<'_, u64>) -> StageResult {
        (self.limit, self.left) = (limit.0, limit.0);
        self.until = Instant::now() + SECOND;
        out.wake_after(Duration::ZERO);
        Ok(())
    }
}

/// The time of each event since the start.
struct Times(Seen<Duration>, Instant);

impl Consumer for Times {
    type Event = u64;

    async fn handle_events(&mut self, events: &mut Batch<u64>, _: &mut Context<'_>) -> StageResult {
        for _ in events {
            self.0.lock().unwrap().push(self.1.elapsed());
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_shared_named_and_raised_at_once() {
    let pipeline = Pipeline::new();
    let start = Instant::now();
    let source = Limited::new(10).stage().name("api");
    let source = source.in_group(&pipeline).spawn();
    let times = seen();
    // Together they want more than the limit, at all times.
    for _ in 0..3 {
        let consumer = Times(times.clone(), start).stage();
        let consumer = consumer.subscribe_to(source.subscription().max_demand(8));
        consumer.in_group(&pipeline).spawn();
    }
    sleep(4_700 * MS).await;
    {
        let times = times.lock().unwrap();
        let of_second = |n: u32| times.iter().filter(|time| **time == n * SECOND).count();
        assert_eq!([0, 1, 2, 3, 4].map(of_second), [10; 5]);
        assert_eq!(times.len(), 50);
    }
    let explanation = pipeline.explain(500 * MS);
    match explanation.cause() {
        Some(Cause::WaitsFor {
            stage, what, until, ..
        }) => {
            assert_eq!((&*stage.name, &**what), ("api", "the rate limit"));
            assert_eq!(*until, Some(300 * MS));
        }
        _ => panic!("{explanation}"),
    }
    // Raised in the middle of a second.
    source.call(Limit(100)).await.unwrap();
    sleep(900 * MS).await;
    let times = times.lock().unwrap();
    let at_once = times.iter().filter(|time| **time == 4_700 * MS).count();
    assert_eq!((at_once, times.len()), (100, 150));
}

/// The limit is lowered to nothing and raised again: the demand that waited is not lost.
#[tokio::test(start_paused = true)]
async fn demand_that_waited_for_the_limit_is_served_when_it_is_raised() {
    let pipeline = Pipeline::new();
    let source = Limited::new(0).stage().in_group(&pipeline).spawn();
    let times = seen();
    let consumer = Times(times.clone(), Instant::now()).stage();
    let consumer = consumer.subscribe_to(source.subscription().max_demand(4).min_demand(3));
    let _consumer = consumer.in_group(&pipeline).spawn();
    sleep(10_500 * MS).await;
    assert!(times.lock().unwrap().is_empty());
    source.call(Limit(6)).await.unwrap();
    sleep(MS).await;
    assert_eq!(*times.lock().unwrap(), [10_500 * MS; 6]);
    sleep(SECOND).await;
    assert_eq!(times.lock().unwrap()[6..], [11_500 * MS; 6]);
}
