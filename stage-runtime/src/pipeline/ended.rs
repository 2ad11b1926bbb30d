//! The stages of a pipeline that have ended: the last ones, and the sums of the others.

use std::sync::Arc;

use crate::group::GroupState;
use crate::shared::StageShared;
use crate::snapshot::PastStages;

/// How many of the stages that ended last are kept, for snapshots.
const KEPT: usize = 32;

/// A stage that has ended.
#[derive(Clone)]
pub(super) struct EndedStage {
    pub(super) shared: Arc<StageShared>,
    pub(super) group: Arc<GroupState>,
}

/// The stages of a pipeline that have ended.
///
/// The last [`KEPT`] stay, so that a snapshot shows them after a pipeline has completed.
/// When there are twice as many, a sweep removes the others and keeps their sums. It
/// leaves a stage whose events a consumer has not settled: its sums are not final.
#[derive(Default)]
pub(super) struct Ended {
    /// In the order in which they ended.
    last: Vec<EndedStage>,
    /// The number of stages at which the next sweep is due.
    enough: usize,
    /// The sums of the stages that sweeps have removed. `None` before the first.
    past: Option<Box<PastStages>>,
}

impl Ended {
    /// Adds a stage. Returns the stages that are forgotten now: the caller drops them
    /// outside of its lock, because that may run the user's code.
    pub(super) fn insert(&mut self, stage: EndedStage) -> Vec<EndedStage> {
        self.last.push(stage);
        if self.last.len() < self.enough.max(2 * KEPT) {
            return Vec::new();
        }
        let past = self.past.get_or_insert_default();
        let mut older = self.last.len() - KEPT;
        let mut forgotten = Vec::with_capacity(older);
        self.last.retain(|stage| {
            let is_old = older > 0;
            older = older.saturating_sub(1);
            let forget = is_old && stage.shared.is_settled();
            if forget {
                stage.shared.add_to(past);
                forgotten.push(stage.clone());
            }
            !forget
        });
        // The number doubles before the next sweep, so that the amortized cost of an
        // insertion is constant.
        self.enough = self.last.len() * 2;
        forgotten
    }

    /// Whether no stage has ended.
    pub(super) fn is_empty(&self) -> bool {
        self.last.is_empty()
    }

    /// Returns the stages that are kept.
    pub(super) fn kept(&self) -> &[EndedStage] {
        &self.last
    }

    /// Returns the sums of the stages that were forgotten.
    pub(super) fn past(&self) -> PastStages {
        self.past.as_deref().cloned().unwrap_or_default()
    }
}
