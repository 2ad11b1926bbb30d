//! A budget of bytes that buffers and subscriptions share (B15, D13).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::TryStreamExt;
use stage_core::{Budget, DemandError, SubscribeError};
use stage_runtime::operators::{flat_map, for_each, from_iter};
use stage_runtime::prelude::*;
use stage_runtime::{ProducerHandle, ShedReason, SpawnError};
use stage_test::assert_settled;
use stage_test::probe::{ConsumerProbe, ProducerProbe, emit};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::common::{failure, seeds, soon};

type Source = ProducerHandle<ProducerProbe<Vec<u8>>>;

fn bound(limit: usize) -> Bound<Vec<u8>> {
    Bound::Bytes {
        limit,
        weigh: Vec::len,
    }
}

/// A source that emits what it is told, into a buffer of 1000 bytes of its own.
fn source(pipeline: &Pipeline, budget: &Budget) -> Source {
    let builder = ProducerProbe::silent().0.stage();
    let builder = builder.buffer(bound(1_000)).budget(budget);
    builder.in_group(pipeline).spawn()
}

fn frames(count: usize, bytes: usize) -> Vec<Vec<u8>> {
    vec![vec![0; bytes]; count]
}

async fn push(source: &Source, count: usize, bytes: usize) {
    source.call(emit(frames(count, bytes))).await.unwrap();
}

/// Waits until no task can go on.
async fn rest() {
    sleep(Duration::from_millis(1)).await;
}

/// librdkafka 4137, 5140: a limit for each partition, of any number of partitions,
/// that was taken for one of all.
#[tokio::test(start_paused = true)]
async fn buffers_together_hold_no_more_than_the_budget() {
    let pipeline = Pipeline::new();
    let budget = pipeline.budget(1_000);
    let sources = [1, 2, 3].map(|_| source(&pipeline, &budget));
    push(&sources[0], 8, 100).await;
    push(&sources[1], 8, 100).await;
    push(&sources[2], 8, 100).await;
    let held = |source: &Source| source.stats().buffered_bytes.unwrap();
    assert_eq!([0, 1, 2].map(|n| held(&sources[n])), [800, 200, 100]);
    assert_eq!(
        sources[1].stats().discarded,
        6,
        "the first lost nothing for it"
    );
    assert_eq!(budget.used(), 1_100, "one event is kept in any case");
    sources[0].stop("enough");
    soon(sources[0].outcome()).await;
    assert_eq!(budget.used(), 300);
    push(&sources[2], 8, 100).await;
    assert_eq!((held(&sources[2]), budget.used()), (800, 1_000));
}

#[tokio::test(start_paused = true)]
async fn a_buffer_sheds_when_the_budget_is_used_up_elsewhere() {
    let pipeline = Pipeline::new();
    let budget = pipeline.budget(300);
    let other = source(&pipeline, &budget);
    push(&other, 2, 100).await;
    let (sender, shed) = std::sync::mpsc::channel();
    let source = ProducerProbe::silent()
        .0
        .stage()
        .buffer(bound(1_000))
        .budget(&budget)
        .on_overflow(Overflow::DropNewest)
        .shed(move |shed| {
            let weights: Vec<_> = shed.events.iter().map(Vec::len).collect();
            sender.send((shed.reason, weights)).unwrap();
        })
        .spawn();
    let (probe, mut calls) = ConsumerProbe::new();
    let one = source.subscription().max_demand(1);
    let permits = Arc::new(Semaphore::new(0));
    probe.held_by(&permits).stage().subscribe_to(one).spawn();
    calls.producer_joined().await;
    let weights = [50, 60, 30, 70, 10];
    let events = weights.map(|weight| vec![0; weight]);
    source.call(emit(events)).await.unwrap();
    // The consumer took the first. 90 of 100 bytes are used when the fourth comes.
    assert_eq!(shed.try_recv(), Ok((ShedReason::Full, vec![70, 10])));
    assert_eq!(budget.used(), 290);
}

