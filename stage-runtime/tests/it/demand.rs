//! Who asks for how much, and the batches that come of it (D1 to D9).

use crate::common::{pending, soon};
use stage_runtime::operators::{fold, from_iter};
use stage_runtime::prelude::*;
use stage_test::probe::{Call, Calls, ConsumerProbe, ProducerProbe, RelayProbe, act, emit};

/// Spawns a counting producer with a consumer, and gives the calls of both.
fn counting(max: usize, min: Option<usize>) -> (Calls<u64>, Calls<u64>) {
    let (probe, above) = ProducerProbe::counting();
    let source = probe.stage().spawn();
    let (probe, below) = ConsumerProbe::new();
    let terms = source.subscription().max_demand(max);
    let terms = match min {
        Some(min) => terms.min_demand(min),
        None => terms,
    };
    probe.stage().subscribe_to(terms).spawn();
    (above, below)
}

fn numbers(range: std::ops::Range<u64>) -> Vec<u64> {
    range.collect()
}

/// GS090
#[tokio::test(start_paused = true)]
async fn by_default_a_consumer_gets_half_of_its_max_demand_at_a_time() {
    let (probe, mut above) = ProducerProbe::counting();
    let source = probe.stage().spawn();
    let (probe, mut below) = ConsumerProbe::new();
    probe.stage().subscribe_to(&source).spawn();
    assert_eq!(below.events().await, numbers(0..500));
    assert_eq!(below.events().await, numbers(500..1000));
    assert_eq!(above.demand().await, 1000);
    // Two asks of 500 that arrive together are one call.
    assert_eq!(above.demand().await % 500, 0);
}

/// GS091
#[tokio::test(start_paused = true)]
async fn a_high_min_demand_makes_small_batches() {
    let (mut above, mut below) = counting(100, Some(80));
    for first in (0..2_000).step_by(20) {
        assert_eq!(below.events().await, numbers(first..first + 20));
    }
    assert_eq!(above.demand().await, 100);
    // Several asks that arrive together are one call.
    assert_eq!(above.demand().await % 20, 0);
}

/// GS092
#[tokio::test(start_paused = true)]
async fn a_low_min_demand_makes_large_batches() {
    let (mut above, mut below) = counting(100, Some(20));
    assert_eq!(below.events().await, numbers(0..80));
    assert_eq!(below.events().await, numbers(80..100));
    assert_eq!(below.events().await, numbers(100..180));
    assert_eq!(below.events().await, numbers(180..260));
    assert_eq!(below.events().await, numbers(260..280));
    assert_eq!(above.demand().await, 100);
    assert_eq!(above.demand().await, 80);
    assert_eq!(above.demand().await, 100);
}

/// GS093
#[tokio::test(start_paused = true)]
async fn a_max_demand_of_one_makes_single_events() {
    let (mut above, mut below) = counting(1, None);
    for n in 0..100 {
        assert_eq!(below.events().await, [n]);
        assert_eq!(above.demand().await, 1);
    }
}

/// GS094 GS095
#[tokio::test(start_paused = true)]
async fn a_broadcast_goes_at_the_pace_of_the_slowest() {
    let (probe, mut above) = ProducerProbe::counting();
    let source = probe.stage().dispatcher(Broadcast::new()).spawn();
    let (idle, _idle_calls) = ConsumerProbe::<u64>::manual();
    let idle = idle.stage().spawn();
    let blocks = soon(idle.subscribe(source.subscription().on_cancel(CancelMode::Temporary)))
        .await
        .unwrap();
    let (one, mut ones) = ConsumerProbe::new();
    let (two, mut twos) = ConsumerProbe::new();
    let terms = |max| source.subscription().max_demand(max).min_demand(0);
    one.stage().subscribe_to(terms(10)).spawn();
    two.stage().subscribe_to(terms(20)).spawn();
    ones.producer_joined().await;
    twos.producer_joined().await;
    ones.quiet().await;
    twos.quiet().await;
    idle.cancel(blocks, "go on");
    assert_eq!(above.demand().await, 10);
    for n in 0..100 {
        assert_eq!(ones.events().await, numbers(n * 10..n * 10 + 10));
    }
    assert_eq!(twos.gather(1000).await, numbers(0..1000));
}

/// GS096
#[tokio::test(start_paused = true)]
async fn a_broadcast_asks_upstream_once_for_what_all_want() {
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().dispatcher(Broadcast::new()).spawn();
    let (one, two) = (
        ConsumerProbe::new().0.stage().spawn(),
        ConsumerProbe::new().0.stage().spawn(),
    );
    soon(one.subscribe(source.subscription().max_demand(10).min_demand(0)))
        .await
        .unwrap();
    soon(two.subscribe(source.subscription().max_demand(20).min_demand(0)))
        .await
        .unwrap();
    let demands: Vec<_> = above
        .drain()
        .await
        .into_iter()
        .filter_map(|call| match call {
            Call::Demand(demand) => Some(demand),
            _ => None,
        })
        .collect();
    // Before the second one subscribed, the first could have had 10 as well.
    assert_eq!(demands, [10]);
}

