//! Stages that share a task (S14): everything is as with a task each, but that
//! they run in turn.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{cancelled, pending, soon, word};
use stage_runtime::operators::{fold, for_each, from_iter, map};
use stage_runtime::prelude::*;
use stage_runtime::{Group, RestartStrategy};
use stage_test::assert_settled;
use stage_test::probe::ConsumerProbe;
use tokio::runtime::Builder;
use tokio::task;
use tokio::time::{Instant, sleep};

fn co_located(pipeline: &Pipeline) -> Group {
    pipeline.group(RestartStrategy::OneForOne).co_located()
}

/// The tasks that handlers ran on.
type Tasks = Arc<Mutex<Vec<task::Id>>>;

/// Hands events on and notes its task.
fn noting(
    tasks: &Tasks,
) -> stage_runtime::operators::Map<impl FnMut(u64) -> u64 + Send + use<>, u64, u64> {
    let tasks = Arc::clone(tasks);
    map(move |n| {
        tasks.lock().unwrap().push(task::id());
        n
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stages_of_a_group_share_a_task_and_lose_nothing() {
    for together in [true, false] {
        let pipeline = Pipeline::new();
        let mut group = pipeline.group(RestartStrategy::OneForOne);
        if together {
            group = group.co_located();
        }
        let tasks = Tasks::default();
        let numbers = from_iter(0..1_000u64).stage().in_group(&group).spawn();
        let one = noting(&tasks)
            .stage()
            .subscribe_to(numbers.subscription().max_demand(1))
            .in_group(&group)
            .spawn();
        let two = noting(&tasks)
            .stage()
            .subscribe_to(one.subscription().max_demand(7))
            .in_group(&group)
            .spawn();
        let all = fold(Vec::new(), |mut all: Vec<u64>, n| {
            all.push(n);
            all
        })
        .stage()
        .subscribe_to(&two)
        .in_group(&group)
        .spawn();
        assert_eq!(
            soon(all.output()).await.unwrap(),
            Vec::from_iter(0..1_000u64)
        );
        soon(pipeline.join()).await.unwrap();
        assert_settled(&pipeline);
        let mut tasks = tasks.lock().unwrap().clone();
        tasks.sort_unstable_by_key(ToString::to_string);
        tasks.dedup();
        assert_eq!(tasks.len(), if together { 1 } else { 2 });
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_awaits_holds_no_other_up() {
    let pipeline = Pipeline::new();
    let group = co_located(&pipeline);
    let sleeper = |secs| {
        let numbers = from_iter([secs]).stage().in_group(&group).spawn();
        per_event(|secs| async move {
            sleep(Duration::from_secs(secs)).await;
            Ok(())
        })
        .stage()
        .subscribe_to(&numbers)
        .in_group(&group)
        .spawn();
    };
    let started = Instant::now();
    for secs in [30, 20, 10] {
        sleeper(secs);
    }
    pipeline.join().await.unwrap();
    assert_eq!(started.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn one_starts_over_and_the_others_go_on() {
    let pipeline = Pipeline::new();
    let group = co_located(&pipeline);
    let numbers = from_iter(0..100u64).stage().in_group(&group).spawn();
    let failures = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&failures);
    let shaky = supervised(move || {
        let failures = Arc::clone(&counted);
        map(move |n: u64| {
            let fails = n % 30 == 29 && *failures.lock().unwrap() < n / 30 + 1;
            if fails {
                *failures.lock().unwrap() += 1;
                panic!("at {n}");
            }
            n
        })
    })
    .stage()
    .retain_taken()
    .subscribe_to(numbers.subscription().max_demand(5))
    .in_group(&group)
    .spawn();
    let sum = fold(0, |sum, n: u64| sum + n)
        .stage()
        .subscribe_to(&shaky)
        .in_group(&group)
        .spawn();
    assert_eq!(soon(sum.output()).await.unwrap(), 99 * 50);
    assert_eq!(shaky.stats().restarts, 3);
    soon(pipeline.join()).await.unwrap();
    assert_settled(&pipeline);
}

#[tokio::test(start_paused = true)]
async fn aborting_one_drops_that_one_alone() {
    let pipeline = Pipeline::new();
    let group = co_located(&pipeline);
    let stuck = from_iter(0..10u64).stage().in_group(&group).spawn();
    let (probe, mut calls) = ConsumerProbe::manual();
    let never = probe.stage().subscribe_to(&stuck).spawn();
    calls.producer_joined().await;
    pending(never.outcome()).await;
    let numbers = from_iter(0..10u64).stage().in_group(&group).spawn();
    let slow = fold(0, |sum, n: u64| sum + n)
        .stage()
        .subscribe_to(&numbers)
        .in_group(&group)
        .spawn();
    stuck.abort();
    let reason = cancelled(soon(never.join()).await);
    assert!(reason.contains("dropped"), "{reason}");
    assert_eq!(word(&soon(stuck.outcome()).await), "cancelled");
    assert_eq!(soon(slow.output()).await.unwrap(), 45);
}

#[tokio::test(start_paused = true)]
async fn aborting_one_that_is_over_leaves_the_next_in_its_place_alone() {
    let pipeline = Pipeline::new();
    let group = co_located(&pipeline);
    let stays = from_iter(0u64..).stage().in_group(&group).spawn();
    let over = from_iter(0..3u64).stage().in_group(&group).spawn();
    for_each(|_: u64| ()).stage().subscribe_to(&over).spawn();
    soon(over.outcome()).await;
    let numbers = from_iter(0..10u64)
        .stage()
        .gate(Gate::Closed)
        .in_group(&group)
        .spawn();
    over.abort();
    let sum = fold(0, |sum, n: u64| sum + n)
        .stage()
        .subscribe_to(&numbers)
        .in_group(&group)
        .spawn();
    numbers.set_gate(Gate::Open);
    assert_eq!(soon(sum.output()).await.unwrap(), 45);
    stays.abort();
    soon(stays.outcome()).await;
}

#[tokio::test]
async fn other_tasks_get_their_turn_beside_a_chain_that_never_rests() {
    let pipeline = Pipeline::new();
    let group = co_located(&pipeline);
    let numbers = from_iter(0u64..).stage().in_group(&group).spawn();
    for_each(|_: u64| ())
        .stage()
        .subscribe_to(numbers.subscription().max_demand(1))
        .in_group(&group)
        .spawn();
    for _ in 0..100 {
        task::yield_now().await;
    }
    assert!(numbers.stats().events_out > 100);
    pipeline.stop("seen enough");
    soon(numbers.outcome()).await;
}

/// A stage whose own destructor panics, where nothing of ours can catch it.
struct PanicsLast;

impl Drop for PanicsLast {
    fn drop(&mut self) {
        // A second panic would end the process.
        assert!(std::thread::panicking(), "dropped");
    }
}

impl Consumer for PanicsLast {
    type Event = u64;

    async fn handle_events(&mut self, _: &mut Batch<u64>, _: &mut Context<'_>) -> StageResult {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_that_nothing_catches_ends_one_stage() {
    let pipeline = Pipeline::new();
    let group = co_located(&pipeline);
    let numbers = from_iter(0..10u64).stage().in_group(&group).spawn();
    let last = PanicsLast
        .stage()
        .subscribe_to(&numbers)
        .in_group(&group)
        .spawn();
    let outcome = last.stage_ref();
    drop(last);
    let others = from_iter(0..10u64).stage().in_group(&group).spawn();
    let sum = fold(0, |sum, n: u64| sum + n)
        .stage()
        .subscribe_to(&others)
        .in_group(&group)
        .spawn();
    soon(outcome.outcome()).await;
    assert_eq!(soon(sum.output()).await.unwrap(), 45);
}

async fn sum_in(group: &Group) -> u64 {
    let numbers = from_iter(0..10u64).stage().in_group(group).spawn();
    let sum = fold(0, |sum, n: u64| sum + n)
        .stage()
        .subscribe_to(&numbers)
        .in_group(group)
        .spawn();
    soon(sum.output()).await.unwrap()
}

#[test]
fn the_task_starts_anew_after_the_last_stage_and_on_another_runtime() {
    let pipeline = Pipeline::new();
    let group = co_located(&pipeline);
    for _ in 0..3 {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            assert_eq!(sum_in(&group).await, 45);
            assert_eq!(sum_in(&group).await, 45);
            // Left running: the runtime drops it, and the task with it.
            from_iter(0u64..).stage().in_group(&group).spawn();
            from_iter(0u64..).stage().in_group(&group).spawn();
        });
    }
    let ended = pipeline.snapshot().stages;
    assert!(ended.iter().all(|stage| stage.outcome.is_some()));
}
