//! Futures that are dropped at any poll, and tasks that are aborted.

use std::time::Duration;

use futures::StreamExt;
use stage_runtime::operators::from_iter;
use stage_runtime::prelude::*;
use stage_test::assert_settled;
use stage_test::probe::{ConsumerProbe, act};

use crate::common::failure_plan::{FailurePlan, Shaky};
use crate::common::wiring::{a_while, demanding, dropped_after, gone};
use crate::common::{seeds, seeds_on_threads, soon};

/// Hands events on, and may be dropped between any two of them.
pub(crate) struct Relay;

impl ProducerConsumer for Relay {
    type In = u64;
    type Out = u64;

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        out: &mut Emitter<'_, u64>,
    ) -> StageResult {
        while let Some(&n) = events.peek() {
            if n % 5 == 0 {
                tokio::task::yield_now().await;
            }
            events.advance(1);
            out.push(n);
        }
        Ok(())
    }
}

#[test]
fn whichever_public_future_is_dropped_nothing_is_lost() {
    seeds_on_threads(200, |seed, mut random| async move {
        let events = random.u64(0..400);
        let failure_plan = FailurePlan::default();
        let pipeline = Pipeline::new();
        let source = from_iter(0..events).stage().in_group(&pipeline).spawn();
        let relay = Relay
            .stage()
            .subscribe_to(demanding(source.subscription(), &mut random, 30))
            .in_group(&pipeline)
            .spawn();
        let relay = relay.stage_ref();
        let steady = Shaky::new(&mut random, &failure_plan, 0)
            .stage()
            .subscribe_to(demanding(relay.subscription(), &mut random, 30))
            .in_group(&pipeline)
            .spawn();
        let (probe, _) = ConsumerProbe::<u64>::new();
        let noted = failure_plan.clone();
        let guest = probe
            .on_call(move |call| {
                if let stage_test::probe::Call::Events(events) = call {
                    events.iter().for_each(|&n| noted.note(n, "handled"));
                }
                Ok(())
            })
            .stage()
            .in_group(&pipeline)
            .spawn();
        let guest = guest.stage_ref();
        for _ in 0..random.usize(1..8) {
            a_while(&mut random, 5).await;
            let polls = random.usize(0..4);
            let terms =
                demanding(relay.subscription(), &mut random, 20).on_cancel(CancelMode::Temporary);
            match random.u8(0..6) {
                0 => drop(dropped_after(polls, steady.outcome()).await),
                1 => drop(dropped_after(polls, guest.call(act(|_| Ok(())))).await),
                2 => drop(dropped_after(polls, pipeline.join()).await),
                3 => {
                    let subscribed = dropped_after(polls, guest.subscribe(terms)).await;
                    if let Some(Ok(id)) = subscribed
                        && random.bool()
                    {
                        guest.cancel(id, "enough");
                    }
                }
                4 => {
                    let mut stream = terms.into_stream().unwrap();
                    for _ in 0..random.usize(0..20) {
                        if let Some(Some(Ok(n))) = dropped_after(polls, stream.next()).await {
                            failure_plan.note(n, "handled");
                        }
                    }
                }
                _ => {
                    let until = pipeline.run_until(std::future::pending::<()>(), Duration::MAX);
                    drop(dropped_after(polls, until).await);
                }
            }
        }
        drop(dropped_after(random.usize(0..3), source.join()).await);
        drop(dropped_after(random.usize(0..3), steady.join()).await);
        soon(relay.outcome()).await;
        // Who subscribes by hand does not end when its producers do.
        guest.stop("enough");
        let _ = soon(pipeline.join()).await;
        failure_plan.check(events, gone(&pipeline.snapshot()), seed);
        assert_settled(&pipeline);
    });
}

#[test]
fn a_drain_that_is_dropped_goes_on() {
    seeds_on_threads(100, |seed, mut random| async move {
        let failure_plan = FailurePlan::default();
        let pipeline = Pipeline::new();
        let source = from_iter(0u64..).stage().in_group(&pipeline).spawn();
        let relay = Relay
            .stage()
            .subscribe_to(demanding(source.subscription(), &mut random, 30))
            .in_group(&pipeline)
            .spawn();
        Shaky::new(&mut random, &failure_plan, 0)
            .stage()
            .subscribe_to(demanding(relay.subscription(), &mut random, 30))
            .in_group(&pipeline)
            .spawn();
        a_while(&mut random, 10).await;
        let deadline = Duration::from_secs(20);
        if random.bool() {
            let drained = dropped_after(random.usize(1..4), pipeline.drain(deadline)).await;
            drained.unwrap_or(Ok(())).unwrap();
        } else {
            let until = pipeline.run_until(std::future::ready(()), deadline);
            let drained = dropped_after(random.usize(1..4), until).await;
            drained.unwrap_or(Ok(())).unwrap();
        }
        soon(pipeline.join()).await.unwrap();
        failure_plan.check(source.stats().events_out, 0, seed);
        assert_settled(&pipeline);
    });
}

