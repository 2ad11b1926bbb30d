//! The outcome that the end of a pipeline reports.

use std::sync::Arc;

use stage_core::Outcome;

use crate::error::Error;
use crate::shared::StageShared;
use crate::stage_id::StageId;

/// The worst outcome of the stages that have ended; of equal ones, that of the stage
/// that joined first.
///
/// Kept beside the list of stages, so that the failure of a stage that was forgotten is
/// reported.
#[derive(Default)]
pub(super) struct FirstFailure(Option<Box<Worst>>);

struct Worst {
    rank: (Rank, StageId),
    name: Arc<str>,
    outcome: Outcome,
}

/// How much an outcome says about the end of a pipeline; the least value says most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// The stage failed by itself, and so its pipeline was stopped.
    Failed,
    /// The stage failed by itself and alone.
    FailedAlone,
    /// The stage failed because of another one.
    FailedWithAnother,
    Cancelled,
}

impl FirstFailure {
    /// Takes note of the outcome of a stage.
    pub(super) fn note(&mut self, stage: &StageShared, outcome: &Outcome) {
        let rank = match outcome {
            Outcome::Completed => return,
            Outcome::Cancelled(_) => Rank::Cancelled,
            Outcome::Failed(failure) if failure.stage() != &*stage.name => Rank::FailedWithAnother,
            Outcome::Failed(_) if stage.expendable => Rank::FailedAlone,
            Outcome::Failed(_) => Rank::Failed,
        };
        let rank = (rank, stage.id);
        if self.0.as_ref().is_none_or(|worst| rank < worst.rank) {
            self.0 = Some(Box::new(Worst {
                rank,
                name: Arc::clone(&stage.name),
                outcome: outcome.clone(),
            }));
        }
    }

    /// Returns the outcome as a result.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.0.as_ref().map_or(Ok(()), |worst| {
            Error::check(&worst.name, worst.outcome.clone())
        })
    }
}
