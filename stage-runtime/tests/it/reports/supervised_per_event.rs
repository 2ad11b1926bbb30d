//! Own: a `per_event` stage that is itself supervised, and whose children fail too often in
//! the midst of a batch. What its children have done is not counted as lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use super::support::*;
use stage_runtime::operators::from_iter;
use stage_runtime::per_event::{ChildRestart, Shutdown};
use stage_runtime::prelude::*;

#[test]
fn every_event_is_done_or_counted_once() {
    both(20, || async {
        let done = Arc::new(AtomicU64::new(0));
        let attempts = Arc::new(AtomicU64::new(0));
        let pipeline = Pipeline::new();
        let numbers = count(400)
            .stage()
            .name("numbers")
            .in_group(&pipeline)
            .spawn();
        let (finished, tried) = (Arc::clone(&done), Arc::clone(&attempts));
        let jobs = supervised(move || {
            let (finished, tried) = (Arc::clone(&finished), Arc::clone(&tried));
            per_event(move |_: u64| {
                let (finished, tried) = (Arc::clone(&finished), Arc::clone(&tried));
                async move {
                    // Each fortieth attempt fails.
                    if tried.fetch_add(1, SeqCst) % 40 == 39 {
                        return Err("again".into());
                    }
                    tokio::task::yield_now().await;
                    finished.fetch_add(1, SeqCst);
                    Ok(())
                }
            })
            .restart(ChildRestart::Transient)
            .max_restarts(2)
            .shutdown(Shutdown::Unlimited)
        });
        let restart = Restart::on_failure()
            .max_restarts(1000)
            .backoff(Duration::ZERO, Duration::ZERO);
        let jobs = jobs
            .restart(restart)
            .stage()
            .name("jobs")
            .subscribe_to(numbers.subscription().max_demand(16).min_demand(0))
            .in_group(&pipeline)
            .spawn();
        let jobs_ref = jobs.stage_ref();
        within(15_000, pipeline.join())
            .await
            .expect("it ends")
            .unwrap();
        let stats = jobs_ref.stats();
        assert!(stats.restarts > 0);
        stage_test::assert_settled(&pipeline);
        // A child that failed once too often is gone; one for each restart of the stage.
        let gone = 400 - done.load(SeqCst);
        assert_eq!(gone, stats.restarts, "children that ended the stage");
        assert!(
            stats.lost <= gone,
            "{} of 400 events were done, and {} are counted as lost",
            done.load(SeqCst),
            stats.lost
        );
    });
}

/// The smallest program: one child fails for good while ninety-nine are done.
#[test]
fn what_was_done_is_not_lost_when_the_stage_fails() {
    both(20, || async {
        let numbers = from_iter(0..100_u64).stage().spawn();
        let jobs = per_event(|n: u64| async move {
            if n == 0 {
                return Err("stumbled".into());
            }
            Ok(())
        });
        let jobs = jobs.restart(ChildRestart::Transient).max_restarts(0);
        let handle = jobs.counts_handle();
        let jobs = jobs
            .stage()
            .subscribe_to(numbers.subscription().max_demand(200))
            .spawn();
        assert!(matches!(jobs.outcome().await, Outcome::Failed(_)));
        let (counts, lost) = (handle.counts(), jobs.stats().lost);
        assert_eq!(counts.completed + counts.failed + counts.stopped, 100);
        assert_eq!(lost, counts.stopped, "{counts:?}");
    });
}

/// Children that are aborted because their stage was stopped take their events along.
#[test]
fn what_is_aborted_with_the_stage_is_lost() {
    both(20, || async {
        let pipeline = Pipeline::new();
        let numbers = from_iter(0..10_u64).stage().in_group(&pipeline).spawn();
        let jobs = per_event(|n: u64| async move {
            if n.is_multiple_of(2) {
                std::future::pending::<()>().await;
            }
            Ok(())
        })
        .shutdown(Shutdown::Immediately);
        let handle = jobs.counts_handle();
        let jobs = jobs
            .stage()
            .subscribe_to(&numbers)
            .in_group(&pipeline)
            .spawn();
        until("half of them are done", || handle.counts().completed == 5).await;
        until("the others are held", || jobs.stats().held == 5).await;
        jobs.stop("enough");
        jobs.outcome().await;
        assert_eq!((jobs.stats().lost, jobs.stats().held), (5, 0));
        stage_test::assert_settled(&pipeline);
    });
}
