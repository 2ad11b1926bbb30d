//! Reference: elixir-broadway/broadway_rabbitmq issue 10, "If a producer restarts during
//! shutdown, it might receive messages even though there's no more consumers subscribed";
//! elixir-broadway/broadway_kafka issue 43
//!
//! A source that keeps leases fails while its pipeline drains. Its new state is started, is
//! told of the drain, and fetches nothing; the drain ends, and no message is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use super::broker::{Broker, Delivery, Leases, Works};
use super::support::*;
use stage_runtime::prelude::*;
use tokio::time::sleep;

const MS: Duration = Duration::from_millis(1);

/// The same, but its connection breaks when it is told to.
struct Breaks(Leases, Arc<AtomicBool>);

impl Producer for Breaks {
    type Event = Delivery;

    async fn handle_start(&mut self, out: &mut Emitter<'_, Delivery>) -> StageResult {
        self.0.handle_start(out).await
    }

    async fn handle_demand(
        &mut self,
        demand: usize,
        out: &mut Emitter<'_, Delivery>,
    ) -> StageResult {
        self.0.handle_demand(demand, out).await
    }

    async fn handle_wake(&mut self, out: &mut Emitter<'_, Delivery>) -> StageResult {
        if self.1.swap(false, SeqCst) {
            return Err("connection lost".into());
        }
        self.0.handle_wake(out).await
    }

    async fn handle_returned(
        &mut self,
        returned: &mut Batch<Delivery>,
        out: &mut Emitter<'_, Delivery>,
    ) -> StageResult {
        self.0.handle_returned(returned, out).await
    }

    async fn handle_drain(&mut self, out: &mut Emitter<'_, Delivery>) -> StageResult {
        self.0.handle_drain(out).await
    }

    fn may_complete(&self) -> bool {
        self.0.may_complete()
    }

    fn held(&self) -> usize {
        self.0.held()
    }

    async fn terminate(&mut self, outcome: &Outcome) {
        self.0.terminate(outcome).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_restarts_while_it_drains_fetches_nothing() {
    for backoff in [Duration::ZERO, 200 * MS] {
        let broker = Broker::new(0..40, Duration::from_secs(1000));
        let (log, breaks) = (seen(), Arc::new(AtomicBool::new(false)));
        let make = {
            let (broker, log, breaks) = (broker.clone(), log.clone(), Arc::clone(&breaks));
            move || {
                let mut leases = Leases::new(&broker);
                leases.log = log.clone();
                Breaks(leases, Arc::clone(&breaks))
            }
        };
        let pipeline = Pipeline::new();
        let restart = Restart::on_failure().backoff(backoff, backoff);
        let source = supervised(make).restart(restart).stage();
        let source = source.in_group(&pipeline).spawn();
        let (hand, mut handed) = tokio::sync::mpsc::unbounded_channel();
        Works(hand)
            .stage()
            .subscribe_to(source.subscription().max_demand(10))
            .in_group(&pipeline)
            .spawn();
        sleep(50 * MS).await;
        let leased = broker.leased();
        assert!(leased > 0);
        let draining = tokio::spawn({
            let pipeline = pipeline.clone();
            async move { pipeline.drain(5_000 * MS).await }
        });
        sleep(50 * MS).await;
        // The first acknowledgement finds no connection.
        breaks.store(true, SeqCst);
        handed.recv().await.unwrap().ack();
        sleep(500 * MS).await;
        // It gave its leases up; late acknowledgements are refused and harm nobody.
        within(1_000, draining).await.unwrap().unwrap().unwrap();
        while let Some(delivery) = handed.recv().await {
            delivery.ack();
        }
        let log = log.lock().unwrap().clone();
        let drain = log.iter().position(|call| *call == "drain").unwrap();
        let expected = ["drain", "terminate", "start", "drain", "terminate"];
        assert_eq!(log[drain..], expected, "{log:?}");
        assert_eq!((broker.leased(), source.stats().restarts), (0, 1));
        assert_eq!(broker.all(), (0..40).collect::<Vec<_>>());
        stage_test::assert_settled(&pipeline);
    }
}
