//! The drain of one group of a pipeline (R8).

use std::sync::Arc;
use std::time::Duration;

use crate::common::{cancelled, pending, soon, word};
use stage_runtime::operators::{fold, for_each, for_each_ref, from_iter, map};
use stage_runtime::prelude::*;
use stage_runtime::{Group, RestartStrategy};
use stage_test::assert_settled;
use stage_test::probe::{ConsumerProbe, ProducerProbe, emit};
use tokio::sync::Semaphore;

const SECOND: Duration = Duration::from_secs(1);

/// Lets busy stages go on for a while. Paused time does not pass before they are idle.
async fn a_while() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

fn group(pipeline: &Pipeline) -> Group {
    pipeline.group(RestartStrategy::OneForOne)
}

#[tokio::test(start_paused = true)]
async fn a_group_drains_and_the_rest_goes_on() {
    let pipeline = Pipeline::new();
    let chain = group(&pipeline);
    soon(group(&pipeline).drain(SECOND)).await.unwrap();
    let live = ProducerProbe::<u64>::silent().0.stage();
    let live = live.in_group(&pipeline).spawn();
    let numbers = from_iter(0..).stage().in_group(&chain).spawn();
    let doubled = map(|n: u64| n * 2).stage().subscribe_to(&numbers);
    let doubled = doubled.in_group(&chain).spawn();
    let count = fold(0, |count, _: u64| count + 1u64).stage();
    let count = count.subscribe_to(&doubled).in_group(&chain).spawn();
    // Outside of the group: one completes with the group, one stays.
    let all = fold(0, |count, _: u64| count + 1u64).stage();
    let all = all.subscribe_to(&doubled).in_group(&pipeline).spawn();
    let (probe, mut calls) = ConsumerProbe::<u64>::new();
    let pool = probe
        .stage()
        .subscribe_to(numbers.subscription().on_cancel(CancelMode::Pooled))
        .subscribe_to(live.subscription().on_cancel(CancelMode::Pooled))
        .in_group(&pipeline)
        .spawn();
    a_while().await;

    soon(chain.drain(SECOND)).await.unwrap();
    assert_eq!(word(&soon(numbers.outcome()).await), "completed");
    assert_eq!(word(&soon(doubled.outcome()).await), "completed");
    assert_eq!(word(&soon(all.outcome()).await), "completed");
    let handled = soon(count.output()).await.unwrap() + soon(all.output()).await.unwrap();
    assert_eq!(handled, doubled.stats().events_out, "nothing is lost");
    pending(pool.outcome()).await;
    calls.drain().await;
    live.call(emit([1])).await.unwrap();
    assert_eq!(calls.events().await, [1]);
    assert_settled(&pipeline);
    soon(pipeline.drain(SECOND)).await.unwrap();
    soon(pipeline.join()).await.unwrap();
    assert_settled(&pipeline);
}

/// Consumers of the group let go of producers that go on, and handle what had arrived.
#[tokio::test(start_paused = true)]
async fn a_group_of_consumers_lets_go_of_producers_outside() {
    let pipeline = Pipeline::new();
    let workers = group(&pipeline);
    let jobs = from_iter(0..).stage().in_group(&pipeline).spawn();
    let handled = |group: &Group| {
        let count = fold(0, |count, _: u64| count + 1u64).stage();
        let jobs = jobs.subscription().max_demand(10);
        count.subscribe_to(jobs).in_group(group).spawn()
    };
    let (first, second) = (handled(&workers), handled(&workers));
    a_while().await;
    soon(workers.drain(SECOND)).await.unwrap();
    let handled = soon(first.output()).await.unwrap() + soon(second.output()).await.unwrap();
    let stats = jobs.stats();
    assert_eq!(stats.delivered, handled + stats.handed_back);
    pending(jobs.outcome()).await;
    assert_settled(&pipeline);
}

#[tokio::test(start_paused = true)]
async fn past_its_deadline_it_stops_the_group_alone_and_names_what_is_left() {
    let pipeline = Pipeline::new();
    let slow = group(&pipeline);
    let other = from_iter(0..9u64).stage().name("other");
    let other = other.in_group(&pipeline).spawn();
    let permits = Arc::new(Semaphore::new(0));
    let numbers = from_iter(0..10u64).stage().name("numbers");
    let numbers = numbers.in_group(&slow).spawn();
    let probe = ConsumerProbe::<u64>::new().0.held_by(&permits);
    let stuck = probe.stage().name("stuck").subscribe_to(&numbers);
    let stuck = stuck.in_group(&pipeline).spawn();
    pending(stuck.outcome()).await;
    let error = soon(slow.drain(SECOND)).await.unwrap_err();
    let [left] = &error.left[..] else {
        panic!("{error}");
    };
    assert_eq!((&*left.stage, left.outside), ("numbers", 10));
    assert!(
        error
            .to_string()
            .contains("10 sent out to stages that do not drain")
    );
    assert!(cancelled(soon(numbers.join()).await).contains("deadline"));
    // What joins the group later is stopped; the others go on.
    let late = from_iter(0..3u64).stage().in_group(&slow).spawn();
    assert!(cancelled(soon(late.join()).await).contains("deadline"));
    pending(other.outcome()).await;
}

