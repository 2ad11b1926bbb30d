//! A panic in a hash or a selector costs the event at which it happened; one in
//! a dispatcher of the user's own fails its producer, and nothing else.

use crate::common::{failure, pending, soon};
use stage_runtime::operators::{for_each, from_iter};
use stage_runtime::prelude::*;
use stage_test::probe::{ConsumerProbe, ProducerProbe, emit};

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_partitions_hash_costs_that_event_only() {
    let parts = Partition::by_index(1, |n: &u64| {
        assert!(*n != 3, "went wrong");
        Some(0)
    });
    let (probe, mut calls) = ProducerProbe::silent();
    let source = probe.stage().dispatcher(parts.unwrap()).spawn();
    let (probe, mut events) = ConsumerProbe::<u64>::new();
    probe.stage().subscribe_to(source.partition(0)).spawn();
    calls.demand().await;
    source.call(emit([1, 3, 2])).await.unwrap();
    assert_eq!(events.gather(2).await, [1, 2]);
    source.call(emit([3, 3, 4])).await.unwrap();
    assert_eq!(events.events().await, [4]);
    pending(source.outcome()).await;
    assert_eq!(source.stats().rejected, 3);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_selector_costs_its_subscriber_that_event_only() {
    let (probe, mut calls) = ProducerProbe::silent();
    let source = probe.stage().dispatcher(Broadcast::new()).spawn();
    let (probe, mut events) = ConsumerProbe::<u64>::new();
    let picky = source.selector(|n| {
        assert!(*n != 3, "went wrong");
        *n != 2
    });
    probe.stage().subscribe_to(picky).spawn();
    let (probe, mut all) = ConsumerProbe::<u64>::new();
    probe.stage().subscribe_to(&source).spawn();
    calls.demand().await;
    source.call(emit([1, 2, 3, 4])).await.unwrap();
    assert_eq!(events.gather(2).await, [1, 4]);
    assert_eq!(all.gather(4).await, [1, 2, 3, 4]);
    pending(source.outcome()).await;
    assert_eq!(source.stats().rejected, 1);
}

/// A dispatcher that panics whatever it is asked, and says so to the end.
struct Broken;

impl stage_core::Dispatcher for Broken {
    type Event = u64;
    type Route = ();

    fn subscribe(
        &mut self,
        _: SubscriptionId,
        (): (),
    ) -> Result<usize, stage_core::SubscribeError> {
        Ok(0)
    }

    fn cancel(&mut self, _: SubscriptionId, _: &mut stage_core::Deliveries<u64>) -> usize {
        panic!("broken")
    }

    fn ask(
        &mut self,
        _: SubscriptionId,
        _: std::num::NonZeroUsize,
        _: &mut stage_core::Deliveries<u64>,
    ) -> usize {
        panic!("broken")
    }

    fn dispatch(&mut self, _: Batch<u64>, _: &mut stage_core::Deliveries<u64>) -> Batch<u64> {
        panic!("broken")
    }

    fn held(&self) -> usize {
        panic!("broken")
    }
}

#[tokio::test(start_paused = true)]
async fn a_dispatcher_that_panics_at_every_call_still_lets_its_stage_end() {
    let source = from_iter(0..10u64).stage().dispatcher(Broken).spawn();
    let sink = for_each(|_: u64| {}).stage().subscribe_to(&source).spawn();
    assert_eq!(
        failure(soon(source.join()).await).panic_message(),
        Some("broken")
    );
    assert!(soon(sink.join()).await.is_err());
}
