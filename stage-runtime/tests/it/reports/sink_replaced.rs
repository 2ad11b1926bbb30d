//! Reference: vectordotdev/vector pull request 25330, "prevent source pump deadlock during
//! sink config reload", and issue 4031, "Wait for sinks to finish on reload"
//!
//! A sink is replaced while its source sends as fast as it can, again and again. The source
//! does not stop for it, the other sinks go on, nothing is lost, and the old and the new
//! sink of a partition are never mixed up.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::support::*;
use stage_runtime::prelude::*;

#[test]
fn a_sink_of_a_partition_is_replaced_under_load() {
    for round in 0..rounds(6) {
        both_busy(30, move || async move {
            let pipeline = Pipeline::new();
            let partition = Partition::by_index(2, |n: &u64| Some((n % 2) as usize)).unwrap();
            let numbers = count(u64::MAX)
                .stage()
                .name("numbers")
                .dispatcher(partition.queue_bound(50))
                .in_group(&pipeline)
                .spawn();
            let (even, odd) = (seen(), seen());
            slow(&even, 0)
                .stage()
                .subscribe_to(numbers.partition(0).max_demand(9))
                .in_group(&pipeline)
                .spawn();
            let mut random = fastrand::Rng::with_seed(round as u64);
            for _ in 0..25 {
                let sink = slow(&odd, 0)
                    .stage()
                    .subscribe_to(numbers.partition(1).max_demand(7))
                    .spawn();
                let before = odd.lock().unwrap().len();
                let enough = 1 + random.usize(..40);
                until("the new sink gets something", || {
                    odd.lock().unwrap().len() > before + enough
                })
                .await;
                match random.u8(..3) {
                    0 => sink.stop("reload"),
                    1 => sink.abort(),
                    _ => drop(pipeline.snapshot()),
                }
                sink.stop("reload");
                sink.outcome().await;
            }
            let last = slow(&odd, 0)
                .stage()
                .subscribe_to(numbers.partition(1))
                .spawn();
            ms(5).await;
            pipeline.drain(Duration::from_secs(5)).await.unwrap();
            last.outcome().await;
            let stats = numbers.stats();
            assert_eq!(stats.discarded, 0, "{stats:?}");
            let (even, odd) = (even.lock().unwrap(), odd.lock().unwrap());
            assert!(
                even.iter()
                    .copied()
                    .eq((0..even.len() as u64).map(|n| n * 2))
            );
            // An aborted sink may have had one event in its hand.
            assert!(odd.is_sorted(), "in order, none twice");
            let lost = stats.events_out - (even.len() + odd.len()) as u64;
            let snapshot = pipeline.snapshot();
            let past = snapshot
                .stages
                .iter()
                .map(|stage| stage.past.lost)
                .sum::<u64>();
            let counted = snapshot
                .links
                .iter()
                .map(|link| link.totals.lost)
                .sum::<u64>()
                + past;
            assert_eq!(lost, counted, "what is missing is counted as lost");
        });
    }
}

#[test]
fn a_sink_of_a_broadcast_is_replaced_while_the_others_go_on() {
    for _ in 0..rounds(4) {
        both_busy(30, || async {
            let pipeline = Pipeline::new();
            let source = count(u64::MAX);
            let made = Arc::clone(&source.made);
            let numbers = source
                .stage()
                .dispatcher(Broadcast::new())
                .in_group(&pipeline)
                .spawn();
            let stays = seen();
            slow(&stays, 0)
                .stage()
                .subscribe_to(numbers.subscription().max_demand(6))
                .in_group(&pipeline)
                .spawn();
            for _ in 0..20 {
                let seen = seen();
                let sink = slow(&seen, 0)
                    .stage()
                    .subscribe_to(numbers.subscription().max_demand(4))
                    .spawn();
                let before = made.load(SeqCst);
                until("the source goes on", || made.load(SeqCst) > before + 50).await;
                sink.stop("reload");
                sink.outcome().await;
                let seen = seen.lock().unwrap();
                assert!(
                    seen.windows(2).all(|pair| pair[0] + 1 == pair[1]),
                    "no gaps"
                );
            }
            pipeline.drain(Duration::from_secs(5)).await.unwrap();
            let stays = stays.lock().unwrap();
            assert!(stays.iter().copied().eq(0..stays.len() as u64));
            assert_eq!(stays.len() as u64, numbers.stats().events_out);
        });
    }
}