#[tokio::test(start_paused = true)]
async fn a_stage_that_joins_a_group_which_drains_drains() {
    let pipeline = Pipeline::new();
    let chain = group(&pipeline);
    let permits = Arc::new(Semaphore::new(0));
    let numbers = from_iter(0..4u64).stage().in_group(&chain).spawn();
    let probe = ConsumerProbe::<u64>::new().0.held_by(&permits);
    let held = probe
        .stage()
        .subscribe_to(&numbers)
        .in_group(&chain)
        .spawn();
    pending(held.outcome()).await;
    let mut drain = tokio::spawn({
        let chain = chain.clone();
        async move { chain.drain(60 * SECOND).await }
    });
    pending(&mut drain).await;
    let late = from_iter(0..).stage().in_group(&chain).spawn();
    let sink = for_each(|_: u64| ()).stage().subscribe_to(&late);
    let sink = sink.in_group(&chain).spawn();
    let beside = from_iter(0..9u64).stage().in_group(&pipeline).spawn();
    soon(late.join()).await.unwrap();
    soon(sink.join()).await.unwrap();
    permits.add_permits(100);
    soon(drain).await.unwrap().unwrap();
    pending(beside.outcome()).await;
}

/// Two groups, one below the other: the lower one keeps its links to the upper one
/// when both drain, so everything arrives.
#[tokio::test(start_paused = true)]
async fn groups_that_drain_together_lose_nothing_between_them() {
    let pipeline = Pipeline::new();
    let (upper, lower) = (group(&pipeline), group(&pipeline));
    let (probe, _calls) = ProducerProbe::<u64>::silent();
    let source = probe.stage().in_group(&upper).spawn();
    let permits = Arc::new(Semaphore::new(0));
    let (probe, mut calls) = ConsumerProbe::<u64>::new();
    let sink = probe.held_by(&permits).stage();
    let sink = sink.subscribe_to(source.subscription().max_demand(2).min_demand(1));
    let sink = sink.in_group(&lower).spawn();
    source.call(emit(0..20)).await.unwrap();
    let drain = |group: &Group| {
        let group = group.clone();
        tokio::spawn(async move { group.drain(60 * SECOND).await })
    };
    let mut first = drain(&upper);
    pending(&mut first).await;
    let mut second = drain(&lower);
    pending(&mut second).await;
    permits.add_permits(100);
    assert_eq!(calls.gather(20).await, (0..20).collect::<Vec<_>>());
    soon(first).await.unwrap().unwrap();
    soon(second).await.unwrap().unwrap();
    assert_eq!(word(&soon(sink.outcome()).await), "completed");
}

/// The handler is of a stage that the group waits for.
#[tokio::test(start_paused = true)]
async fn a_handler_of_the_pipeline_may_drain_a_group() {
    let pipeline = Pipeline::new();
    let sources = group(&pipeline);
    let numbers = from_iter(0..).stage().in_group(&sources).spawn();
    let drains = sources.clone();
    let mut left = 20;
    let sink = stage_runtime::operators::for_each_async(move |_: u64| {
        left = u64::saturating_sub(left, 1);
        let drain = (left == 1).then(|| drains.clone());
        async move {
            if let Some(group) = drain {
                group.drain(SECOND).await.unwrap();
            }
        }
    });
    let sink = sink
        .stage()
        .subscribe_to(&numbers)
        .in_group(&pipeline)
        .spawn();
    soon(sink.join()).await.unwrap();
    soon(numbers.join()).await.unwrap();
}

/// A window that its consumer keeps open.
struct Window(usize);

impl Consumer for Window {
    type Event = u64;

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        self.0 += events.into_iter().count();
        Ok(())
    }

    fn held(&self) -> usize {
        self.0
    }

    fn may_complete(&self) -> bool {
        self.0 == 0
    }
}

/// The report names what a stage holds, and the stage that does not complete because of
/// it.
#[tokio::test(start_paused = true)]
async fn the_report_names_what_is_held() {
    let pipeline = Pipeline::new();
    let numbers = from_iter(0..7u64).stage().in_group(&pipeline).spawn();
    let window = Window(0).stage().name("window").subscribe_to(&numbers);
    let window = window.in_group(&pipeline).spawn();
    pending(window.outcome()).await;
    let error = soon(pipeline.drain(SECOND)).await.unwrap_err();
    let [left] = &error.left[..] else {
        panic!("{error}");
    };
    assert_eq!((&*left.stage, left.held, left.unhandled), ("window", 7, 0));
    assert!(error.to_string().contains("7 held"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_shows_the_name_of_a_group() {
    let pipeline = Pipeline::new();
    let named = group(&pipeline).named("processors").named("no other");
    let one = for_each_ref(|_: &u64| ()).stage().in_group(&named).spawn();
    for_each_ref(|_: &u64| ())
        .stage()
        .in_group(&pipeline)
        .spawn();
    one.stop("enough");
    soon(one.outcome()).await;
    let stages = pipeline.snapshot().stages;
    assert_eq!(stages[0].group.as_deref(), Some("processors"));
    assert_eq!(stages[1].group, None);
}
