//! Closures that fail: the stage ends or restarts, and one event is lost.

use std::sync::{Arc, Mutex};

use stage_runtime::operators::{
    from_iter, map_concurrent, then, try_for_each, try_for_each_async, try_map, try_map_concurrent,
    try_then,
};
use stage_runtime::prelude::*;
use stage_runtime::{DeadLetter, Error, ProducerHandle};
use stage_test::assert_settled;
use tokio::task::yield_now;

use super::{at_once, collect, collect_from};
use crate::common::{failure, soon};

/// Fails at 5.
fn odd_at_5(n: u64) -> StageResult<u64> {
    if n == 5 {
        Err("no room for 5".into())
    } else {
        Ok(n + 100)
    }
}

fn source(pipeline: &Pipeline) -> ProducerHandle<impl Producer<Event = u64>> {
    from_iter(0..10_u64)
        .stage()
        .name("source")
        .in_group(pipeline)
        .spawn()
}

/// The error ends the stage; what it emitted before stays emitted, the event it failed
/// at is lost, and the others go to the next consumer.
async fn ends<T: ProducerConsumer<In = u64, Out = u64>>(step: T) {
    let source = from_iter(0..10_u64).stage().spawn();
    let step = step
        .stage()
        .name("step")
        .subscribe_to(source.subscription().on_cancel(CancelMode::Temporary))
        .spawn();
    let got = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&got);
    let sink = stage_runtime::operators::for_each(move |n: u64| to.lock().unwrap().push(n));
    let sink = sink.stage().subscribe_to(&step).spawn();
    let error = soon(sink.join()).await.unwrap_err();
    assert_eq!(error.to_string(), "stage `step` failed: no room for 5");
    assert_eq!(*got.lock().unwrap(), [100, 101, 102, 103, 104]);
    assert_eq!((step.stats().lost, source.stats().handed_back), (1, 4));
    assert_eq!(failure(soon(step.join()).await).stage(), "step");
    let rest = collect().stage().subscribe_to(&source).spawn();
    assert_eq!(soon(rest.output()).await.unwrap(), [6, 7, 8, 9]);
}

/// A supervised one goes on behind it.
async fn restarts<T: ProducerConsumer<In = u64, Out = u64>>(
    make: impl FnMut() -> T + Send + 'static,
) {
    let pipeline = Pipeline::new();
    let source = source(&pipeline);
    let step = supervised(make)
        .restart(at_once())
        .stage()
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    let all = collect_from(&step, &pipeline);
    let expected = [100, 101, 102, 103, 104, 106, 107, 108, 109];
    assert_eq!(soon(all.output()).await.unwrap(), expected);
    assert_eq!((step.stats().restarts, step.stats().lost), (1, 1));
    soon(pipeline.join()).await.unwrap();
    assert_settled(&pipeline);
}

#[tokio::test(start_paused = true)]
async fn an_error_ends_a_step_and_loses_one_event() {
    ends(try_map(odd_at_5)).await;
    ends(try_then(async |n| odd_at_5(n))).await;
    ends(try_then(async |n| {
        yield_now().await;
        odd_at_5(n)
    }))
    .await;
    ends(try_map_concurrent(1, async |n| odd_at_5(n))).await;
    ends(try_map_concurrent(1, async |n| odd_at_5(n)).unordered()).await;
}

#[tokio::test(start_paused = true)]
async fn a_supervised_step_restarts_behind_the_event() {
    restarts(|| try_map(odd_at_5)).await;
    restarts(|| try_then(async |n| odd_at_5(n))).await;
    restarts(|| {
        try_then(async |n| {
            yield_now().await;
            odd_at_5(n)
        })
    })
    .await;
    restarts(|| try_map_concurrent(1, async |n| odd_at_5(n))).await;
}

/// A panic is an error with another text, in the closure itself or in its future.
#[tokio::test(start_paused = true)]
async fn a_panic_is_as_an_error() {
    fn or_panic(n: u64) -> u64 {
        assert!(n != 5, "stumbled");
        n + 100
    }
    crate::common::quiet();
    restarts(|| try_map(|n| Ok(or_panic(n)))).await;
    restarts(|| then(async |n| or_panic(n))).await;
    restarts(|| {
        then(|n| {
            let n = or_panic(n);
            async move { n }
        })
    })
    .await;
    restarts(|| map_concurrent(1, async |n| or_panic(n))).await;
    restarts(|| {
        map_concurrent(1, |n| {
            let n = or_panic(n);
            async move { n }
        })
    })
    .await;
}

