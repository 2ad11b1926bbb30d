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

/// Hands all events to its one subscriber, and panics when that is cancelled.
#[derive(Default)]
struct Clings(Option<SubscriptionId>);

impl stage_core::Dispatcher for Clings {
    type Event = u64;
    type Route = ();

    fn subscribe(
        &mut self,
        id: SubscriptionId,
        (): (),
    ) -> Result<usize, stage_core::SubscribeError> {
        self.0 = Some(id);
        Ok(0)
    }

    fn cancel(&mut self, _: SubscriptionId, _: &mut stage_core::Deliveries<u64>) -> usize {
        panic!("clings")
    }

    fn ask(
        &mut self,
        _: SubscriptionId,
        demand: std::num::NonZeroUsize,
        _: &mut stage_core::Deliveries<u64>,
    ) -> usize {
        demand.get()
    }

    fn dispatch(
        &mut self,
        events: Batch<u64>,
        deliveries: &mut stage_core::Deliveries<u64>,
    ) -> Batch<u64> {
        if let Some(id) = self.0 {
            deliveries.deliver(id, events);
        }
        Batch::new()
    }

    fn held(&self) -> usize {
        0
    }
}

/// A source that has completed and waits cancels its consumers itself (E23).
#[tokio::test(start_paused = true)]
async fn a_dispatcher_that_panics_as_its_source_ends_the_links_leaves_no_consumer_behind() {
    struct Waits;
    impl Producer for Waits {
        type Event = u64;
        async fn handle_demand(&mut self, _: usize, out: &mut Emitter<'_, u64>) -> StageResult {
            out.push(1);
            out.complete();
            Ok(())
        }
        fn may_complete(&self) -> bool {
            false
        }
    }
    let pipeline = Pipeline::new();
    let source = Waits.stage().dispatcher(Clings::default());
    let source = source.in_group(&pipeline).spawn();
    let sink = for_each(|_: u64| {}).stage().subscribe_to(&source);
    let sink = sink.in_group(&pipeline).spawn();
    let failed = failure(soon(source.join()).await);
    assert_eq!(failed.panic_message(), Some("clings"));
    assert!(soon(sink.join()).await.is_err());
    stage_test::assert_settled(&pipeline);
}
