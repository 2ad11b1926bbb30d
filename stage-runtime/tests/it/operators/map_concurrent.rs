//! `map_concurrent`: at most so many at a time, in order or as completed.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use stage_runtime::operators::{for_each_async, from_iter, map_concurrent, try_map_concurrent};
use stage_runtime::prelude::*;
use stage_test::assert_settled;
use stage_test::probe::{ConsumerProbe, ProducerProbe, emit};
use tokio::time::{Instant, sleep, timeout};

use super::awaiting::Gauge;
use super::{at_once, collect, collect_from, ms};
use crate::common::{failure, soon};

#[tokio::test(start_paused = true)]
async fn at_most_so_many_run_at_a_time_and_results_keep_their_order() {
    for (limit, max_demand) in [(1, 10), (3, 1), (3, 6), (7, 100), (100, 1_000)] {
        let gauge = Gauge::default();
        let at_a_time = gauge.clone();
        let pipeline = Pipeline::new();
        let numbers = from_iter(0..200_u64).stage().in_group(&pipeline).spawn();
        let slow = map_concurrent(limit, move |n: u64| {
            let gauge = gauge.clone();
            async move {
                gauge.during(1 + 13 * n % 17).await;
                n + 1
            }
        });
        let slow = slow
            .stage()
            .subscribe_to(numbers.subscription().max_demand(max_demand))
            .in_group(&pipeline)
            .spawn();
        let all = collect_from(&slow, &pipeline);
        assert_eq!(soon(all.output()).await.unwrap(), Vec::from_iter(1..=200));
        // Whatever the length of a batch.
        assert_eq!(at_a_time.most(), limit);
        soon(pipeline.join()).await.unwrap();
        assert_settled(&pipeline);
    }
}

#[tokio::test(start_paused = true)]
async fn as_completed_a_slow_one_holds_up_no_other() {
    let run = |unordered: bool| async move {
        let numbers = from_iter([50_u64, 1, 1, 1, 1, 1, 1, 1, 1, 1])
            .stage()
            .spawn();
        let slow = map_concurrent(2, async |n: u64| {
            sleep(ms(n)).await;
            n
        });
        let slow = if unordered { slow.unordered() } else { slow };
        let begin = Instant::now();
        let slow = slow.stage().subscribe_to(&numbers).spawn();
        let all = collect().stage().subscribe_to(&slow).spawn();
        let all = soon(all.output()).await.unwrap();
        (all, begin.elapsed().as_millis())
    };
    // In order, the one slot beside it holds a result that has to wait for it.
    assert_eq!(run(false).await, (vec![50, 1, 1, 1, 1, 1, 1, 1, 1, 1], 54));
    assert_eq!(run(true).await, (vec![1, 1, 1, 1, 1, 1, 1, 1, 1, 50], 50));
}

/// Nothing starts for which nobody asks, and no more than a batch.
#[tokio::test(start_paused = true)]
async fn back_pressure_holds() {
    let started = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&started);
    let (probe, _calls) = ProducerProbe::counting();
    let numbers = probe.stage().spawn();
    let slow = map_concurrent(5, move |n: u64| {
        count.fetch_add(1, SeqCst);
        async move { n }
    });
    let slow = slow
        .stage()
        .subscribe_to(numbers.subscription().max_demand(10))
        .spawn();
    let (probe, mut calls) = ConsumerProbe::manual();
    let consumer = probe.stage().subscribe_to(&slow).spawn();
    let from = calls.producer_joined().await.subscription;
    calls.quiet().await;
    assert_eq!((started.load(SeqCst), numbers.stats().delivered), (0, 10));
    consumer.ask(from, 1);
    assert_eq!(calls.events().await, [0]);
    calls.quiet().await;
    assert_eq!((started.load(SeqCst), slow.stats().buffered), (5, 4));
    assert_eq!(numbers.stats().delivered, 15);
}

/// Every result leaves, also those of the last events before a source falls silent.
#[tokio::test(start_paused = true)]
async fn no_result_waits_for_the_next_event() {
    let (probe, _calls) = ProducerProbe::silent();
    let source = probe.stage().spawn();
    let slow = map_concurrent(4, async |n: u64| {
        sleep(ms(n)).await;
        n
    });
    let slow = slow.unordered().stage().subscribe_to(&source).spawn();
    let (probe, mut calls) = ConsumerProbe::new();
    probe.stage().subscribe_to(&slow).spawn();
    for burst in [vec![1], vec![3, 2], vec![9, 8, 7, 6, 5, 4]] {
        let mut sorted = burst.clone();
        sorted.sort_unstable();
        soon(source.call(emit(burst))).await.unwrap();
        let mut got = calls.gather(sorted.len()).await;
        got.sort_unstable();
        assert_eq!(got, sorted);
    }
}

/// Reference: rust-lang/futures-rs issue 2387, "Footgun lurking in `FuturesUnordered` and
/// other concurrency-enabling streams": futures that were begun are not polled while the
/// one who reads the results works, and time out.
#[tokio::test(start_paused = true)]
async fn a_slow_consumer_does_not_keep_futures_from_being_polled() {
    let numbers = from_iter(0..40_u64).stage().spawn();
    let quick = try_map_concurrent(5, async |n: u64| {
        timeout(ms(20), sleep(ms(10))).await?;
        Ok(n)
    });
    let quick = quick
        .stage()
        .subscribe_to(numbers.subscription().max_demand(10))
        .spawn();
    let sink = for_each_async(async |_: u64| sleep(ms(500)).await);
    let sink = sink
        .stage()
        .subscribe_to(quick.subscription().max_demand(3))
        .spawn();
    let done = timeout(ms(60_000), sink.join()).await.unwrap();
    done.unwrap();
}

