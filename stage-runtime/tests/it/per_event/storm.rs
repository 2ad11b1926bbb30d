//! Many children on several threads: no end is missed, no place is lost (C2, C10).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::soon;
use stage_runtime::operators::from_iter;
use stage_runtime::prelude::*;

/// No end may be missed, and no place lost, whatever threads children end on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_children_is_counted_to_the_last() {
    const EVENTS: u64 = 30_000;
    let most = Arc::new(AtomicUsize::new(0));
    let now = Arc::new(AtomicUsize::new(0));
    for (max, min) in [(1, 0), (7, 3), (1000, 500), (1000, 0)] {
        let events = if max == 1 { 2_000 } else { EVENTS };
        let numbers = from_iter(0..events).stage().spawn();
        let (most, now) = (Arc::clone(&most), Arc::clone(&now));
        most.store(0, Ordering::Relaxed);
        let highest = Arc::clone(&most);
        let stage = per_event(move |n: u64| {
            let (most, now) = (Arc::clone(&most), Arc::clone(&now));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                if n.is_multiple_of(3) {
                    tokio::task::yield_now().await;
                }
                now.fetch_sub(1, Ordering::Relaxed);
                if n % 1000 == 7 {
                    Err("seven".into())
                } else {
                    Ok(())
                }
            }
        });
        let terms = numbers.subscription().max_demand(max).min_demand(min);
        let stage = soon(stage.stage().subscribe_to(terms).spawn().join_stage())
            .await
            .unwrap();
        let counts = stage.counts();
        assert_eq!(
            (counts.started, counts.running, counts.stopped),
            (events, 0, 0)
        );
        assert_eq!(counts.failed, events / 1000);
        assert_eq!(counts.completed, events - counts.failed);
        assert!(highest.load(Ordering::Relaxed) <= max);
    }
}