/// Handles frames slowly, and notes the most bytes that were alive in all of its kind.
struct Slow {
    live: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Consumer for Slow {
    type Event = Frame;

    async fn handle_events(
        &mut self,
        events: &mut Batch<Frame>,
        _: &mut Context<'_>,
    ) -> StageResult {
        for _frame in events {
            let live = self.live.load(Ordering::Relaxed);
            self.most.fetch_max(live, Ordering::Relaxed);
            sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}

/// A frame of 100 bytes, counted while it is alive.
struct Frame(Arc<AtomicUsize>);

const FRAME: usize = 100;

impl Frame {
    fn new(live: &Arc<AtomicUsize>) -> Self {
        live.fetch_add(FRAME, Ordering::Relaxed);
        Self(Arc::clone(live))
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        self.0.fetch_sub(FRAME, Ordering::Relaxed);
    }
}

/// What is in flight over ten links at most, each with 2000 bytes of its own.
async fn most_in_flight(budget: Option<usize>) -> usize {
    let pipeline = Pipeline::new();
    let budget = budget.map(|bytes| pipeline.budget(bytes));
    let (live, most) = (Arc::default(), Arc::<AtomicUsize>::default());
    for _ in 0..10 {
        let made = Arc::clone(&live);
        let source = from_iter((0..200).map(move |_| Frame::new(&made))).stage();
        let source = source.in_group(&pipeline).spawn();
        let terms = source.subscription().max_bytes(2_000, |_| FRAME);
        let terms = match &budget {
            Some(budget) => terms.budget(budget),
            None => terms,
        };
        let (live, most) = (Arc::clone(&live), Arc::clone(&most));
        let sink = Slow { live, most }.stage().subscribe_to(terms);
        sink.in_group(&pipeline).spawn();
    }
    soon(pipeline.join()).await.unwrap();
    assert_settled(&pipeline);
    assert_eq!(budget.map_or(0, |budget| budget.used()), 0);
    most.load(Ordering::Relaxed)
}

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_over_all_links_stays_within_the_budget() {
    assert_eq!(most_in_flight(None).await, 20_000);
    let most = most_in_flight(Some(5_000)).await;
    assert!(most > 4_000, "{most}: it is used");
    assert!(most <= 5_000 + 9 * FRAME, "{most}: or one event for each");
    assert_eq!(most_in_flight(Some(0)).await, 10 * FRAME, "event by event");
}

/// litebox 1084: one that takes all stops all others. streamnative/pulsar 4356: one that
/// waits for memory is never told of it.
#[tokio::test(start_paused = true)]
async fn a_subscription_goes_on_event_by_event_until_another_gives_back() {
    let pipeline = Pipeline::new();
    let budget = pipeline.budget(1_000);
    let source = || from_iter(std::iter::repeat_with(|| vec![0_u8; FRAME])).stage();
    let terms = |source: &ProducerHandle<_>| {
        let terms = source.subscription();
        terms.max_bytes(usize::MAX, Vec::len).budget(&budget)
    };
    // Takes 30 events, and then holds what it has.
    let permits = Arc::new(Semaphore::new(30));
    let (probe, _calls) = ConsumerProbe::new();
    let greedy = probe.held_by(&permits).stage();
    let greedy = greedy.subscribe_to(terms(&source().spawn())).spawn();
    rest().await;
    assert_eq!(budget.used(), 1_000);

    let (probe, mut calls) = ConsumerProbe::new();
    let permits = Arc::new(Semaphore::new(0));
    let modest = probe.held_by(&permits).stage();
    let other = source().in_group(&pipeline).spawn();
    modest
        .subscribe_to(terms(&other))
        .in_group(&pipeline)
        .spawn();
    for _ in 0..20 {
        permits.add_permits(1);
        assert_eq!(calls.events().await.len(), 1);
    }
    assert!(budget.used() <= 1_000 + FRAME, "{}", budget.used());
    greedy.abort();
    soon(greedy.outcome()).await;
    permits.add_permits(20);
    rest().await;
    assert_eq!(pipeline.snapshot().links[0].totals.in_flight, 10);
    assert_eq!(budget.used(), 1_000);
}

/// pulsar 16837: what failed kept its memory. Here it goes back to the buffer, and
/// counts there.
#[tokio::test(start_paused = true)]
async fn what_a_consumer_hands_back_counts_in_the_buffer() {
    struct Refuses;

    impl Consumer for Refuses {
        type Event = Vec<u8>;

        async fn handle_events(
            &mut self,
            _: &mut Batch<Vec<u8>>,
            _: &mut Context<'_>,
        ) -> StageResult {
            Err("refused".into())
        }
    }

    let pipeline = Pipeline::new();
    let budget = pipeline.budget(100);
    let source = source(&pipeline, &budget);
    let terms = source.subscription().max_bytes(1_000, Vec::len);
    let consumer = Refuses.stage().subscribe_to(terms.budget(&budget)).spawn();
    push(&source, 1, 700).await;
    failure(soon(consumer.join()).await);
    rest().await;
    assert_eq!(source.stats().buffered_bytes, Some(700));
    assert_eq!(budget.used(), 700);
    soon(pipeline.shutdown()).await;
    assert_eq!(budget.used(), 0);
}

/// A stream gives back what it expected when its producer ends, and what it has when it
/// is read.
#[tokio::test(start_paused = true)]
async fn a_stream_gives_back_at_its_end() {
    let pipeline = Pipeline::new();
    let budget = pipeline.budget(1_000);
    let source = from_iter(frames(50, FRAME)).stage().spawn();
    let terms = source.subscription().max_bytes(usize::MAX, Vec::len);
    let mut stream = terms.budget(&budget).into_stream().unwrap();
    let mut most = 0;
    while let Some(_frame) = soon(stream.try_next()).await.unwrap() {
        most = most.max(budget.used());
    }
    assert_eq!((most, budget.used()), (1_000, 0));
    assert!(soon(stream.try_next()).await.unwrap().is_none());
}

/// A stage asks by hand for what it likes. What arrives takes room from the others.
#[tokio::test(start_paused = true)]
async fn what_was_asked_for_by_hand_counts_when_it_has_arrived() {
    let pipeline = Pipeline::new();
    let budget = pipeline.budget(1_000);
    let source = source(&pipeline, &budget);
    let (probe, mut calls) = ConsumerProbe::manual();
    let permits = Arc::new(Semaphore::new(0));
    let terms = source.subscription().max_bytes(100, Vec::len);
    let manual = probe.held_by(&permits).stage();
    let manual = manual.subscribe_to(terms.budget(&budget)).spawn();
    let peer = calls.producer_joined().await;
    manual.ask(peer.subscription, 12);
    rest().await;
    assert_eq!(budget.used(), 0);
    push(&source, 12, FRAME).await;
    rest().await;
    assert_eq!(budget.used(), 1_200);
    permits.add_permits(12);
    rest().await;
    assert_eq!(budget.used(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_budget_without_a_weigher_is_refused() {
    let budget = Budget::new(1);
    let says = |error: &dyn std::fmt::Display, words: &[&str]| {
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    };
    let numbers = || from_iter(0..3).stage().name("numbers").budget(&budget);
    let relay = || flat_map(|n: i32| [n]).stage().name("relay").budget(&budget);
    for error in [
        numbers().try_spawn().map(drop).unwrap_err(),
        numbers()
            .unbounded_buffer()
            .try_spawn()
            .map(drop)
            .unwrap_err(),
        relay().try_spawn().map(drop).unwrap_err(),
    ] {
        assert!(matches!(error, SpawnError::UnweighedBudget { .. }));
        says(
            &error,
            &["bound is not in bytes", "Bound::Bytes", "usize::MAX"],
        );
    }
    let failed = failure(soon(numbers().spawn().join()).await);
    says(&failed, &["numbers", "Bound::Bytes"]);

    let source = from_iter(0..3).stage().name("source").spawn();
    let terms = || source.subscription().budget(&budget);
    let sink = || for_each(|_: i32| ()).stage();
    let error = sink()
        .subscribe_to(terms())
        .try_spawn()
        .map(drop)
        .unwrap_err();
    says(&error, &["source", "max_bytes", "usize::MAX"]);
    let refused = |error: SubscribeError| {
        let SubscribeError::Demand { error, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(error, DemandError::BudgetWithoutMaxBytes);
    };
    refused(soon(sink().spawn().subscribe(terms())).await.unwrap_err());
    refused(terms().into_stream().map(drop).unwrap_err());
}

#[tokio::test(start_paused = true)]
async fn the_snapshot_shows_budgets_that_somebody_has() {
    let pipeline = Pipeline::new();
    let budgets = |pipeline: &Pipeline| {
        let budgets = pipeline.snapshot().budgets;
        budgets
            .iter()
            .map(|b| (b.limit, b.used))
            .collect::<Vec<_>>()
    };
    assert_eq!(budgets(&pipeline), []);
    let (first, second) = (pipeline.budget(500), pipeline.budget(7));
    let source = source(&pipeline, &first);
    push(&source, 2, 100).await;
    assert_eq!(budgets(&pipeline), [(500, 200), (7, 0)]);
    drop((first, second));
    assert_eq!(budgets(&pipeline), [(500, 200)], "a stage has it");
    source.stop("enough");
    soon(source.outcome()).await;
    assert_eq!(budgets(&pipeline), []);
}

/// The consumers of [`all_is_given_back_whatever_ends_the_stages`]: take one event of
/// each batch, and fail or panic at one of 9.
struct Shaky(u64);

impl Consumer for Shaky {
    type Event = Vec<u8>;

    async fn handle_events(
        &mut self,
        events: &mut Batch<Vec<u8>>,
        _: &mut Context<'_>,
    ) -> StageResult {
        for event in events {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(event.len() as u64);
            tokio::task::yield_now().await;
            match (self.0 >> 33) % 18 {
                0 => return Err("every ninth".into()),
                1 => std::panic::panic_any("stumbled"),
                _ => (),
            }
        }
        Ok(())
    }
}

/// pulsar 16837, 26469: an end that gives back too little, or twice.
#[test]
fn all_is_given_back_whatever_ends_the_stages() {
    seeds(150, |seed, mut rng| async move {
        let pipeline = Pipeline::new();
        let budget = pipeline.budget(rng.usize(..3_000));
        let mut ends = Vec::new();
        for n in 0..rng.u64(1..5) {
            let source = ProducerProbe::silent().0.stage().expendable();
            let source = source.buffer(bound(rng.usize(1..1_000))).budget(&budget);
            let source = source.in_group(&pipeline).spawn();
            let terms = source
                .subscription()
                .max_bytes(rng.usize(..1_000), Vec::len);
            let terms = terms.max_demand(rng.usize(1..20)).budget(&budget);
            let policy = Restart::on_failure().max_restarts(rng.usize(..5));
            let consumer = supervised(move || Shaky(seed + n)).restart(policy).stage();
            let consumer = consumer.expendable().subscribe_to(terms);
            let consumer = consumer.in_group(&pipeline).spawn();
            ends.push((source, consumer));
        }
        for _ in 0..rng.usize(..30) {
            let (source, consumer) = &ends[rng.usize(..ends.len())];
            let events: Vec<_> = (0..rng.usize(..9))
                .map(|_| vec![0; rng.usize(..300)])
                .collect();
            let _ = source.cast(emit(events));
            match rng.u32(..60) {
                0 => source.stop("enough"),
                1 => consumer.stop("enough"),
                2 => source.abort(),
                3 => consumer.abort(),
                4 => source.complete(),
                _ => (),
            }
            if rng.bool() {
                tokio::task::yield_now().await;
            } else {
                rest().await;
            }
            let buffered = ends
                .iter()
                .filter_map(|(source, _)| source.stats().buffered_bytes);
            assert!(budget.used() as u64 >= buffered.sum::<u64>());
        }
        match rng.u32(..3) {
            0 => drop(soon(pipeline.drain(Duration::from_secs(1))).await),
            1 => soon(pipeline.shutdown()).await,
            _ => ends.iter().for_each(|(source, consumer)| {
                source.abort();
                consumer.abort();
            }),
        }
        pipeline.stop("it is over");
        let _ = soon(pipeline.join()).await;
        assert_eq!(budget.used(), 0);
        assert_settled(&pipeline);
    });
}

/// The weigher is the user's code. A panic in it, in any call, leaves nothing behind.
#[tokio::test(start_paused = true)]
async fn a_weigher_that_panics_leaves_nothing_in_the_budget() {
    let weigh = |event: &Vec<u8>| {
        if event.len() == 13 {
            std::panic::panic_any("stumbled");
        }
        event.len()
    };
    crate::common::quiet();
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let budget = Budget::new(100);
        let source = ProducerProbe::silent().0.stage();
        let source = source
            .buffer(Bound::Bytes { limit: 50, weigh })
            .budget(&budget);
        let source = source.on_overflow(overflow).spawn();
        push(&source, 3, 10).await;
        assert_eq!(budget.used(), 30);
        let events = [frames(2, 10), frames(1, 13), frames(4, 10)].concat();
        source.call(emit(events)).await.unwrap_err();
        failure(soon(source.join()).await);
        assert_eq!(budget.used(), 0);
    }
}
