//! What an `ask` costs, with nothing around the dispatcher.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::time::Instant;

use stages::dispatcher::PartitionKey;
use stages::{
    Broadcast, Demand, Partition, Selector, SubscriptionId,
    dispatcher::{Deliveries, Dispatcher},
};

use super::median;
use super::plot::Plot;

const SUBSCRIBERS: [usize; 9] = [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000];

/// The cost of an `ask` as subscribers grow in number.
pub(super) fn asks(runs: u32) -> Plot {
    let curve = |cost: fn(usize) -> f64| {
        SUBSCRIBERS
            .iter()
            .map(|&count| (count as f64, median(runs, || cost(count))))
            .collect()
    };
    Plot {
        name: "asks",
        title: "What an ask costs",
        across: "subscribers",
        up: "ns per ask",
        curves: vec![
            (
                "Demand",
                curve(|count| ask(Demand::<u64>::new(), count, |_| ())),
            ),
            (
                "Broadcast",
                curve(|count| ask(Broadcast::<u64>::new(), count, |_| Selector::all())),
            ),
            (
                "Partition",
                curve(|count| {
                    let partition = Partition::<u64>::new(count);
                    ask(
                        partition.expect("there are few enough"),
                        count,
                        PartitionKey,
                    )
                }),
            ),
        ],
    }
}

/// Asks for one event after the other, by subscribers in no order that a
/// prefetcher would guess.
fn ask<D: Dispatcher>(mut dispatcher: D, count: usize, route: impl Fn(usize) -> D::Route) -> f64 {
    const ASKS: usize = 100_000;
    /// Coprime to every count above.
    const STEP: usize = 7919;

    let mut out = Deliveries::new();
    let id = |n: usize| SubscriptionId::new(n as u64 + 1);
    let one = NonZeroUsize::MIN;
    for n in 0..count {
        let subscribed = dispatcher.subscribe(id(n), route(n));
        subscribed.expect("everybody is new");
        dispatcher.ask(id(n), one, &mut out);
    }
    let started = Instant::now();
    for n in 0..ASKS {
        black_box(dispatcher.ask(id(n * STEP % count), one, &mut out));
    }
    started.elapsed().as_secs_f64() * 1e9 / ASKS as f64
}