/// GS097 GS098 GS099 GS100
#[tokio::test(start_paused = true)]
async fn a_relay_keeps_to_the_limits_of_both_its_sides() {
    for late in [false, true] {
        for (max, min) in [(100, 80), (100, 20)] {
            let (probe, mut above) = ProducerProbe::counting();
            let source = probe.stage().spawn();
            let (relay, mut middle) = RelayProbe::new(|events: &mut Batch<u64>, out| {
                out.extend(events.into_iter().flat_map(|n| [n, n]));
                Ok(())
            });
            let (probe, mut below) = ConsumerProbe::new();
            let terms = source.subscription().max_demand(max).min_demand(min);
            if late {
                let relay = relay.stage().spawn();
                let consumer = probe.stage().spawn();
                let terms_below = relay.subscription().max_demand(100).min_demand(50);
                soon(consumer.subscribe(terms_below)).await.unwrap();
                soon(relay.subscribe(terms)).await.unwrap();
            } else {
                let relay = relay.stage().subscribe_to(terms).spawn();
                let terms_below = relay.subscription().max_demand(100).min_demand(50);
                probe.stage().subscribe_to(terms_below).spawn();
            }
            assert_eq!(above.demand().await, 100);
            let limit = (max - min) as u64;
            assert_eq!(middle.events().await, numbers(0..limit));
            let mut all = Vec::new();
            while all.len() < 1000 {
                let batch = below.events().await;
                assert!(batch.len() <= 50);
                all.extend(batch);
            }
            let expected: Vec<u64> = (0..).flat_map(|n| [n, n]).take(all.len()).collect();
            assert_eq!(all, expected);
            for _ in 0..20 {
                assert!(middle.events().await.len() as u64 <= limit);
            }
        }
    }
}

/// GS101
#[tokio::test(start_paused = true)]
async fn a_relay_stops_when_its_consumer_stops_asking() {
    let (probe, mut above) = ProducerProbe::counting();
    let source = probe.stage().spawn();
    let (relay, mut middle) = RelayProbe::new(|events: &mut Batch<u64>, out| {
        out.extend(events);
        Ok(())
    });
    let relay = relay
        .stage()
        .subscribe_to(source.subscription().max_demand(10).min_demand(8))
        .spawn();
    let (probe, mut below) = ConsumerProbe::<u64>::manual();
    let consumer = probe.stage().subscribe_to(&relay).spawn();
    let id = below.producer_joined().await.subscription;
    consumer.ask(id, 10);
    assert_eq!(below.gather(10).await, numbers(0..10));
    assert_eq!(middle.gather(10).await, numbers(0..10));
    middle.drain().await;
    above.drain().await;
    middle.quiet().await;
    above.quiet().await;
    assert_eq!(source.stats().events_out, 20);
    // It goes on where it was.
    consumer.ask(id, 2);
    assert_eq!(below.gather(2).await, numbers(10..12));
}

/// GS102
#[tokio::test(start_paused = true)]
async fn a_relay_that_emits_nothing_goes_on_asking() {
    let (probe, _) = ProducerProbe::counting();
    let source = probe.stage().spawn();
    let (relay, mut middle) = RelayProbe::<u64, u64>::new(|_, _| Ok(()));
    let relay = relay
        .stage()
        .subscribe_to(source.subscription().max_demand(100).min_demand(80))
        .spawn();
    let (probe, _below) = ConsumerProbe::<u64>::new();
    probe
        .stage()
        .subscribe_to(relay.subscription().max_demand(100))
        .spawn();
    for first in (0..2_000).step_by(20) {
        assert_eq!(middle.events().await, numbers(first..first + 20));
    }
}

#[tokio::test(start_paused = true)]
async fn a_demand_without_end_allocates_nothing_and_goes_round() {
    let (probe, mut above) = ProducerProbe::silent();
    let source = probe.stage().spawn();
    let (probe, mut below) = ConsumerProbe::new();
    let consumer = probe
        .stage()
        .subscribe_to(source.subscription().max_demand(usize::MAX))
        .spawn();
    // Named in parts.
    assert_eq!(above.demand().await, 10_000);
    consumer.ask(below.producer_joined().await.subscription, usize::MAX);
    source.call(emit(0..5u64)).await.unwrap();
    assert_eq!(below.gather(5).await, numbers(0..5));
    source
        .call(act(|out| {
            out.complete();
            Ok(())
        }))
        .await
        .unwrap();
    soon(consumer.join()).await.unwrap();
    let finite = from_iter(0..10u64).stage().spawn();
    let endless = finite.subscription().max_demand(usize::MAX);
    let sum = fold(0, |sum, n: u64| sum + n)
        .stage()
        .subscribe_to(endless)
        .spawn();
    assert_eq!(soon(sum.output()).await.unwrap(), 45);
}

/// GS144 GS145
#[tokio::test(start_paused = true)]
async fn in_manual_mode_only_what_is_asked_by_hand_comes() {
    for late in [false, true] {
        let (probe, mut above) = ProducerProbe::counting();
        let source = probe.stage().spawn();
        let (probe, mut below) = ConsumerProbe::manual();
        let consumer = if late {
            let consumer = probe.stage().spawn();
            soon(consumer.subscribe(&source)).await.unwrap();
            consumer
        } else {
            probe.stage().subscribe_to(&source).spawn()
        };
        let id = below.producer_joined().await.subscription;
        above.consumer_joined().await;
        above.quiet().await;
        consumer.ask(id, 50);
        assert_eq!(below.events().await, numbers(0..50));
        below.quiet().await;
        // From a handler of its own, and 0 asks for nothing.
        soon(consumer.call(act(move |out| {
            out.ask(id, 0);
            out.ask(id, 20);
            out.ask(id, 30);
            Ok(())
        })))
        .await
        .unwrap();
        assert_eq!(below.gather(50).await, numbers(50..100));
        // D4 still holds: 1500 come in batches of at most 500.
        consumer.ask(id, 1500);
        for first in [100, 600, 1100] {
            assert_eq!(below.events().await, numbers(first..first + 500));
        }
        pending(consumer.outcome()).await;
    }
}
