//! A producer whose dispatcher waits for one consumer sleeps until that one has
//! asked (X14).
#![allow(clippy::unwrap_used, reason = "a panic is how a test says no")]

mod common;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::soon;
use stage_core::{Bottleneck, Deliveries, Dispatcher, SubscribeError, SubscriptionId, Supply};
use stage_runtime::prelude::*;
use stage_test::probe::{Calls, ConsumerProbe, ProducerProbe};

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
    async fn of(source: &ProducerHandle<ProducerProbe<u64>, Selector<u64>>) -> Self {
        let (probe, calls) = ConsumerProbe::manual();
        let handle = probe.stage().spawn();
        let terms = source.subscription().cancel(Cancel::Temporary);
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
    let mut one = Manual::of(&source).await;
    let mut two = Manual::of(&source).await;
    let mut last = Manual::of(&source).await;
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
