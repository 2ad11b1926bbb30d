//! Reference: elixir-broadway/broadway_cloud_pub_sub issue 85, "Losing messages during
//! shutdown"; Logflare/logflare pull request 3849; akash-akya/off_broadway_redis_stream pull
//! request 58
//!
//! A source waits in a long poll of its server when the pipeline drains. It hears of the drain
//! at once. What the poll brings nevertheless is given back, and is not lost.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use super::broker::Broker;
use super::support::*;
use stage_runtime::prelude::*;
use tokio::time::{Instant, sleep};

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(1000);

/// Polls the broker; each poll takes as long.
struct LongPoll {
    broker: Broker,
    takes: Duration,
    poll: Option<Pin<Box<dyn Future<Output = Vec<u64>> + Send>>>,
    draining: bool,
}

impl LongPoll {
    fn new(broker: &Broker, takes: Duration) -> Self {
        Self {
            broker: broker.clone(),
            takes,
            poll: None,
            draining: false,
        }
    }

    /// Takes what the poll has brought.
    fn look(&mut self, out: &mut Emitter<'_, u64>) {
        let Some(poll) = &mut self.poll else { return };
        let mut cx = TaskContext::from_waker(out.waker());
        if let Poll::Ready(numbers) = poll.as_mut().poll(&mut cx) {
            self.poll = None;
            if self.draining {
                numbers.into_iter().for_each(|n| self.broker.release(n));
            } else {
                out.extend(numbers);
            }
        }
    }
}

impl Producer for LongPoll {
    type Event = u64;

    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, u64>) -> StageResult {
        assert!(!self.draining, "asked for more while it drains");
        if self.poll.is_none() {
            let (broker, takes) = (self.broker.clone(), self.takes);
            self.poll = Some(Box::pin(async move {
                sleep(takes).await;
                broker.receive(demand)
            }));
        }
        self.look(out);
        Ok(())
    }

    async fn handle_wake(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
        self.look(out);
        Ok(())
    }

    async fn handle_drain(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
        self.draining = true;
        out.complete();
        Ok(())
    }

    fn may_complete(&self) -> bool {
        self.poll.is_none()
    }

    fn held(&self) -> usize {
        usize::from(self.poll.is_some())
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_poll_brings_after_the_drain_began_is_given_back() {
    // Also with nobody left to take it: the consumer ends before the drain begins.
    for alone in [false, true] {
        let broker = Broker::new(0..10, LONG);
        let pipeline = Pipeline::new();
        let source = LongPoll::new(&broker, 1_000 * MS);
        let source = source.stage().in_group(&pipeline).spawn();
        let seen = seen();
        let three = source.subscription().max_demand(3);
        let sink = slow(&seen, 0)
            .stage()
            .subscribe_to(three)
            .in_group(&pipeline)
            .spawn();
        sleep(500 * MS).await;
        if alone {
            sink.stop("enough");
            sink.outcome().await;
        }
        let start = Instant::now();
        pipeline.drain(5_000 * MS).await.unwrap();
        assert_eq!(start.elapsed(), 500 * MS, "as long as the poll");
        assert_eq!(broker.released(), [0, 1, 2]);
        assert_eq!(*seen.lock().unwrap(), [0_u64; 0]);
        assert_eq!(broker.all(), (0..10).collect::<Vec<_>>());
        assert_eq!(source.stats().discarded, 0);
        stage_test::assert_settled(&pipeline);
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_never_returns_is_named_at_the_deadline() {
    let broker = Broker::new(0..10, LONG);
    let pipeline = Pipeline::new();
    let source = LongPoll::new(&broker, LONG).stage().name("polls");
    let source = source.in_group(&pipeline).spawn();
    let sink = all().stage().subscribe_to(&source);
    let sink = sink.in_group(&pipeline).spawn();
    sleep(500 * MS).await;
    let start = Instant::now();
    let error = pipeline.drain(2_000 * MS).await.unwrap_err();
    assert_eq!(start.elapsed(), 2_000 * MS);
    assert_eq!((&*error.left[0].stage, error.left[0].held), ("polls", 1));
    assert!(matches!(source.outcome().await, Outcome::Cancelled(_)));
    assert_eq!(sink.stats().events_in, 0);
    assert_eq!(broker.leased(), 0);
}
