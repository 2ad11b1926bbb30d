//! The tasks that children run in: who shares one, and how many there are (C5,
//! C9, C11).

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use super::support::{Verdict, running, told};
use crate::common::soon;
use stage_runtime::operators::from_iter;
use stage_runtime::per_event::{ListChildren, Shutdown, StartChild, StopChild};
use stage_runtime::prelude::*;
use stage_test::probe::{ProducerProbe, emit};
use tokio::runtime::Handle;
use tokio::task::yield_now;

/// The tasks of the runtime, once those that were aborted are gone.
async fn tasks() -> usize {
    for _ in 0..100 {
        yield_now().await;
    }
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn children_that_run_side_by_side_share_no_task() {
    const AT_A_TIME: usize = 7;
    let all = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&all);
    let numbers = from_iter(0..700u64).stage().spawn();
    let stage = per_event(move |_: u64| {
        let seen = Arc::clone(&seen);
        async move {
            seen.lock().unwrap().push(tokio::task::id());
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            Ok(())
        }
    });
    let terms = numbers.subscription().max_demand(AT_A_TIME).min_demand(0);
    soon(stage.stage().subscribe_to(terms).spawn().join())
        .await
        .unwrap();
    let seen = all.lock().unwrap();
    assert_eq!(seen.len(), 700);
    for together in seen.chunks(AT_A_TIME) {
        let different: HashSet<_> = together.iter().collect();
        assert_eq!(different.len(), AT_A_TIME);
    }
    // And one after the other they do.
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), AT_A_TIME);
}

#[tokio::test(start_paused = true)]
async fn tasks_wait_for_no_more_events_than_may_come() {
    let (probe, mut above) = ProducerProbe::silent();
    let source = probe.stage().spawn();
    let (stage, mut started) = told();
    let stage = stage.stage().spawn();
    let before = tasks().await;
    // Nobody will ask for an event in the place of one started by hand.
    stage.call(StartChild(0)).await.unwrap().unwrap();
    started.next().await.finish();
    assert_eq!(tasks().await, before);
    let terms = source
        .subscription()
        .on_cancel(CancelMode::Temporary)
        .max_demand(5)
        .min_demand(0);
    let subscription = stage.subscribe(terms).await.unwrap();
    above.consumer_joined().await;
    source.call(emit([1, 2, 3])).await.unwrap();
    for child in started.all(3).await {
        child.finish();
    }
    assert_eq!(tasks().await, before + 3);
    stage.cancel(subscription, "enough");
    assert_eq!(tasks().await, before);
    stage.stop("enough");
    soon(stage.outcome()).await;
}

#[tokio::test(start_paused = true)]
async fn no_task_waits_when_the_stage_has_ended() {
    let (probe, _above) = ProducerProbe::silent();
    let source = probe.stage().spawn();
    let before = tasks().await;
    let (stage, mut started) = told();
    let stage = stage.shutdown(Shutdown::Immediately);
    let stage = stage.stage().subscribe_to(&source).spawn();
    source.call(emit([1, 2, 3])).await.unwrap();
    let mut children = started.all(3).await;
    children.remove(0).finish();
    children.remove(0).finish();
    assert_eq!(running(&stage).await, 1);
    stage.stop("enough");
    soon(stage.outcome()).await;
    assert_eq!(tasks().await, before);
}

/// A task that was aborted, or whose child failed, is not given another child.
#[tokio::test(start_paused = true)]
async fn a_place_that_became_free_in_whatever_way_is_filled() {
    let (probe, _) = ProducerProbe::counting();
    let source = probe.stage().spawn();
    let (stage, mut started) = told();
    let terms = source.subscription().max_demand(1).min_demand(0);
    let stage = stage.stage().subscribe_to(terms).spawn();
    for verdict in [Verdict::Finish, Verdict::Panic, Verdict::Fail] {
        started.next().await.end(verdict);
        let mut child = started.next().await;
        let id = stage.call(ListChildren).await.unwrap()[0].id;
        soon(stage.call(StopChild(id)))
            .await
            .unwrap()
            .unwrap()
            .await;
        assert!(child.is_gone().await);
        assert_eq!(running(&stage).await, 1);
    }
    assert_eq!(source.stats().events_out, 7);
}
