//! What the tests share.
#![allow(dead_code, unused_imports)] // Every test file uses its own share of it.

pub(crate) mod acked;
pub(crate) mod failure_plan;
pub(crate) mod log;
pub(crate) mod memory;
mod seeds;
pub(crate) mod shaky;
pub(crate) mod wiring;

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use stage_core::{Failure, Outcome, StageResult};
use stage_runtime::Error;

pub(crate) use seeds::{quiet, seeds, seeds_on_threads};

/// Awaits what must come: a hang fails the test.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future)
        .await
        .expect("this should not take for ever")
}

/// Checks that something stays pending until no task can go on. For paused
/// time only.
pub(crate) async fn pending<F: Future<Output: Debug>>(future: F) {
    let outcome = tokio::time::timeout(Duration::from_millis(50), future).await;
    assert!(outcome.is_err(), "this should be pending: {outcome:?}");
}

/// The failure that `join` reported.
pub(crate) fn failure<T: Debug>(joined: Result<T, Error>) -> Failure {
    match joined {
        Err(Error::Failed(failure)) => failure,
        other => panic!("expected a failure, got {other:?}"),
    }
}

/// The reason of the cancellation that `join` reported.
pub(crate) fn cancelled<T: Debug>(joined: Result<T, Error>) -> String {
    match joined {
        Err(Error::Cancelled { reason, .. }) => reason.to_string(),
        other => panic!("expected a cancellation, got {other:?}"),
    }
}

/// An outcome as one word, and what it says.
pub(crate) fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "completed",
        Outcome::Cancelled(_) => "cancelled",
        Outcome::Failed(_) => "failed",
    }
}

/// A handler's error.
pub(crate) fn fail(message: &str) -> StageResult {
    Err(message.into())
}
