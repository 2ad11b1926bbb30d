//! Handles Ctrl-C and prints explanations while the pipeline runs.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::pending;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use stages::Error;
use stages::prelude::*;
use tokio::time::sleep;
use tokio::{select, signal};

use super::report::seconds;

/// Waits for the end of the pipeline; returns `true` if it was stopped before
/// it had counted everything.
///
/// # Errors
///
/// [`Error`] if a stage failed.
pub(crate) async fn run_to_end(
    pipeline: &Pipeline,
    explain_every: Option<Duration>,
    bar: Option<ProgressBar>,
) -> Result<bool, Error> {
    let stopped = Cell::new(false);
    select! {
        joined = pipeline.join() => joined?,
        never = stop_on_ctrl_c(pipeline, &stopped) => match never {},
        never = explain(pipeline, explain_every, bar) => match never {},
    }
    Ok(stopped.get())
}

/// Drains the pipeline on the first Ctrl-C: the walk ends, and files in flight
/// are counted, however long that takes. Exits at once on the second.
async fn stop_on_ctrl_c(pipeline: &Pipeline, stopped: &Cell<bool>) -> Infallible {
    if signal::ctrl_c().await.is_ok() {
        stopped.set(true);
        select! {
            _ = pipeline.drain(Duration::MAX) => {}
            Ok(()) = signal::ctrl_c() => std::process::exit(130),
        }
    }
    pending().await
}

/// Periodically prints what holds up the stages, if something has for half of
/// the period.
async fn explain(
    pipeline: &Pipeline,
    every: Option<Duration>,
    bar: Option<ProgressBar>,
) -> Infallible {
    let start = Instant::now();
    while let Some(every) = every {
        sleep(every).await;
        let explanation = pipeline.explain(every / 2);
        let print = || eprintln!("after {}: {explanation:#}", seconds(start.elapsed()));
        match &bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
    pending().await
}
