//! Subscriptions of a stage of per-event children.

use std::task::Waker;

use super::support::{running, told};
use crate::common::{cancelled, pending, soon};
use stage_core::{Command, Commands, DemandError, DemandLimits, SubscribeError};
use stage_runtime::per_event::{ListChildren, StartChild};
use stage_runtime::prelude::*;
use stage_test::probe::{ProducerProbe, emit};

/// GS031
#[tokio::test(start_paused = true)]
async fn a_running_stage_subscribes_and_learns_the_subscription() {
    let (probe, mut above) = ProducerProbe::silent();
    let source = probe.stage().spawn();
    let (stage, mut started) = told();
    let stage = stage.stage().spawn();
    let subscription = soon(stage.subscribe(&source)).await.unwrap();
    assert_eq!(above.consumer_joined().await.subscription, subscription);
    source.call(emit([1u64])).await.unwrap();
    assert_eq!(started.next().await.event, 1);
}

/// GS032
#[tokio::test(start_paused = true)]
async fn demand_that_cannot_work_is_refused() {
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let (stage, _started) = told();
    let stage = stage.stage().spawn();
    let refused = stage.subscribe(source.subscription().max_demand(0)).await;
    assert!(matches!(
        refused,
        Err(SubscribeError::Demand {
            error: DemandError::ZeroMax,
            ..
        })
    ));
    let refused = stage
        .subscribe(source.subscription().min_demand(2000))
        .await;
    assert!(matches!(
        refused,
        Err(SubscribeError::Demand {
            error: DemandError::MinNotBelowMax {
                min: 2000,
                max: 1000
            },
            ..
        })
    ));
    above.quiet().await;
    pending(stage.outcome()).await;
}

/// GS033 GS034
#[tokio::test(start_paused = true)]
async fn a_dead_producer_ends_the_stage_if_the_subscription_is_permanent() {
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().name("source").spawn();
    let (stage, _started) = told();
    let stage = stage.stage().subscribe_to(&source).spawn();
    above.consumer_joined().await;
    source.stop("gone");
    assert_eq!(cancelled(soon(stage.join()).await), "gone");
    // Dead before the subscription as well.
    let (stage, _started) = told();
    let stage = stage.stage().subscribe_to(&source).spawn();
    let failure = crate::common::failure(soon(stage.join()).await);
    assert!(matches!(
        failure.downcast_ref(),
        Some(SubscribeError::ProducerEnded { .. })
    ));
}

/// GS035 GS036
#[tokio::test(start_paused = true)]
async fn a_dead_producer_leaves_the_stage_alone_if_the_subscription_is_temporary() {
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let (stage, _started) = told();
    let terms = source.subscription().on_cancel(CancelMode::Temporary);
    let stage = stage.stage().subscribe_to(terms).spawn();
    above.consumer_joined().await;
    source.stop("gone");
    pending(stage.outcome()).await;
    stage.call(StartChild(1)).await.unwrap().unwrap();
    assert_eq!(running(&stage).await, 1);
    // Dead before the subscription as well.
    let (stage, _started) = told();
    let terms = source.subscription().on_cancel(CancelMode::Temporary);
    let stage = stage.stage().subscribe_to(terms).spawn();
    pending(stage.outcome()).await;
    stage.call(StartChild(1)).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn each_subscription_has_its_own_children() {
    let (first, mut firsts) = ProducerProbe::silent();
    let (second, mut seconds) = ProducerProbe::silent();
    let (first, second) = (first.stage().spawn(), second.stage().spawn());
    let (stage, mut started) = told();
    let stage = stage
        .stage()
        .subscribe_to(first.subscription().max_demand(1))
        .subscribe_to(second.subscription().max_demand(4).min_demand(2))
        .spawn();
    firsts.consumer_joined().await;
    seconds.consumer_joined().await;
    assert_eq!((firsts.demand().await, seconds.demand().await), (1, 4));
    first.call(emit([1u64])).await.unwrap();
    second.call(emit([10, 11, 12, 13])).await.unwrap();
    let mut children = started.all(5).await;
    assert_eq!(running(&stage).await, 5);
    let mut finish = |event| {
        let index = children.iter().position(|child| child.event == event);
        children.remove(index.unwrap()).finish();
    };
    finish(10);
    firsts.quiet().await;
    seconds.quiet().await;
    finish(1);
    assert_eq!(firsts.demand().await, 1);
    seconds.quiet().await;
    finish(13);
    assert_eq!(seconds.demand().await, 2);
    firsts.quiet().await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_subscription_leaves_its_children_and_a_new_one_counts_from_0() {
    let (probe, mut above) = ProducerProbe::counting();
    let source = probe.stage().spawn();
    let (stage, mut started) = told();
    let stage = stage.stage().spawn();
    let terms = || {
        source
            .subscription()
            .on_cancel(CancelMode::Temporary)
            .max_demand(2)
    };
    let old = stage.subscribe(terms()).await.unwrap();
    let mut children = started.all(2).await;
    above.drain().await;
    stage.cancel(old, "to be replaced");
    above.consumer_left().await;
    let new = stage.subscribe(terms()).await.unwrap();
    children.extend(started.all(2).await);
    let subscriptions: Vec<_> = stage
        .call(ListChildren)
        .await
        .unwrap()
        .iter()
        .map(|child| child.subscription)
        .collect();
    assert_eq!(subscriptions, [Some(old), Some(old), Some(new), Some(new)]);
    above.drain().await;
    // No longer anybody's place.
    children.remove(0).finish();
    above.quiet().await;
    children.remove(1).finish();
    assert_eq!(above.demand().await, 1);
}

/// Called by hand, to see what it would ask for.
#[tokio::test(start_paused = true)]
async fn nothing_is_asked_for_over_a_subscription_that_has_ended() {
    let (mut stage, mut started) = told();
    let id = SubscriptionId::new(1);
    let demand = DemandLimits::new(2, 0).unwrap();
    let producer = Peer::new(id, "source".into(), demand, CancelMode::Temporary);
    let mut commands = Commands::default();
    let mut cx = Context::new("workers", Some(id), Waker::noop(), &mut commands);
    stage.handle_subscribe(&producer, &mut cx).await.unwrap();
    let mut events = Batch::from(vec![1u64, 2]);
    stage.handle_events(&mut events, &mut cx).await.unwrap();
    started.next().await.finish();
    stage.handle_wake(&mut cx).await.unwrap();
    stage
        .handle_cancel(&producer, &Outcome::Completed, &mut cx)
        .await
        .unwrap();
    started.next().await.finish();
    stage.handle_wake(&mut cx).await.unwrap();
    assert_eq!(stage.counts().completed, 2);
    let asks: Vec<_> = commands.drain().collect();
    assert!(matches!(asks[..], [Command::Ask(a, 2), Command::Ask(b, 1)] if a == id && b == id));
}