/// Says that it was dropped.
struct Guard(Arc<Mutex<Vec<u64>>>, u64);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(self.1);
    }
}

/// The futures beside the one that failed are dropped at once, not after the wait for the
/// restart, and their events are counted as lost; those behind them are handled.
#[tokio::test(start_paused = true)]
async fn an_error_drops_the_others_and_counts_them() {
    // 0 to 3 end at 10 ms, when 4 to 7 begin; 5 fails at 11 ms. In order that comes after
    // the result of 4, for which 8 has begun.
    for (unordered, fails_at, gone) in [(true, 11, 4..8), (false, 20, 5..9)] {
        let pipeline = Pipeline::new();
        let numbers = from_iter(0..20_u64).stage().in_group(&pipeline).spawn();
        let dropped = Arc::new(Mutex::new(Vec::new()));
        let drops = Arc::clone(&dropped);
        let slow = supervised(move || {
            let drops = Arc::clone(&drops);
            let slow = try_map_concurrent(4, move |n: u64| {
                let guard = Guard(Arc::clone(&drops), n);
                async move {
                    sleep(ms(if n == 5 { 1 } else { 10 })).await;
                    if n == 5 {
                        return Err("no room for 5".into());
                    }
                    drop(guard);
                    Ok(n)
                }
            });
            if unordered { slow.unordered() } else { slow }
        });
        let slow = slow
            .restart(Restart::on_failure().backoff(ms(1_000), ms(1_000)))
            .stage()
            .subscribe_to(&numbers)
            .in_group(&pipeline)
            .spawn();
        let all = collect_from(&slow, &pipeline);
        sleep(ms(fails_at + 1)).await;
        let mut dropped = dropped.lock().unwrap().clone();
        dropped.sort_unstable();
        assert_eq!(dropped, Vec::from_iter(0..gone.end));
        let mut got = soon(all.output()).await.unwrap();
        got.sort_unstable();
        let expected: Vec<u64> = (0..gone.start).chain(gone.end..20).collect();
        assert_eq!(got, expected);
        assert_eq!((slow.stats().restarts, slow.stats().lost), (1, 4));
        soon(pipeline.join()).await.unwrap();
        assert_settled(&pipeline);
    }
}

/// A stage that ends for good counts them too, and hands the others back.
#[tokio::test(start_paused = true)]
async fn an_error_for_good_loses_what_ran_and_hands_back_the_rest() {
    let pipeline = Pipeline::new();
    let numbers = from_iter(0..20_u64).stage().spawn();
    let slow = try_map_concurrent(4, async |n: u64| {
        sleep(ms(1)).await;
        if n == 0 {
            Err("no room for 0".into())
        } else {
            Ok(n)
        }
    });
    let slow = slow
        .stage()
        .name("slow")
        .subscribe_to(&numbers)
        .in_group(&pipeline)
        .spawn();
    let _all = collect_from(&slow, &pipeline);
    let stats = slow.stage_ref();
    let text = failure(soon(slow.join()).await).to_string();
    assert_eq!(text, "stage `slow` failed: no room for 0");
    assert_eq!((stats.stats().lost, numbers.stats().handed_back), (4, 16));
}

/// Reference: akka/akka-core issue 17407: `mapAsync` gets stuck after more failures than
/// it has futures at a time.
#[tokio::test(start_paused = true)]
async fn more_failures_than_the_limit_do_not_use_it_up() {
    for limit in [1, 2, 5] {
        let pipeline = Pipeline::new();
        let numbers = from_iter(0..60_u64).stage().in_group(&pipeline).spawn();
        let shaky = supervised(move || {
            try_map_concurrent(limit, async |n: u64| {
                if n.is_multiple_of(3) {
                    Err("a third time".into())
                } else {
                    Ok(n)
                }
            })
        });
        let shaky = shaky
            .restart(at_once())
            .stage()
            .subscribe_to(&numbers)
            .in_group(&pipeline)
            .spawn();
        let all = collect_from(&shaky, &pipeline);
        let got = soon(all.output()).await.unwrap();
        let lost = shaky.stats().lost;
        assert!(shaky.stats().restarts > limit as u64);
        assert_eq!(got.len() as u64 + lost, 60);
        assert!(got.is_sorted() && got.iter().all(|n| n % 3 != 0));
        soon(pipeline.join()).await.unwrap();
        assert_settled(&pipeline);
    }
}

/// A result leaves while others of its batch run, a message is answered meanwhile, and the
/// stage stays until the last of them is done.
#[tokio::test(start_paused = true)]
async fn a_result_does_not_wait_for_the_rest_of_its_batch() {
    let numbers = from_iter([1u64, 500, 20]).stage().spawn();
    let slow = map_concurrent(5, async |n: u64| {
        sleep(ms(n)).await;
        n
    });
    let slow = slow.unordered().stage().subscribe_to(&numbers).spawn();
    let (probe, mut calls) = ConsumerProbe::new();
    let sink = probe.stage().subscribe_to(&slow).spawn();
    let start = Instant::now();
    assert_eq!(calls.events().await, [1]);
    assert_eq!(start.elapsed().as_millis(), 1);
    assert_eq!(slow.stats().held, 2);
    assert_eq!(calls.events().await, [20]);
    assert_eq!(calls.events().await, [500]);
    soon(sink.join()).await.unwrap();
    assert_eq!((slow.stats().held, slow.stats().lost), (0, 0));
}
