//! Every event is emitted once, or counted as lost, whatever fails and however events
//! are asked for.

use fastrand::Rng;
use stage_runtime::ProducerConsumerHandle;
use stage_runtime::operators::{
    filter, from_iter, inspect, take, throttle, try_for_each_async, try_map, try_map_concurrent,
    try_then,
};
use stage_runtime::prelude::*;
use stage_test::assert_settled;
use tokio::task::yield_now;

use super::{at_once, ms};
use crate::common::failure_plan::FailurePlan;
use crate::common::wiring::demanding;
use crate::common::{seeds, soon};

/// Fails one time in twenty, by an error or a panic.
fn shaky(random: &mut Rng, n: u64) -> StageResult<u64> {
    match random.u8(0..40) {
        0 => Err("stumbled".into()),
        1 => panic!("stumbled"),
        _ => Ok(n),
    }
}

/// Puts a supervised step behind `from`.
fn behind<T, P>(
    from: &ProducerConsumerHandle<P>,
    pipeline: &Pipeline,
    random: &mut Rng,
    make: impl FnMut() -> T + Send + 'static,
) -> ProducerConsumerHandle<T>
where
    P: ProducerConsumer<Out = u64>,
    T: ProducerConsumer<In = u64, Out = u64>,
{
    supervised(make)
        .restart(at_once())
        .stage()
        .subscribe_to(demanding(from.subscription(), random, 40))
        .in_group(pipeline)
        .spawn()
}

#[test]
fn a_row_of_operators_that_fail_accounts_for_every_event() {
    seeds(100, |seed, mut random| async move {
        let pipeline = Pipeline::new();
        let events = random.u64(1..400);
        let source = from_iter(0..events).stage().in_group(&pipeline).spawn();
        let inspected = inspect(|_: &u64| ())
            .stage()
            .subscribe_to(demanding(source.subscription(), &mut random, 40))
            .in_group(&pipeline)
            .spawn();
        let mut of = random.fork();
        let mapped = behind(&inspected, &pipeline, &mut random, move || {
            let mut random = of.fork();
            try_map(move |n| shaky(&mut random, n))
        });
        let mut of = random.fork();
        let awaited = behind(&mapped, &pipeline, &mut random, move || {
            let mut random = of.fork();
            try_then(move |n| {
                let mut random = random.fork();
                async move {
                    if random.bool() {
                        yield_now().await;
                    }
                    shaky(&mut random, n)
                }
            })
        });
        let (limit, unordered) = (random.usize(1..6), random.bool());
        let mut of = random.fork();
        let concurrent = behind(&awaited, &pipeline, &mut random, move || {
            let mut random = of.fork();
            let step = try_map_concurrent(limit, move |n| {
                let mut random = random.fork();
                async move {
                    tokio::time::sleep(ms(random.u64(0..3))).await;
                    shaky(&mut random, n)
                }
            });
            if unordered { step.unordered() } else { step }
        });
        let all = behind(&concurrent, &pipeline, &mut random, || {
            filter(|_: &u64| true)
        });
        let (rate, period) = (random.usize(1..100), ms(random.u64(1..4)));
        let slowed = behind(&all, &pipeline, &mut random, move || throttle(rate, period));
        let last = behind(&slowed, &pipeline, &mut random, || take(usize::MAX));
        let failure_plan = FailurePlan::default();
        let (notes, mut of) = (failure_plan.clone(), random.fork());
        let sink = supervised(move || {
            let (notes, mut random) = (notes.clone(), of.fork());
            try_for_each_async(move |n| {
                let (notes, mut random) = (notes.clone(), random.fork());
                async move {
                    shaky(&mut random, n)?;
                    notes.note(n, "handled");
                    Ok(())
                }
            })
        });
        let sink = sink
            .restart(at_once())
            .stage()
            .subscribe_to(demanding(last.subscription(), &mut random, 40))
            .in_group(&pipeline)
            .spawn();
        soon(pipeline.join()).await.unwrap();
        let lost = [
            mapped.stats().lost,
            awaited.stats().lost,
            concurrent.stats().lost,
            sink.stats().lost,
        ];
        failure_plan.check(events, lost.iter().sum(), seed);
        assert_settled(&pipeline);
    });
}
