//! What the neighbours of a stage are told, and when (E7 to E9).

use std::sync::Arc;

use crate::common::{fail, failure, pending, soon, word};
use stage_runtime::operators::{fold, map};
use stage_runtime::prelude::*;
use stage_test::probe::{Call, ConsumerProbe, ProducerProbe, act, emit};
use tokio::sync::Semaphore;

/// E7: at once, that is, before what others have sent is handled.
#[tokio::test(start_paused = true)]
async fn a_producer_that_fails_ends_its_consumer_before_others_have_delivered() {
    let (bad, _) = ProducerProbe::<u64>::silent();
    let (good, mut goods) = ProducerProbe::<u64>::silent();
    let (bad, good) = (
        bad.stage().name("bad").spawn(),
        good.stage().name("good").spawn(),
    );
    let permits = Arc::new(Semaphore::new(0));
    let (probe, mut calls) = ConsumerProbe::new();
    let consumer = probe
        .held_by(&permits)
        .stage()
        .name("consumer")
        .subscribe_to(&bad)
        .subscribe_to(good.subscription().max_demand(4).min_demand(3))
        .spawn();
    goods.demand().await;
    good.call(emit([1])).await.unwrap();
    assert_eq!(calls.events().await, [1]);
    bad.cast(act(|_| fail("went wrong"))).unwrap();
    soon(bad.outcome()).await;
    good.call(emit([2, 3])).await.unwrap();
    permits.add_permits(100);
    assert_eq!(failure(soon(consumer.join()).await).stage(), "bad");
    let (peer, outcome) = goods.consumer_left().await;
    assert_eq!((&*peer.stage, word(&outcome)), ("consumer", "failed"));
    assert!(outcome.to_string().contains("went wrong"), "{outcome}");
    pending(good.outcome()).await;
    let told: Vec<_> = calls
        .drain()
        .await
        .into_iter()
        .filter_map(|call| match call {
            Call::ProducerLeft(peer, _) => Some(peer.stage.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["bad"]);
}

/// E9, for a stage that fails before it has begun with all its subscriptions.
#[tokio::test(start_paused = true)]
async fn a_stage_that_fails_at_its_first_subscription_tells_all_its_producers() {
    let (one, mut ones) = ProducerProbe::<u64>::silent();
    let (two, mut twos) = ProducerProbe::<u64>::silent();
    let (one, two) = (one.stage().spawn(), two.stage().spawn());
    let (probe, _) = ConsumerProbe::<u64>::new();
    let consumer = probe
        .on_call(|call| match call {
            Call::ProducerJoined(_) => fail("went wrong"),
            _ => Ok(()),
        })
        .stage()
        .subscribe_to(&one)
        .subscribe_to(&two)
        .spawn();
    failure(soon(consumer.join()).await);
    assert_eq!(word(&ones.consumer_left().await.1), "failed");
    // The second one was told of the subscription, or was not; if it was, it is
    // told of its end as well, and how it came about.
    let calls = twos.drain().await;
    match calls.as_slice() {
        [] => {}
        [Call::ConsumerJoined(_), .., Call::ConsumerLeft(_, outcome)] => {
            assert_eq!(word(outcome), "failed", "{outcome}");
        }
        other => panic!("{other:?}"),
    }
    pending(one.outcome()).await;
    pending(two.outcome()).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_travels_down_a_long_pipeline() {
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().name("source").spawn();
    let same: fn(u64) -> u64 = |n| n;
    let mut last = map(same).stage().subscribe_to(&source).spawn();
    for _ in 0..50 {
        last = map(same).stage().subscribe_to(&last).spawn();
    }
    let sum = fold(0, |sum, n: u64| sum + n)
        .stage()
        .subscribe_to(&last)
        .spawn();
    above.demand().await;
    source.call(emit([1, 2])).await.unwrap();
    source.cast(act(|_| fail("went wrong"))).unwrap();
    let failure = failure(soon(sum.output()).await);
    assert_eq!(failure.to_string(), "stage `source` failed: went wrong");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_consumer_leaves_a_long_pipeline_at_rest() {
    let (probe, mut above) = ProducerProbe::counting();
    let source = probe.stage().spawn();
    let relay = map(|n: u64| n).stage().subscribe_to(&source).spawn();
    let (probe, mut below) = ConsumerProbe::new();
    let consumer = probe.stage().subscribe_to(&relay).spawn();
    below.gather(500).await;
    consumer.stop("enough");
    soon(consumer.outcome()).await;
    pending(relay.outcome()).await;
    above.drain().await;
    above.quiet().await;
    // It goes on with the next consumer where it was, as far as is known.
    let (probe, mut below) = ConsumerProbe::new();
    let next = probe.stage().subscribe_to(&relay).spawn();
    assert!(below.events().await.is_sorted());
    next.stop("enough");
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_cancel_its_own_subscription() {
    struct Until(u64);

    impl Consumer for Until {
        type Event = u64;

        async fn handle_events(
            &mut self,
            events: &mut Batch<u64>,
            cx: &mut Context<'_>,
        ) -> StageResult {
            let id = cx
                .subscription()
                .expect("a batch comes over a subscription");
            for n in events {
                if n == self.0 {
                    cx.cancel(id, "found");
                    break;
                }
            }
            Ok(())
        }
    }

    for mode in [CancelMode::Permanent, CancelMode::Temporary] {
        let (probe, mut above) = ProducerProbe::counting();
        let source = probe.stage().spawn();
        let terms = source.subscription().max_demand(10).on_cancel(mode);
        let consumer = Until(42).stage().subscribe_to(terms).spawn();
        assert_eq!(
            above.consumer_left().await.1.to_string(),
            "cancelled: found"
        );
        if mode == CancelMode::Permanent {
            assert_eq!(
                soon(consumer.outcome()).await.to_string(),
                "cancelled: found"
            );
        } else {
            pending(consumer.outcome()).await;
        }
    }
}

/// The waiting end of the old one must not end the stage after the move: who
/// moves a subscription cannot know that its producer is just ending.
#[tokio::test(start_paused = true)]
async fn a_subscription_whose_producer_has_just_ended_can_be_moved() {
    for ends in ["completed", "cancelled", "failed"] {
        let (first, mut firsts) = ProducerProbe::<u64>::silent();
        let first = first.stage().spawn();
        let (second, mut seconds) = ProducerProbe::<u64>::silent();
        let second = second.stage().spawn();
        let permits = Arc::new(Semaphore::new(0));
        let (probe, mut calls) = ConsumerProbe::new();
        let consumer = probe.held_by(&permits).stage().spawn();
        let old = soon(consumer.subscribe(&first)).await.unwrap();
        firsts.demand().await;
        first.call(emit([1])).await.unwrap();
        assert_eq!(calls.events().await, [1]);
        // While the consumer is busy, its producer ends, and it is moved.
        match ends {
            "completed" => first
                .cast(act(|out| {
                    out.complete();
                    Ok(())
                }))
                .unwrap(),
            "cancelled" => first.stop("oops"),
            _ => first.cast(act(|_| fail("oops"))).unwrap(),
        }
        // A producer completes when its consumers have handled everything.
        if ends != "completed" {
            soon(first.outcome()).await;
        }
        let mover = consumer.stage_ref();
        let to = second.subscription();
        let moved = tokio::spawn(async move { mover.resubscribe(old, "moved", to).await });
        pending(consumer.outcome()).await;
        permits.add_permits(100);
        let new = soon(moved).await.unwrap().unwrap();
        assert_eq!(seconds.consumer_joined().await.subscription, new);
        pending(consumer.outcome()).await;
        seconds.demand().await;
        second.call(emit([2])).await.unwrap();
        assert_eq!(calls.events().await, [2], "{ends}");
    }
}
