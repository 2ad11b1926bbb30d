//! Counting, listing, starting and stopping children (C3, C6, C10).

use std::future::pending;
use std::task::Waker;
use std::time::Duration;

use super::support::{Verdict, running, told};
use crate::common::soon;
use stage_core::Commands;
use stage_runtime::per_event::{
    ChildRestart, CountChildren, ListChildren, PerEventError, Shutdown, ShutdownSignal, StartChild,
    StopChild, per_event_with,
};
use stage_runtime::prelude::*;
use stage_test::probe::{ProducerProbe, emit};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

/// GS013
#[tokio::test(start_paused = true)]
async fn a_child_started_by_hand_counts_against_nobodys_demand() {
    let (probe, mut above) = ProducerProbe::silent();
    let source = probe.stage().spawn();
    let (stage, mut started) = told();
    let terms = source.subscription().max_demand(2).min_demand(0);
    let stage = stage.stage().subscribe_to(terms).spawn();
    above.consumer_joined().await;
    assert_eq!(above.demand().await, 2);
    let mut ids = Vec::new();
    for event in 10..15u64 {
        ids.push(stage.call(StartChild(event)).await.unwrap().unwrap());
        assert_eq!(started.next().await.event, event);
    }
    source.call(emit([1, 2])).await.unwrap();
    started.all(2).await;
    let children = stage.call(ListChildren).await.unwrap();
    let by_hand: Vec<_> = children
        .iter()
        .filter(|child| child.subscription.is_none())
        .map(|child| child.id)
        .collect();
    assert_eq!(by_hand, ids);
    assert_eq!(children.len(), 7);
    // Their places are not asked for.
    stage.call(StopChild(ids[0])).await.unwrap().unwrap().await;
    above.quiet().await;
    assert_eq!(running(&stage).await, 6);
}

