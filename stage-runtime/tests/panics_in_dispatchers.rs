//! A panic in the user's part of a dispatcher fails its producer, and nothing
//! else.

mod common;

use common::{failure, soon, word};
use stage_runtime::prelude::*;
use stage_test::probe::{ConsumerProbe, ProducerProbe, emit};

fn check(failure: &stage_core::Failure) {
    assert_eq!(failure.stage(), "bad");
    assert_eq!(failure.panic_message(), Some("went wrong"));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_partitions_hash_fails_the_producer() {
    let parts = Partition::by_index(1, |n: &u64| {
        if *n == 3 {
            panic!("went wrong")
        } else {
            Some(0)
        }
    });
    let (probe, mut calls) = ProducerProbe::silent();
    let source = probe.stage().name("bad").dispatcher(parts.unwrap()).spawn();
    let (probe, mut events) = ConsumerProbe::<u64>::new();
    let consumer = probe.stage().subscribe_to(source.partition(0)).spawn();
    events.producer_joined().await;
    calls.demand().await;
    source.call(emit([1, 2])).await.unwrap();
    assert!(soon(source.call(emit([3]))).await.is_err());
    assert_eq!(events.gather(2).await, [1, 2]);
    check(&failure(soon(source.join()).await));
    check(&failure(soon(consumer.join()).await));
    assert_eq!(word(&calls.terminated().await), "failed");
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_selector_fails_the_producer() {
    let (probe, mut calls) = ProducerProbe::silent();
    let source = probe
        .stage()
        .name("bad")
        .dispatcher(Broadcast::new())
        .spawn();
    let (probe, mut events) = ConsumerProbe::<u64>::new();
    let picky = source.selector(|n| if *n == 3 { panic!("went wrong") } else { true });
    let consumer = probe.stage().subscribe_to(picky).spawn();
    events.producer_joined().await;
    calls.demand().await;
    source.call(emit([1, 2])).await.unwrap();
    assert!(soon(source.call(emit([3]))).await.is_err());
    assert_eq!(events.gather(2).await, [1, 2]);
    check(&failure(soon(source.join()).await));
    check(&failure(soon(consumer.join()).await));
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
