//! How many children there are, and when more events are asked for (C1 to C5,
//! C8).

use std::time::Duration;

use super::support::{Verdict, running, told};
use crate::common::{pending, soon};
use stage_runtime::operators::{from_iter, from_stream};
use stage_runtime::per_event::{ChildRestart, ListChildren, StartChild, StopChild};
use stage_runtime::prelude::*;
use stage_test::probe::{ProducerProbe, act, emit};

/// GS037
#[tokio::test(start_paused = true)]
async fn each_event_starts_a_child() {
    let (probe, mut above) = ProducerProbe::silent();
    let source = probe.stage().spawn();
    let (stage, mut started) = told();
    let stage = stage.stage().subscribe_to(&source).spawn();
    assert_eq!(above.demand().await, 1000);
    for n in 1..=3u64 {
        source.call(emit([n])).await.unwrap();
        assert_eq!(started.next().await.event, n);
        assert_eq!(running(&stage).await, n);
    }
    let subscription = above.consumer_joined().await.subscription;
    let children = stage.call(ListChildren).await.unwrap();
    assert_eq!(children.len(), 3);
    assert!(
        children
            .iter()
            .all(|child| child.subscription == Some(subscription))
    );
    assert!(children.is_sorted_by(|a, b| a.id < b.id));
}

/// GS038
#[tokio::test(start_paused = true)]
async fn a_stream_of_events_is_handled_to_its_end() {
    let words = from_stream(futures::stream::iter(["a", "b", "c"]))
        .stage()
        .spawn();
    let (stage, mut started) = told();
    let stage = stage.stage().subscribe_to(&words).spawn();
    let children = started.all(3).await;
    let events: Vec<&str> = children.iter().map(|child| child.event).collect();
    assert_eq!(events, ["a", "b", "c"]);
    children
        .into_iter()
        .for_each(super::support::Running::finish);
    let stage = soon(stage.join_stage()).await.unwrap();
    assert_eq!(stage.counts().completed, 3);
}

/// GS039
#[tokio::test(start_paused = true)]
async fn a_closure_that_panics_costs_one_child_and_its_place_is_asked_for() {
    let (probe, mut above) = ProducerProbe::silent();
    let source = probe.stage().spawn();
    let stage = per_event(|n: u64| {
        assert!(n > 1, "too small");
        std::future::pending()
    });
    let terms = source.subscription().max_demand(2).min_demand(0);
    let stage = stage.stage().subscribe_to(terms).spawn();
    above.consumer_joined().await;
    assert_eq!(above.demand().await, 2);
    source.call(emit([0, 1])).await.unwrap();
    assert_eq!(above.demand().await, 2);
    source.call(emit([2])).await.unwrap();
    above.quiet().await;
    let counts = stage
        .call(stage_runtime::per_event::CountChildren)
        .await
        .unwrap();
    assert_eq!((counts.started, counts.failed, counts.running), (3, 2, 1));
}

/// GS040
#[tokio::test(start_paused = true)]
async fn no_more_children_run_than_max_demand() {
    let (probe, _) = ProducerProbe::counting();
    let source = probe.stage().spawn();
    let (stage, mut started) = told();
    let terms = source.subscription().max_demand(1).min_demand(0);
    let stage = stage.stage().subscribe_to(terms).spawn();
    for (n, verdict) in [Verdict::Finish, Verdict::Fail, Verdict::Panic]
        .into_iter()
        .enumerate()
    {
        let child = started.next().await;
        assert_eq!(child.event, n as u64);
        started.quiet().await;
        assert_eq!(running(&stage).await, 1);
        child.end(verdict);
    }
    // Nor does one that is stopped keep its place.
    assert_eq!(started.next().await.event, 3);
    let id = stage.call(ListChildren).await.unwrap()[0].id;
    soon(stage.call(StopChild(id)))
        .await
        .unwrap()
        .unwrap()
        .await;
    assert_eq!(started.next().await.event, 4);
    started.quiet().await;
    assert_eq!(running(&stage).await, 1);
    assert_eq!(source.stats().events_out, 5);
}

/// GS041
#[tokio::test(start_paused = true)]
async fn a_restarted_child_keeps_its_place() {
    let (probe, mut above) = ProducerProbe::counting();
    let source = probe.stage().spawn();
    let (stage, mut started) = told();
    let stage = stage.restart(ChildRestart::Transient).max_restarts(10);
    let terms = source.subscription().max_demand(1).min_demand(0);
    let stage = stage.stage().subscribe_to(terms).spawn();
    above.consumer_joined().await;
    assert_eq!(above.demand().await, 1);
    for _ in 0..3 {
        let child = started.next().await;
        assert_eq!(child.event, 0);
        child.end(Verdict::Panic);
    }
    let child = started.next().await;
    assert_eq!((child.event, running(&stage).await), (0, 1));
    above.quiet().await;
    child.finish();
    assert_eq!(above.demand().await, 1);
    assert_eq!(started.next().await.event, 1);
}