#[test]
fn a_consumer_that_is_aborted_leaves_its_events_to_the_others() {
    seeds_on_threads(200, |seed, mut random| async move {
        let events = random.u64(0..600);
        let failure_plan = FailurePlan::default();
        let pipeline = Pipeline::new();
        let source = from_iter(0..events).stage().in_group(&pipeline).spawn();
        let mut consumers = Vec::new();
        for _ in 0..random.usize(1..4) {
            let consumer = Shaky::new(&mut random, &failure_plan, 0)
                .stage()
                .subscribe_to(demanding(source.subscription(), &mut random, 40))
                .in_group(&pipeline)
                .spawn();
            consumers.push(consumer);
        }
        for consumer in &consumers {
            a_while(&mut random, 10).await;
            consumer.abort();
        }
        // For what is left when all of them are gone.
        Shaky::new(&mut random, &failure_plan, 0)
            .stage()
            .subscribe_to(&source)
            .in_group(&pipeline)
            .spawn();
        soon(source.join()).await.unwrap();
        let _ = soon(pipeline.join()).await;
        // The event that an aborted handler was awaiting with is noted.
        failure_plan.check(events, 0, seed);
        assert_settled(&pipeline);
    });
}

#[test]
fn a_relay_that_is_aborted_hands_back_and_counts() {
    seeds(200, relay_is_aborted);
    seeds_on_threads(200, relay_is_aborted);
}

async fn relay_is_aborted(seed: u64, mut random: fastrand::Rng) {
    let events = random.u64(0..600);
    let failure_plan = FailurePlan::default();
    let pipeline = Pipeline::new();
    let source = from_iter(0..events).stage().in_group(&pipeline).spawn();
    let mut sink = Shaky::new(&mut random, &failure_plan, 0).stage();
    let mut relays = Vec::new();
    for _ in 0..2 {
        let relay = Relay
            .stage()
            .subscribe_to(demanding(source.subscription(), &mut random, 40))
            .in_group(&pipeline)
            .spawn();
        let terms = demanding(relay.subscription(), &mut random, 40);
        let mode = if relays.is_empty() {
            CancelMode::Temporary
        } else {
            CancelMode::Permanent
        };
        sink = sink.subscribe_to(terms.on_cancel(mode));
        relays.push(relay);
    }
    sink.in_group(&pipeline).spawn();
    a_while(&mut random, 30).await;
    relays[0].abort();
    soon(source.join()).await.unwrap();
    let _ = soon(pipeline.join()).await;
    failure_plan.check(events, relays[0].stats().discarded, seed);
    assert_settled(&pipeline);
}

#[test]
fn a_producer_that_is_aborted_counts_what_it_had() {
    seeds_on_threads(200, |seed, mut random| async move {
        let failure_plan = FailurePlan::default();
        let pipeline = Pipeline::new();
        // Emits beyond what it is asked for, so that it has something.
        let mut next = 0;
        let extra = random.u64(0..50);
        let source = from_fn_more(move |demand| {
            let all = next..next + demand as u64 + extra;
            next = all.end;
            all
        });
        let source = source
            .stage()
            .unbounded_buffer()
            .in_group(&pipeline)
            .spawn();
        for _ in 0..random.usize(1..3) {
            Shaky::new(&mut random, &failure_plan, 0)
                .stage()
                .subscribe_to(demanding(source.subscription(), &mut random, 30))
                .in_group(&pipeline)
                .spawn();
        }
        a_while(&mut random, 20).await;
        source.abort();
        let _ = soon(pipeline.join()).await;
        let events = source.stats().events_out;
        failure_plan.check(events, gone(&pipeline.snapshot()), seed);
        assert_settled(&pipeline);
    });
}

fn from_fn_more<F>(more: F) -> impl Producer<Event = u64> + use<F>
where
    F: FnMut(usize) -> std::ops::Range<u64> + Send + 'static,
{
    struct More<F>(F);

    impl<F: FnMut(usize) -> std::ops::Range<u64> + Send + 'static> Producer for More<F> {
        type Event = u64;

        async fn handle_demand(
            &mut self,
            demand: usize,
            out: &mut Emitter<'_, u64>,
        ) -> StageResult {
            out.extend((self.0)(demand));
            Ok(())
        }
    }

    More(more)
}

/// A stream that is dropped gives back what it had not yielded.
#[test]
fn streams_that_come_and_go_yield_every_event_once() {
    seeds(100, |seed, mut random| async move {
        let events = random.u64(0..300);
        let failure_plan = FailurePlan::default();
        let pipeline = Pipeline::new();
        let source = from_iter(0..events).stage().in_group(&pipeline).spawn();
        while !source.is_ended() {
            let terms = demanding(source.subscription(), &mut random, 30);
            let mut stream = terms
                .on_cancel(CancelMode::Temporary)
                .into_stream()
                .unwrap();
            for _ in 0..random.usize(1..50) {
                match soon(stream.next()).await {
                    Some(Ok(n)) => failure_plan.note(n, "handled"),
                    Some(Err(error)) => panic!("seed {seed}: {error}"),
                    None => break,
                }
            }
            drop(stream);
            a_while(&mut random, 5).await;
        }
        soon(pipeline.join()).await.unwrap();
        failure_plan.check(events, 0, seed);
        assert_settled(&pipeline);
    });
}
