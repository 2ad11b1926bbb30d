//! Waiting that ends: a test fails where it would hang.

use std::future::Future;
use std::time::Duration;

use stage_pipeline::{AckedPipeline, Ledger};
use stage_test::assert_settled;

/// Longer than any test waits, and with paused time over at once.
const LONGEST: Duration = Duration::from_secs(3600);

/// Waits for `future`, but not for ever.
#[track_caller]
pub(crate) fn within<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(LONGEST, future).await {
            Ok(output) => output,
            Err(_) => panic!("it hangs: {caller}"),
        }
    }
}

/// Waits for the end of a pipeline, and checks that every message is accounted for.
#[track_caller]
pub(crate) fn ended<S: Send + 'static>(
    pipeline: &AckedPipeline<S>,
) -> impl Future<Output = Ledger> {
    let caller = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(LONGEST, pipeline.join()).await {
            Ok(joined) => joined.unwrap_or_else(|error| panic!("{error}: {caller}")),
            Err(_) => panic!(
                "it hangs: {caller}\n{}\n{}\n{:#?}",
                pipeline.explain(Duration::ZERO),
                pipeline.ledger(),
                pipeline.snapshot(),
            ),
        }
        assert_settled(pipeline.stages());
        let ledger = pipeline.ledger();
        assert_eq!(ledger.in_flight, 0, "{ledger}: {caller}");
        assert_eq!(ledger.leased, ledger.settled(), "{ledger}: {caller}");
        ledger
    }
}

/// How often stages of the pipeline were restarted.
pub(crate) fn restarts<S: Send + 'static>(pipeline: &AckedPipeline<S>) -> u64 {
    let snapshot = pipeline.snapshot();
    snapshot
        .stages
        .iter()
        .map(|stage| stage.stats.restarts)
        .sum()
}
