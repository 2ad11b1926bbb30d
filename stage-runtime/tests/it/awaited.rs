//! Who is not woken for what it can do nothing with: a producer whose dispatcher
//! waits for one consumer, by asks of the others (X14); a producer-consumer
//! without events, by asks, and one without demand, by events (P11).

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::common::soon;
use stage_core::{Bottleneck, Deliveries, Dispatcher, SubscribeError, SubscriptionId, Supply};
use stage_runtime::ConsumerHandle;
use stage_runtime::prelude::*;
use stage_test::probe::{Calls, ConsumerProbe, ProducerProbe, RelayProbe, emit};

/// A broadcast that counts the asks it is told of.
struct Counted {
    broadcast: Broadcast<u64>,
    asks: Arc<AtomicUsize>,
}

impl Dispatcher for Counted {
    type Event = u64;
    type Route = Selector<u64>;

    fn subscribe(
        &mut self,
        id: SubscriptionId,
        route: Selector<u64>,
    ) -> Result<usize, SubscribeError> {
        self.broadcast.subscribe(id, route)
    }

    fn cancel(&mut self, id: SubscriptionId, out: &mut Deliveries<u64>) -> usize {
        self.broadcast.cancel(id, out)
    }

    fn ask(
        &mut self,
        id: SubscriptionId,
        demand: NonZeroUsize,
        out: &mut Deliveries<u64>,
    ) -> usize {
        self.asks.fetch_add(1, Ordering::Relaxed);
        self.broadcast.ask(id, demand, out)
    }

    fn dispatch(&mut self, events: Batch<u64>, out: &mut Deliveries<u64>) -> Batch<u64> {
        self.broadcast.dispatch(events, out)
    }

    fn at_rest(&mut self, supply: Supply) -> usize {
        self.broadcast.at_rest(supply)
    }

    fn bottleneck(&self) -> Option<Bottleneck> {
        self.broadcast.bottleneck()
    }
}

/// A consumer that asks when it is told to.
struct Manual {
    handle: ConsumerHandle<ConsumerProbe<u64>>,
    calls: Calls<u64>,
    id: SubscriptionId,
}

impl Manual {
    async fn to(producer: Subscription<u64>) -> Self {
        let (probe, calls) = ConsumerProbe::manual();
        let handle = probe.stage().spawn();
        let terms = producer.on_cancel(CancelMode::Temporary);
        let id = soon(handle.subscribe(terms)).await.unwrap();
        Self { handle, calls, id }
    }

    fn ask(&self, demand: usize) {
        self.handle.ask(self.id, demand);
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_one_that_is_awaited_wakes_a_broadcast() {
    let asks = Arc::new(AtomicUsize::new(0));
    let (probe, mut above) = ProducerProbe::counting();
    let dispatcher = Counted {
        broadcast: Broadcast::new(),
        asks: Arc::clone(&asks),
    };
    let source = probe.stage().dispatcher(dispatcher).spawn();
    let mut one = Manual::to(source.subscription()).await;
    let mut two = Manual::to(source.subscription()).await;
    let mut last = Manual::to(source.subscription()).await;
    for consumer in [&mut one, &mut two, &mut last] {
        consumer.calls.producer_joined().await;
        above.consumer_joined().await;
    }
    // As soon as one has demand, the last of the others is awaited.
    one.ask(5);
    above.quiet().await;
    for n in 0..10 {
        let before = asks.load(Ordering::Relaxed);
        one.ask(5);
        two.ask(5);
        above.quiet().await;
        assert_eq!(asks.load(Ordering::Relaxed), before);
        last.ask(5);
        assert_eq!(above.demand().await, 5);
        assert_eq!(asks.load(Ordering::Relaxed), before + 3);
        for consumer in [&mut one, &mut two, &mut last] {
            assert_eq!(
                consumer.calls.events().await,
                Vec::from_iter(5 * n..5 * n + 5)
            );
        }
    }
    // Others can leave all the same, and what they asked for before is known
    // when the awaited one leaves.
    two.handle.cancel(two.id, "enough");
    above.consumer_left().await;
    one.ask(1);
    above.quiet().await;
    last.handle.cancel(last.id, "enough");
    above.consumer_left().await;
    assert_eq!(above.demand().await, 6);
    assert_eq!(one.calls.events().await, Vec::from_iter(50..56));
}

#[tokio::test(start_paused = true)]
async fn a_relay_without_events_looks_at_asks_when_events_come() {
    let asks = Arc::new(AtomicUsize::new(0));
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let (probe, mut calls) = RelayProbe::new(|events: &mut Batch<u64>, out| {
        out.extend(events);
        Ok(())
    });
    let dispatcher = Counted {
        broadcast: Broadcast::new(),
        asks: Arc::clone(&asks),
    };
    let relay = probe
        .stage()
        .dispatcher(dispatcher)
        .subscribe_to(&source)
        .spawn();
    above.consumer_joined().await;
    calls.producer_joined().await;
    above.demand().await;
    // With one consumer, whose link is not listed, and with two.
    let mut consumers = Vec::new();
    for n in 0..2 {
        consumers.push(Manual::to(relay.subscription()).await);
        consumers[n].calls.producer_joined().await;
        calls.consumer_joined().await;
        for round in 0..10 {
            let before = asks.load(Ordering::Relaxed);
            consumers.iter().for_each(|consumer| consumer.ask(1));
            calls.quiet().await;
            assert_eq!(asks.load(Ordering::Relaxed), before);
            soon(source.call(emit([round]))).await.unwrap();
            assert_eq!(calls.events().await, [round]);
            assert_eq!(asks.load(Ordering::Relaxed), before + consumers.len());
            for consumer in &mut consumers {
                assert_eq!(consumer.calls.events().await, [round]);
            }
        }
    }
    // It learns at once of what is no ask.
    for consumer in consumers {
        consumer.handle.cancel(consumer.id, "enough");
        calls.consumer_left().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_relay_without_demand_looks_at_events_when_it_is_asked() {
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let (probe, mut calls) = RelayProbe::new(|events: &mut Batch<u64>, out| {
        out.extend(events);
        Ok(())
    });
    let relay = probe
        .stage()
        .dispatcher(Broadcast::new())
        .subscribe_to(&source)
        .spawn();
    above.consumer_joined().await;
    calls.producer_joined().await;
    above.demand().await;
    let mut consumer = Manual::to(relay.subscription()).await;
    consumer.calls.producer_joined().await;
    calls.consumer_joined().await;
    for n in 0..3 {
        soon(source.call(emit([n]))).await.unwrap();
        calls.quiet().await;
        assert_eq!(relay.stats().queued, 1, "the first is all that it knows of");
    }
    consumer.ask(3);
    assert_eq!(calls.gather(3).await, [0, 1, 2]);
    assert_eq!(consumer.calls.gather(3).await, [0, 1, 2]);
    assert_eq!(relay.stats().queued, 0);
}
