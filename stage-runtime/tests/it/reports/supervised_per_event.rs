//! Own: a `per_event` stage that is itself supervised, and whose children fail too often in
//! the midst of a batch. What its children have done is not counted as lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use super::support::*;
use stage_runtime::prelude::*;
use stage_runtime::{ChildRestart, Shutdown};

#[test]
fn every_event_is_done_or_counted_once() {
    both(20, || async {
        let done = Arc::new(AtomicU64::new(0));
        let attempts = Arc::new(AtomicU64::new(0));
        let pipeline = Pipeline::new();
        let numbers = count(400).stage().name("numbers").spawn_in(&pipeline);
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
            .unwrap()
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
            .spawn_in(&pipeline);
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
