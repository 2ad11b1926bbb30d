//! Own: a handler that puts something else in the place of its batch, and then fails.
//!
//! `events` is borrowed mutably, so a handler may write `*events = …`: to take out what it
//! does not want, or to put back what it could not do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use super::support::*;
use stage_runtime::prelude::*;

struct PutsBack {
    seen: Seen<u64>,
    fails: Arc<AtomicUsize>,
    extra: u64,
}

impl Consumer for PutsBack {
    type Event = u64;

    async fn handle_events(&mut self, events: &mut Batch<u64>, _: &mut Context<'_>) -> StageResult {
        let taken: Vec<u64> = events.into_iter().collect();
        let (done, not): (Vec<u64>, Vec<u64>) = taken.into_iter().partition(|n| n % 4 != 0);
        self.seen.lock().unwrap().extend(done);
        if !not.is_empty() && self.fails.fetch_add(1, SeqCst) < 5 {
            *events = not.into_iter().chain(1000..1000 + self.extra).collect();
            return Err("these could not be done".into());
        }
        self.seen.lock().unwrap().extend(not);
        Ok(())
    }
}

async fn run(extra: u64) {
    let (seen, fails) = (seen(), Arc::new(AtomicUsize::new(0)));
    let pipeline = Pipeline::new();
    let numbers = count(40)
        .stage()
        .name("numbers")
        .in_group(&pipeline)
        .spawn();
    let (list, failures) = (seen.clone(), Arc::clone(&fails));
    let restart = Restart::on_failure()
        .max_restarts(10)
        .backoff(Duration::ZERO, Duration::ZERO);
    supervised(move || PutsBack {
        seen: list.clone(),
        fails: Arc::clone(&failures),
        extra,
    })
    .restart(restart)
    .stage()
    .name("sink")
    .subscribe_to(numbers.subscription().max_demand(8))
    .in_group(&pipeline)
    .spawn();
    let joined = within(4000, pipeline.join()).await;
    let snapshot = pipeline.snapshot();
    let totals = snapshot.links[0].totals;
    assert!(
        joined.is_some(),
        "it never completes: {totals:?}; {}",
        pipeline.explain(Duration::ZERO)
    );
    joined.unwrap().unwrap();
    assert!(totals.balance(), "{totals:?}");
    let mut seen = seen.lock().unwrap().clone();
    seen.sort_unstable();
    assert!(seen.iter().copied().filter(|n| *n < 1000).eq(0..40));
    stage_test::assert_settled(&pipeline);
}

#[test]
fn what_a_handler_puts_back_is_given_to_the_next_state() {
    both(10, || run(0));
}

/// More than there were: an invention of the handler's. Whatever becomes of it, the
/// pipeline ends, and its accounts balance.
#[test]
fn a_handler_that_puts_more_into_its_batch_does_not_hang_the_pipeline() {
    both(10, || run(20));
}
