//! Reference: Bogdanp/dramatiq_sqs pull requests 53 and 59, prefetched messages whose lease
//! runs out while they wait for a worker; bbc/sqs-consumer issue 218; elixir-broadway/
//! broadway_cloud_pub_sub issue 64
//!
//! A source has leased messages that wait behind a slow one. It renews their leases as long as
//! they are on their way, and gives them up at once when their consumer is gone.

use std::time::Duration;

use super::broker::{Broker, Delivery, Leases};
use stage_runtime::prelude::*;
use tokio::time::sleep;

const SECOND: Duration = Duration::from_secs(1);

/// Takes 20 s for each message, and fails at one.
struct Slow20(u64);

impl Consumer for Slow20 {
    type Event = Delivery;

    async fn handle_events(
        &mut self,
        deliveries: &mut Batch<Delivery>,
        _: &mut Context<'_>,
    ) -> StageResult {
        for delivery in deliveries {
            sleep(20 * SECOND).await;
            if delivery.number == self.0 {
                return Err("went wrong".into());
            }
            delivery.ack();
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn leases_of_messages_that_wait_for_their_consumer_are_renewed() {
    for renews in [true, false] {
        // Five are fetched at once: the last of them waits for 80 s.
        let broker = Broker::new(0..10, 30 * SECOND);
        let mut source = Leases::new(&broker);
        if renews {
            source = source.renewing_every(10 * SECOND);
        }
        let pipeline = Pipeline::new();
        let source = source.stage().in_group(&pipeline).spawn();
        let five = source.subscription().max_demand(5).min_demand(0);
        let _sink = Slow20(u64::MAX)
            .stage()
            .subscribe_to(five)
            .in_group(&pipeline)
            .spawn();
        sleep(205 * SECOND).await;
        if renews {
            assert_eq!(broker.expired(), Vec::<u64>::new());
            assert_eq!(broker.acked(), (0..10).collect::<Vec<_>>());
            pipeline.drain(SECOND).await.unwrap();
        } else {
            // The test can fail: this is what happens without.
            assert!(!broker.expired().is_empty());
        }
    }
}

/// The others get them at once, and not when their leases have run out.
#[tokio::test(start_paused = true)]
async fn leases_of_messages_whose_consumer_fails_are_given_up_at_once() {
    let broker = Broker::new(0..10, 1_000 * SECOND);
    let source = Leases::new(&broker).renewing_every(300 * SECOND);
    let log = source.log.clone();
    let source = source.stage().spawn();
    let five = || source.subscription().max_demand(5).min_demand(0);
    let bad = Slow20(1).stage().subscribe_to(five()).spawn();
    sleep(SECOND).await;
    assert_eq!(broker.leased(), 5);
    assert!(matches!(bad.outcome().await, Outcome::Failed(_)));
    sleep(SECOND).await;
    // 0 is done, 1 was lost in the handler, and the three behind it are ready again.
    assert_eq!(broker.acked(), [0]);
    assert_eq!(broker.released(), [2, 3, 4]);
    assert_eq!(broker.leased(), 1);
    assert_eq!((source.stats().taken_back, source.stats().buffered), (3, 0));
    // Another consumer takes up everything but the one that is still leased.
    let good = Slow20(u64::MAX).stage().subscribe_to(five()).spawn();
    sleep(200 * SECOND).await;
    let mut acked = broker.acked();
    acked.sort_unstable();
    assert_eq!(acked, [0, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(log.lock().unwrap()[0], "start");
    good.stop("enough");
    source.stop("enough");
    source.outcome().await;
    // Ended, it gives up the last one.
    assert_eq!(broker.released(), [2, 3, 4, 1]);
}
