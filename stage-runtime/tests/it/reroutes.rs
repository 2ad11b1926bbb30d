//! The route of a running subscription changes, and the subscription keeps its place.

use std::sync::Arc;

use stage_core::SubscribeError;
use stage_dispatchers::PartitionKey;
use stage_runtime::StageRef;
use stage_runtime::handle::{Emits, Nothing};
use stage_runtime::operators::{for_each, from_iter};
use stage_runtime::prelude::*;
use stage_test::probe::{ConsumerProbe, ProducerProbe, emit};
use tokio::sync::Semaphore;

use crate::common::soon;

/// The demand goes on: elixir-lang/gen_stage#133, where events that a selector refused
/// used up the demand of its subscriber.
#[tokio::test(start_paused = true)]
async fn a_selector_changes_between_two_events() {
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().dispatcher(Broadcast::new()).spawn();
    let (probe, mut picky) = ConsumerProbe::new();
    let consumer = probe.stage().spawn();
    let terms = source.selector(|n| *n < 10).max_demand(4);
    let id = consumer.subscribe(terms).await.unwrap();
    picky.producer_joined().await;
    let (probe, mut all) = ConsumerProbe::new();
    probe.stage().subscribe_to(&source).spawn();
    above.demand().await;
    source.call(emit([1, 20])).await.unwrap();
    assert_eq!(picky.events().await, [1]);

    soon(source.reroute(id, Selector::new(|n| *n >= 10)))
        .await
        .unwrap();
    source.call(emit([2, 30])).await.unwrap();
    assert_eq!(picky.events().await, [30]);
    soon(source.reroute(id, Selector::new(|_| false)))
        .await
        .unwrap();
    for n in 0..100 {
        source.call(emit([n])).await.unwrap();
    }
    assert_eq!(all.gather(104).await.len(), 104);
    picky.quiet().await;
}

/// Of a partition, the next consumer may have it when the one that moved has settled
/// what it had from it, and not before.
#[tokio::test(start_paused = true)]
async fn a_consumer_moves_to_another_partition() {
    let parts = Partition::by_index(2, |n: &u64| Some((n % 2) as usize)).unwrap();
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().dispatcher(parts).spawn();
    let permits = Arc::new(Semaphore::new(0));
    let (probe, mut one) = ConsumerProbe::new();
    let mover = probe.held_by(&permits).stage().spawn();
    let terms = source.partition(0).max_demand(10).min_demand(9);
    let id = mover.subscribe(terms).await.unwrap();
    one.producer_joined().await;
    above.demand().await;
    source.call(emit([0, 2, 1])).await.unwrap();
    assert_eq!(one.events().await, [0]);

    soon(source.reroute(id, PartitionKey(1))).await.unwrap();
    source.call(emit([4])).await.unwrap();
    let (probe, mut two) = ConsumerProbe::new();
    let next = probe.stage().spawn();
    let early = soon(next.subscribe(source.partition(0))).await;
    assert!(
        matches!(early, Err(SubscribeError::PartitionTaken { .. })),
        "{early:?}"
    );
    permits.add_permits(100);
    assert_eq!(one.gather(2).await, [2, 1]);
    one.quiet().await;
    soon(next.subscribe(source.partition(0))).await.unwrap();
    assert_eq!(two.events().await, [4]);
    source.call(emit([3, 6])).await.unwrap();
    assert_eq!(one.events().await, [3]);
    assert_eq!(two.events().await, [6]);
    assert_eq!(source.stats().discarded, 0);
}

#[tokio::test(start_paused = true)]
async fn a_route_that_cannot_be_is_refused() {
    let source = from_iter(0..u64::MAX).stage().spawn();
    let consumer = for_each(|_: u64| ()).stage().spawn();
    let id = consumer
        .subscribe(source.subscription().max_demand(10))
        .await
        .unwrap();
    let fixed = soon(source.reroute(id, ())).await;
    assert_eq!(fixed, Err(SubscribeError::FixedRoute { id }));
    let nobody = SubscriptionId::new(u64::MAX);
    let unknown = soon(source.reroute(nobody, ())).await;
    assert_eq!(unknown, Err(SubscribeError::NotSubscribed { id: nobody }));
    source.evict(id, "enough");
    let gone = soon(source.reroute(id, ())).await;
    assert_eq!(gone, Err(SubscribeError::NotSubscribed { id }));
    source.stop("over");
    soon(source.outcome()).await;
    let ended = soon(source.reroute(id, ())).await;
    assert!(
        matches!(ended, Err(SubscribeError::ProducerEnded { .. })),
        "{ended:?}"
    );
}

/// A handler that waited for a new route of its own stage would wait for itself (H8).
#[tokio::test(start_paused = true)]
async fn a_handler_of_the_producer_cannot_wait_for_it() {
    struct Own;

    impl Producer for Own {
        type Event = u64;
        async fn handle_demand(&mut self, _: usize, _: &mut Emitter<'_, u64>) -> StageResult {
            Ok(())
        }
    }
    struct Start(StageRef<Own, Nothing, Emits<u64, ()>>);
    impl Handler<Start, u64> for Own {
        type Reply = Result<(), SubscribeError>;
        async fn handle(
            &mut self,
            Start(own): Start,
            _: &mut Emitter<'_, u64>,
        ) -> StageResult<Self::Reply> {
            Ok(own.reroute(SubscriptionId::new(1), ()).await)
        }
    }
    let own = Own.stage().spawn();
    let said = soon(own.call(Start(own.stage_ref()))).await.unwrap();
    assert!(
        matches!(said, Err(SubscribeError::InHandler { .. })),
        "{said:?}"
    );
}