async fn ends_sink<C: Consumer<Event = u64>>(sink: C, seen: &Mutex<Vec<u64>>) {
    let source = from_iter(0..10_u64).stage().spawn();
    let sink = sink
        .stage()
        .name("sink")
        .subscribe_to(source.subscription().on_cancel(CancelMode::Temporary))
        .spawn();
    let stats = sink.stage_ref();
    let error = soon(sink.join()).await.unwrap_err();
    assert!(matches!(error, Error::Failed(_)));
    assert_eq!(error.to_string(), "stage `sink` failed: no room for 5");
    assert_eq!(*seen.lock().unwrap(), [0, 1, 2, 3, 4]);
    assert_eq!((stats.stats().lost, source.stats().handed_back), (1, 4));
    let rest = collect().stage().subscribe_to(&source).spawn();
    assert_eq!(soon(rest.output()).await.unwrap(), [6, 7, 8, 9]);
}

#[tokio::test(start_paused = true)]
async fn an_error_ends_a_sink_and_loses_one_event() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&seen);
    let sink = try_for_each(move |n| {
        odd_at_5(n)?;
        to.lock().unwrap().push(n);
        Ok(())
    });
    ends_sink(sink, &seen).await;

    let seen = Arc::new(Mutex::new(Vec::new()));
    let to = Arc::clone(&seen);
    let sink = try_for_each_async(move |n| {
        let to = Arc::clone(&to);
        async move {
            odd_at_5(n)?;
            yield_now().await;
            to.lock().unwrap().push(n);
            Ok(())
        }
    });
    ends_sink(sink, &seen).await;
}

/// The stage keeps a copy: the event is tried again, in its place.
#[tokio::test(start_paused = true)]
async fn with_retain_taken_the_event_is_tried_again() {
    async fn check<T: ProducerConsumer<In = u64, Out = u64>>(
        make: impl FnMut() -> T + Send + 'static,
    ) {
        let pipeline = Pipeline::new();
        let source = source(&pipeline);
        let step = supervised(make)
            .restart(at_once())
            .stage()
            .retain_taken()
            .subscribe_to(&source)
            .in_group(&pipeline)
            .spawn();
        let all = collect_from(&step, &pipeline);
        assert_eq!(soon(all.output()).await.unwrap(), Vec::from_iter(100..110));
        assert_eq!((step.stats().restarts, step.stats().lost), (1, 0));
        soon(pipeline.join()).await.unwrap();
        assert_settled(&pipeline);
    }
    /// Fails at 5 the first time.
    fn once(failed: &Mutex<bool>, n: u64) -> StageResult<u64> {
        let again = n == 5 && std::mem::replace(&mut failed.lock().unwrap(), true);
        if again { Ok(n + 100) } else { odd_at_5(n) }
    }
    let failed = Arc::<Mutex<bool>>::default();
    check(move || {
        let failed = Arc::clone(&failed);
        try_map(move |n| once(&failed, n))
    })
    .await;
    let failed = Arc::<Mutex<bool>>::default();
    check(move || {
        let failed = Arc::clone(&failed);
        try_then(move |n| {
            let result = once(&failed, n);
            async { result }
        })
    })
    .await;
}

/// A dead-letter hook gets the error, and the event that the stage kept.
#[tokio::test(start_paused = true)]
async fn a_dead_letter_has_the_error_and_the_event() {
    let pipeline = Pipeline::new();
    let source = source(&pipeline);
    let letters = Arc::new(Mutex::new(Vec::new()));
    let dead = Arc::clone(&letters);
    let step = supervised(|| try_map(odd_at_5))
        .restart(at_once())
        .stage()
        .name("step")
        .retain_taken()
        .dead_letters(move |letter: DeadLetter<u64>| {
            let text = letter.failure.to_string();
            dead.lock().unwrap().push((letter.events, text));
        })
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    let all = collect_from(&step, &pipeline);
    assert_eq!(soon(all.output()).await.unwrap().len(), 9);
    let text = "stage `step` failed: no room for 5".to_owned();
    assert_eq!(*letters.lock().unwrap(), [(vec![5], text)]);
    assert_eq!((step.stats().lost, step.stats().dead_lettered), (0, 1));
    assert_settled(&pipeline);
}

/// Whatever error type the closure meets, `?` turns it into the stage's.
#[tokio::test(start_paused = true)]
async fn the_error_itself_can_be_had_from_the_failure() {
    let source = from_iter(["1", "x"]).stage().spawn();
    let parsed = try_then(async |word: &'static str| Ok(word.parse::<u64>()?));
    let parsed = parsed.stage().subscribe_to(&source).spawn();
    let _all = collect().stage().subscribe_to(&parsed).spawn();
    let failure = failure(soon(parsed.join()).await);
    assert!(failure.downcast_ref::<std::num::ParseIntError>().is_some());
}