/// GS014
#[tokio::test(start_paused = true)]
async fn a_child_that_cannot_start_is_the_callers_error() {
    let stage = per_event(|n: u64| {
        assert!(n > 0, "not 0");
        pending()
    });
    let stage = stage.restart(ChildRestart::Transient).max_restarts(0);
    let stage = stage.stage().spawn();
    let refused = stage.call(StartChild(0)).await.unwrap().unwrap_err();
    assert!(matches!(&refused, PerEventError::Panicked { message } if message == "not 0"));
    // It is not restarted, and the stage lives on.
    stage.call(StartChild(1)).await.unwrap().unwrap();
    let counts = stage.call(CountChildren).await.unwrap();
    assert_eq!((counts.started, counts.failed, counts.running), (1, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn the_counts_add_up() {
    let (stage, mut started) = told();
    let handle = stage.counts_handle();
    let stage = stage.stage().spawn();
    let mut ids = Vec::new();
    for event in 0..5u64 {
        ids.push(stage.call(StartChild(event)).await.unwrap().unwrap());
    }
    assert!(ids.is_sorted() && ids[0] < ids[4]);
    let mut children = started.all(5).await;
    children.remove(0).end(Verdict::Finish);
    children.remove(0).end(Verdict::Fail);
    children.remove(0).end(Verdict::Panic);
    stage.call(StopChild(ids[3])).await.unwrap().unwrap().await;
    let counts = stage.call(CountChildren).await.unwrap();
    assert_eq!(
        (counts.started, counts.running, counts.completed),
        (5, 1, 1)
    );
    assert_eq!((counts.failed, counts.stopped), (2, 1));
    assert_eq!(handle.counts(), counts);
    let left = stage.call(ListChildren).await.unwrap();
    assert_eq!(
        left.iter().map(|child| child.id).collect::<Vec<_>>(),
        [ids[4]]
    );
}

/// GS028
#[tokio::test(start_paused = true)]
async fn a_child_that_is_stopped_immediately_is_aborted() {
    let stage = per_event_with(|_: u64, signal: ShutdownSignal| async move {
        signal.requested().await;
        pending().await
    });
    let stage = stage.restart(ChildRestart::Transient);
    let stage = stage.shutdown(Shutdown::Immediately).stage().spawn();
    let id = stage.call(StartChild(1)).await.unwrap().unwrap();
    let begun = Instant::now();
    soon(stage.call(StopChild(id)).await.unwrap().unwrap()).await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    let again = stage.call(StopChild(id)).await.unwrap().unwrap_err();
    assert!(matches!(again, PerEventError::NoSuchChild { id: unknown } if unknown == id));
    assert_eq!(
        again.to_string(),
        "child 1 is not running; `ListChildren` says which are"
    );
    let counts = stage.call(CountChildren).await.unwrap();
    assert_eq!((counts.running, counts.stopped, counts.restarts), (0, 1, 0));
}

/// GS029
#[tokio::test(start_paused = true)]
async fn a_child_that_is_stopped_has_its_time_and_the_stage_goes_on_meanwhile() {
    // It takes as many seconds as its event says.
    let stage = per_event_with(|seconds: u32, signal: ShutdownSignal| async move {
        signal.requested().await;
        sleep(SECOND * seconds).await;
        Ok(())
    });
    let stage = stage.shutdown(Shutdown::After(3 * SECOND)).stage().spawn();
    let polite = stage.call(StartChild(1)).await.unwrap().unwrap();
    let rude = stage.call(StartChild(60)).await.unwrap().unwrap();
    let other = stage.call(StartChild(0)).await.unwrap().unwrap();
    let begun = Instant::now();
    let polite = stage.call(StopChild(polite)).await.unwrap().unwrap();
    let stopping = stage.call(StopChild(rude)).await.unwrap().unwrap();
    let twice = stage.call(StopChild(rude)).await.unwrap().unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
    let children = stage.call(ListChildren).await.unwrap();
    let asked: Vec<_> = children.iter().map(|child| child.stopping).collect();
    assert_eq!(asked, [true, true, false]);
    assert_eq!(children[2].id, other);
    polite.await;
    assert_eq!(begun.elapsed(), SECOND);
    stopping.await;
    assert_eq!(begun.elapsed(), 3 * SECOND);
    soon(twice).await;
    let counts = stage.call(CountChildren).await.unwrap();
    assert_eq!(
        (counts.completed, counts.stopped, counts.running),
        (1, 1, 1)
    );
}

/// GS029, for a child that cannot be asked.
#[tokio::test(start_paused = true)]
async fn a_child_without_a_signal_is_aborted_whatever_its_time() {
    for shutdown in [
        Shutdown::Immediately,
        Shutdown::default(),
        Shutdown::Unlimited,
    ] {
        let (stage, mut started) = told();
        let stage = stage.shutdown(shutdown).stage().spawn();
        let id = stage.call(StartChild(1u64)).await.unwrap().unwrap();
        let mut child = started.next().await;
        let begun = Instant::now();
        soon(stage.call(StopChild(id)).await.unwrap().unwrap()).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert!(child.is_gone().await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_stopped_unlimited_takes_its_time() {
    let stage = per_event_with(|_: u64, signal: ShutdownSignal| async move {
        signal.requested().await;
        sleep(1000 * SECOND).await;
        Ok(())
    });
    let stage = stage.shutdown(Shutdown::Unlimited).stage().spawn();
    let id = stage.call(StartChild(1)).await.unwrap().unwrap();
    let begun = Instant::now();
    stage.call(StopChild(id)).await.unwrap().unwrap().await;
    assert_eq!(begun.elapsed(), 1000 * SECOND);
    assert_eq!(stage.call(CountChildren).await.unwrap().completed, 1);
}

/// GS030: there is no child that waits for its restart; one that was restarted
/// is stopped as any other, and one that fails because it was asked is not
/// restarted.
#[tokio::test(start_paused = true)]
async fn a_restarted_child_is_stopped_for_good() {
    let stage = per_event_with(|_: u64, signal: ShutdownSignal| async move {
        signal.requested().await;
        Err("interrupted".into())
    });
    let stage = stage.restart(ChildRestart::Transient).stage().spawn();
    let id = stage.call(StartChild(1)).await.unwrap().unwrap();
    stage.call(StopChild(id)).await.unwrap().unwrap().await;
    let counts = stage.call(CountChildren).await.unwrap();
    assert_eq!((counts.failed, counts.restarts, counts.running), (1, 0, 0));

    let (stage, mut started) = told();
    let stage = stage.restart(ChildRestart::Transient).stage().spawn();
    let id = stage.call(StartChild(1u64)).await.unwrap().unwrap();
    started.next().await.end(Verdict::Fail);
    started.next().await;
    assert_eq!(stage.call(ListChildren).await.unwrap()[0].restarts, 1);
    soon(stage.call(StopChild(id)).await.unwrap().unwrap()).await;
    started.quiet().await;
    let counts = stage.call(CountChildren).await.unwrap();
    assert_eq!((counts.stopped, counts.restarts, counts.running), (1, 1, 0));
    assert!(stage.call(StopChild(id)).await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_child_is_told_when_the_stage_ends() {
    let stage = per_event_with(|_: u64, _: ShutdownSignal| pending());
    let stage = stage.stage().spawn();
    let id = stage.call(StartChild(1)).await.unwrap().unwrap();
    let stopping = stage.call(StopChild(id)).await.unwrap().unwrap();
    stage.stop("enough");
    soon(stopping).await;
}

/// As the runtime drops a stage's task: without `terminate`.
#[tokio::test(start_paused = true)]
async fn a_stage_that_is_dropped_aborts_its_children() {
    let (mut stage, mut started) = told();
    let mut commands = Commands::default();
    let mut cx = Context::new("workers", None, Waker::noop(), &mut commands);
    let mut events = Batch::from(vec![1u64, 2]);
    stage.handle_events(&mut events, &mut cx).await.unwrap();
    let children = started.all(2).await;
    assert!(!stage.may_complete());
    drop(stage);
    for mut child in children {
        assert!(child.is_gone().await);
    }
}
