//! Options that cannot work are refused before the first event.

use std::time::Duration;

use stage_runtime::operators::{
    OptionError, chunks_timeout, from_iter, map_concurrent, throttle, try_map_concurrent,
};
use stage_runtime::prelude::*;
use stage_runtime::{Error, SpawnError};

use super::{collect, ms};
use crate::common::{failure, soon};

const NO_EVENTS: fn() -> std::vec::IntoIter<u64> = || Vec::new().into_iter();

/// The typed error of a stage that was refused, and its text.
fn refused<T: std::fmt::Debug>(spawned: Result<T, SpawnError>) -> (OptionError, String) {
    let Err(SpawnError::Invalid { stage, error }) = spawned else {
        panic!("this should be refused: {spawned:?}");
    };
    assert_eq!(&*stage, "stage");
    let error = error.downcast_ref::<OptionError>().expect("an OptionError");
    (error.clone(), error.to_string())
}

#[tokio::test(start_paused = true)]
async fn errors_name_the_value_the_range_and_the_fix() {
    let (error, text) = refused(throttle::<u64>(0, ms(1)).stage().name("stage").try_spawn());
    assert_eq!((error.operator, error.option), ("throttle", "events"));
    assert_eq!(
        text,
        "throttle: events is 0, but has to be at least 1; \
         set it to the number of events that may pass in a period"
    );
    let zero = throttle::<u64>(1, Duration::ZERO);
    let (error, text) = refused(zero.stage().name("stage").try_spawn());
    assert_eq!((error.operator, error.option), ("throttle", "period"));
    assert_eq!(
        text,
        "throttle: period is 0 s, but has to be above 0 s; \
         set it to the time in which `events` may pass, or leave `throttle` out"
    );
    let (error, text) = refused(
        chunks_timeout::<u64>(0, ms(1))
            .stage()
            .name("stage")
            .try_spawn(),
    );
    assert_eq!((error.operator, error.option), ("chunks_timeout", "max"));
    assert_eq!(
        text,
        "chunks_timeout: max is 0, but has to be at least 1; \
         set it to the number of events that fill a chunk"
    );
}

/// Reference: rust-lang/futures-rs issues 2348, 2740, 2876 and 2939: `buffered(0)` and
/// `buffer_unordered(0)` hang for ever.
#[tokio::test(start_paused = true)]
async fn a_concurrency_of_0_is_an_error_and_no_hang() {
    let none = map_concurrent(0, async |n: u64| n).unordered();
    let (error, text) = refused(none.stage().name("stage").try_spawn());
    assert_eq!((error.operator, error.option), ("map_concurrent", "limit"));
    assert!(
        text.contains("limit is 0") && text.contains("at least 1"),
        "{text}"
    );

    let source = from_iter(NO_EVENTS()).stage().spawn();
    let none = try_map_concurrent(0, async |n: u64| Ok(n))
        .stage()
        .subscribe_to(&source)
        .spawn();
    let all = collect().stage().subscribe_to(&none).spawn();
    assert!(soon(all.output()).await.is_err());
    let failure = failure(soon(none.join()).await);
    let Some(SpawnError::Invalid { error, .. }) = failure.downcast_ref() else {
        panic!("{failure:?}");
    };
    assert_eq!(error.downcast_ref::<OptionError>().unwrap().value, "0");
}

/// `spawn` makes a stage that fails; its pipeline goes down with the error.
#[tokio::test(start_paused = true)]
async fn a_pipeline_with_a_refused_stage_fails() {
    let pipeline = Pipeline::new();
    let source = from_iter(0..10_u64).stage().in_group(&pipeline).spawn();
    let _slow = throttle(0, ms(1))
        .stage()
        .name("slow")
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    let error = soon(pipeline.join()).await.unwrap_err();
    assert!(matches!(error, Error::Failed(_)), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("slow") && text.contains("events is 0"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_least_values_work() {
    let source = from_iter(0..3_u64).stage().spawn();
    let slow = throttle(1, ms(1)).stage().subscribe_to(&source).spawn();
    let one = map_concurrent(1, async |n: u64| n)
        .stage()
        .subscribe_to(&slow)
        .spawn();
    let single = chunks_timeout(1, ms(1)).stage().subscribe_to(&one).spawn();
    let all = collect().stage().subscribe_to(&single).spawn();
    assert_eq!(soon(all.output()).await.unwrap(), [[0], [1], [2]]);
}
