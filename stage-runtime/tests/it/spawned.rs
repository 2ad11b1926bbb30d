//! The future of every public async function can be spawned and boxed, whatever the
//! types of the stages: closures, and closures that make futures.
//!
//! An `async fn` that borrows its receiver may be `Send` for each lifetime and yet
//! not provably so for all of them: "one type is more general than the other".

use std::future::{Future, pending};
use std::time::Duration;

use futures::FutureExt;
use stage_runtime::operators::{fold, for_each, from_iter, map};
use stage_runtime::per_event::{
    CountChildren, ListChildren, ShutdownSignal, StartChild, StopChild,
};
use stage_runtime::prelude::*;

use crate::common::soon;

/// Runs it to its end on a task of its own.
async fn spawned<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    soon(tokio::spawn(future.boxed())).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn calls_of_a_stage_of_closures() {
    let numbers = from_iter(0..3_u64).stage().spawn();
    let tasks = per_event(|_: u64| async { Ok(()) });
    let tasks = tasks.stage().subscribe_to(&numbers).spawn();
    let stage = tasks.stage_ref();
    spawned(async move { stage.outcome().await }).await;

    let tasks = per_event(|_: u64| pending()).stage().spawn();
    let stage = tasks.stage_ref();
    let counts = spawned(async move {
        let id = stage.call(StartChild(1)).await.unwrap().unwrap();
        assert_eq!(stage.call(ListChildren).await.unwrap().len(), 1);
        stage.call(StopChild(id)).await.unwrap().unwrap().await;
        stage.call(CountChildren).await.unwrap()
    })
    .await;
    assert_eq!((counts.started, counts.stopped), (1, 1));
    tasks.stop("enough");
    assert!(spawned(tasks.join()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn subscriptions_of_a_stage_of_closures() {
    let numbers = from_iter(0..3_u64).stage().spawn();
    let others = from_iter(3..6_u64).stage().spawn();
    let doubled = map(|n: u64| n * 2).stage().spawn();
    let stage = doubled.stage_ref();
    let id = spawned(async move { stage.subscribe(&numbers).await })
        .await
        .unwrap();
    let stage = doubled.stage_ref();
    spawned(async move { stage.resubscribe(id, "moved", &others).await })
        .await
        .unwrap();
    let sum = fold(0, |sum, n: u64| sum + n);
    let sum = sum.stage().subscribe_to(&doubled).spawn();
    spawned(doubled.join()).await.unwrap();
    spawned(async move { sum.output().await }).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn ends_of_stages_and_pipelines() {
    let pipeline = Pipeline::new();
    let numbers = from_iter(0..3_u64).stage().in_group(&pipeline).spawn();
    let all = for_each(|_: u64| ()).stage().subscribe_to(&numbers);
    let all = all.in_group(&pipeline).spawn();
    spawned(async move { all.join_stage().await.map(drop) })
        .await
        .unwrap();
    let its = pipeline.clone();
    spawned(async move { its.join().await }).await.unwrap();
    let its = pipeline.clone();
    let limit = Duration::from_secs(1);
    spawned(async move { its.drain(limit).await })
        .await
        .unwrap();
    let its = pipeline.clone();
    spawned(async move { its.run_until(pending::<()>(), limit).await })
        .await
        .unwrap();
    spawned(async move { pipeline.shutdown().await }).await;
    let signal = ShutdownSignal::default();
    drop(async move { signal.requested().await }.boxed());
}