/// GS042
#[tokio::test(start_paused = true)]
async fn children_outlive_their_producer_and_the_stage_answers_meanwhile() {
    let (stage, mut started) = told();
    let numbers = from_iter(0..2u64).stage().spawn();
    let stage = stage.stage().subscribe_to(&numbers).spawn();
    let mut children = started.all(2).await;
    soon(numbers.join()).await.unwrap();
    pending(stage.outcome()).await;
    assert_eq!(running(&stage).await, 2);
    children.remove(1).finish();
    pending(stage.outcome()).await;
    // One that is started by hand is waited for as well.
    let id = stage.call(StartChild(7)).await.unwrap().unwrap();
    children.remove(0).finish();
    pending(stage.outcome()).await;
    assert_eq!(stage.call(ListChildren).await.unwrap()[0].id, id);
    started.next().await.finish();
    let stage = soon(stage.join_stage()).await.unwrap();
    assert_eq!(stage.counts().completed, 3);
}

/// GS042, where the producer does not end well.
#[tokio::test(start_paused = true)]
async fn children_outlive_a_producer_that_was_stopped() {
    let (probe, _) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let (stage, mut started) = told();
    let terms = source
        .subscription()
        .on_cancel(CancelMode::Temporary)
        .max_demand(2);
    let stage = stage.stage().subscribe_to(terms).spawn();
    source.call(emit([1, 2])).await.unwrap();
    let mut children = started.all(2).await;
    source.stop("enough");
    pending(stage.outcome()).await;
    assert_eq!(running(&stage).await, 2);
    assert!(!children[0].is_gone().await);
    // Its place is nobody's: there is no subscription to ask over.
    children.remove(0).finish();
    pending(stage.outcome()).await;
    assert_eq!(running(&stage).await, 1);
}

/// GS043
#[tokio::test(start_paused = true)]
async fn asks_again_when_min_demand_have_ended() {
    let (probe, mut above) = ProducerProbe::silent();
    let source = probe.stage().spawn();
    let (stage, mut started) = told();
    let terms = source.subscription().max_demand(3).min_demand(2);
    let stage = stage.stage().subscribe_to(terms).spawn();
    above.consumer_joined().await;
    assert_eq!(above.demand().await, 3);
    source.call(emit([1, 2, 3])).await.unwrap();
    let mut children = started.all(3).await;
    children.remove(0).finish();
    above.quiet().await;
    children.remove(0).finish();
    assert_eq!(above.demand().await, 2);
    source.call(emit([4])).await.unwrap();
    source.call(emit([5])).await.unwrap();
    children.extend(started.all(2).await);
    assert_eq!(running(&stage).await, 3);
    // What was not asked for waits in the producer's buffer.
    source.call(emit([6])).await.unwrap();
    started.quiet().await;
    assert_eq!(source.stats().buffered, 1);
}

/// GS044
#[tokio::test(start_paused = true)]
async fn a_min_demand_of_0_asks_for_one_when_one_has_ended_and_not_before() {
    let (probe, mut above) = ProducerProbe::silent();
    let source = probe.stage().spawn();
    let (stage, mut started) = told();
    let terms = source.subscription().max_demand(3).min_demand(0);
    let _stage = stage.stage().subscribe_to(terms).spawn();
    above.consumer_joined().await;
    assert_eq!(above.demand().await, 3);
    source.call(emit([1, 2])).await.unwrap();
    let children = started.all(2).await;
    above.quiet().await;
    // The third of the first three is still to come.
    for (unmet, child) in children.into_iter().enumerate() {
        child.finish();
        assert_eq!(above.demand().await, unmet + 2);
    }
}

#[tokio::test(start_paused = true)]
async fn children_that_end_together_are_asked_for_together() {
    let (probe, mut above) = ProducerProbe::counting();
    let source = probe.stage().spawn();
    let sleepers = per_event(|_: u64| async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        Ok(())
    });
    let terms = source.subscription().max_demand(1000).min_demand(0);
    let _stage = sleepers.stage().subscribe_to(terms).spawn();
    for _ in 0..10 {
        assert_eq!(above.demand().await, 1000);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_by_hand_beyond_max_demand_is_had_once() {
    let (probe, mut above) = ProducerProbe::counting();
    let source = probe.stage().spawn();
    let (stage, mut started) = told();
    let terms = source.subscription().max_demand(2).min_demand(0);
    let stage = stage.stage().subscribe_to(terms).spawn();
    let subscription = above.consumer_joined().await.subscription;
    started.next().await.finish();
    stage.ask(subscription, 3);
    // The first, two in its place and that of the second, and three more.
    let children = started.all(5).await;
    assert_eq!(running(&stage).await, 5);
    children
        .into_iter()
        .for_each(super::support::Running::finish);
    started.all(2).await;
    assert_eq!(running(&stage).await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_stage_with_nothing_to_do_completes() {
    let nothing = from_iter(0..0u64).stage().spawn();
    let (stage, _started) = told();
    soon(stage.stage().subscribe_to(&nothing).spawn().join())
        .await
        .unwrap();
    let (probe, _) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let (stage, _started) = told();
    let stage = stage.stage().subscribe_to(&source).spawn();
    let complete = act(|out| {
        out.complete();
        Ok(())
    });
    source.call(complete).await.unwrap();
    soon(stage.join()).await.unwrap();
}
