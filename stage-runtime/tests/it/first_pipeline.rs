//! The pipeline of the README, and how it ends.

use stage_runtime::operators::{fold, from_iter, map};
use stage_runtime::prelude::*;

struct Counter(u64);

impl Producer for Counter {
    type Event = u64;

    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, u64>) -> StageResult {
        out.extend((self.0..).take(demand));
        self.0 += demand as u64;
        if self.0 > 100_000 {
            out.complete();
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_finite_source_ends_its_pipeline_after_the_last_event() {
    let numbers = Counter(0).stage().spawn();
    let doubled = map(|n: u64| n * 2).stage().subscribe_to(&numbers).spawn();
    let sum = fold((0, 0), |(count, sum), n: u64| (count + 1, sum + n))
        .stage()
        .subscribe_to(doubled.subscription().max_demand(10))
        .spawn();
    let doubled_ref = doubled.stage_ref();
    let (count, sum) = sum.output().await.unwrap();
    numbers.join().await.unwrap();
    doubled.join().await.unwrap();
    assert!(count > 100_000);
    assert_eq!(sum, count * (count - 1));
    println!("{:#?}", doubled_ref.stats());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_on_two_threads() {
    for _ in 0..50 {
        let numbers = from_iter(0..1_000u64).stage().spawn();
        let doubled = map(|n: u64| n * 2).stage().subscribe_to(&numbers).spawn();
        let doubled2 = map(|n: u64| n * 2).stage().subscribe_to(&numbers).spawn();
        let sum = fold(0, |sum, n: u64| sum + n)
            .stage()
            .subscribe_to(doubled.subscription().max_demand(1))
            .subscribe_to(doubled2.subscription().max_demand(7))
            .spawn();
        assert_eq!(sum.output().await.unwrap(), 999 * 1_000);
    }
}
