//! Reference: reactor/reactor-core issues 1557 and 2236, "Could not emit buffer due to lack
//! of requests"; actor-framework pull request 2474, terminal events of `buffer`
//!
//! A stage gathers events and cannot emit what it has gathered: nobody asks, nobody is
//! there, or it is stopped. What it holds is emitted later, or counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use stage_runtime::ConsumerHandle;
use stage_runtime::operators::{chunks_timeout, from_channel, map};
use stage_runtime::prelude::*;

use super::support::*;

const LONG: Duration = Duration::from_secs(1000);

/// The time of a chunk is up while its consumer is slow: it comes when there is demand.
#[test]
fn a_chunk_that_nobody_asks_for_yet_comes_later() {
    both(20, || async {
        let pipeline = Pipeline::new();
        let (sender, receiver) = tokio::sync::mpsc::channel(100);
        let numbers = from_channel(receiver).stage().in_group(&pipeline).spawn();
        let chunks = chunks_timeout(10, Duration::from_millis(5))
            .stage()
            .subscribe_to(&numbers)
            .in_group(&pipeline)
            .spawn();
        let seen = seen();
        let sink = slow(&seen, 20);
        let sink = sink
            .stage()
            .subscribe_to(chunks.subscription().max_demand(1))
            .in_group(&pipeline)
            .spawn();
        for n in 0..35_u64 {
            sender.send(n).await.unwrap();
            if n % 5 == 4 {
                ms(7).await;
            }
        }
        drop(sender);
        within(5000, pipeline.join()).await.unwrap().unwrap();
        let events = seen.lock().unwrap().concat();
        assert!(events.into_iter().eq(0..35));
        assert_eq!(chunks.stats().discarded, 0);
        drop(sink);
        stage_test::assert_settled(&pipeline);
    });
}

/// Four events lie in an open chunk when its stage ends.
async fn open_chunk(pipeline: &Pipeline) -> ConsumerHandle<All<Vec<u64>>> {
    let (sender, receiver) = tokio::sync::mpsc::channel(8);
    let numbers = from_channel(receiver)
        .stage()
        .name("numbers")
        .in_group(pipeline)
        .spawn();
    let chunks = chunks_timeout(10, LONG)
        .stage()
        .name("chunks")
        .subscribe_to(&numbers)
        .in_group(pipeline)
        .spawn();
    let sink = all()
        .stage()
        .subscribe_to(&chunks)
        .in_group(pipeline)
        .spawn();
    for n in 0..4_u64 {
        sender.send(n).await.unwrap();
    }
    let held = || pipeline.snapshot().stages[1].stats.held;
    until("the chunk is open", || held() == 4).await;
    // The channel stays open.
    tokio::spawn(async move {
        let _sender = sender;
        std::future::pending::<()>().await;
    });
    sink
}

#[test]
fn what_is_gathered_when_a_stage_is_stopped_is_lost_and_counted() {
    both(20, || async {
        let pipeline = Pipeline::new();
        open_chunk(&pipeline).await;
        pipeline.shutdown().await;
        let chunks = &pipeline.snapshot().stages[1].stats;
        assert_eq!((chunks.lost, chunks.held), (4, 0));
        stage_test::assert_settled(&pipeline);
    });
}

#[test]
fn what_is_gathered_is_emitted_by_a_drain() {
    both(20, || async {
        let pipeline = Pipeline::new();
        let sink = open_chunk(&pipeline).await;
        pipeline.drain(Duration::from_secs(5)).await.unwrap();
        assert_eq!(sink.join_stage().await.unwrap().0, [vec![0, 1, 2, 3]]);
        assert_eq!(pipeline.snapshot().stages[1].stats.lost, 0);
        stage_test::assert_settled(&pipeline);
    });
}

/// Adds up, and emits the sum at the end; fails then, the first time.
struct Sum {
    sum: u64,
    count: usize,
    completions: Arc<AtomicUsize>,
}

impl ProducerConsumer for Sum {
    type In = u64;
    type Out = u64;

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        _out: &mut Emitter<'_, u64>,
    ) -> StageResult {
        for n in events {
            self.sum += n;
            self.count += 1;
        }
        Ok(())
    }

    async fn handle_complete(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
        if self.completions.fetch_add(1, SeqCst) == 0 {
            return Err("stumbled".into());
        }
        out.push(self.sum);
        Ok(())
    }

    fn held(&self) -> usize {
        self.count
    }
}

/// The new state is asked for what it has, and what the old one had is counted.
#[test]
fn a_stage_that_fails_to_emit_what_it_gathered_is_asked_again() {
    both(20, || async {
        let pipeline = Pipeline::new();
        let completions = Arc::<AtomicUsize>::default();
        let its = Arc::clone(&completions);
        let numbers = count(10).stage().in_group(&pipeline).spawn();
        let sum = supervised(move || Sum {
            sum: 0,
            count: 0,
            completions: Arc::clone(&its),
        });
        let restart = Restart::on_failure().backoff(Duration::ZERO, Duration::ZERO);
        let sum = sum.restart(restart).stage().subscribe_to(&numbers);
        let sum = sum.in_group(&pipeline).spawn();
        let sums = all().stage().subscribe_to(&sum).in_group(&pipeline).spawn();
        within(5000, pipeline.join()).await.unwrap().unwrap();
        assert_eq!(sums.join_stage().await.unwrap().0, [0]);
        assert_eq!(completions.load(SeqCst), 2);
        assert_eq!((sum.stats().lost, sum.stats().restarts), (10, 1));
    });
}

/// Nobody reads the relay: it handles nothing, and a drain is not held up by that.
#[test]
fn a_relay_that_nobody_reads_does_not_hold_a_drain_up() {
    both(20, || async {
        let pipeline = Pipeline::new();
        let numbers = count(100)
            .stage()
            .name("numbers")
            .in_group(&pipeline)
            .spawn();
        let relay = map(|n: u64| n).stage().subscribe_to(&numbers);
        let relay = relay.in_group(&pipeline).spawn();
        until("events have arrived", || relay.stats().queued == 100).await;
        pipeline.drain(Duration::from_secs(5)).await.unwrap();
        assert!(matches!(relay.outcome().await, Outcome::Cancelled(_)));
        assert_eq!(numbers.stats().handed_back, 100);
        assert_eq!(numbers.stats().discarded, 100);
        stage_test::assert_settled(&pipeline);
    });
}
