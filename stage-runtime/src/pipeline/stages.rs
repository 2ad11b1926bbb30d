//! The stages of a pipeline, as its owners hold them.

use std::ops::Deref;
use std::sync::Arc;

use super::members::PipelineMembers;
use super::membership::Membership;

/// What a [`Pipeline`](super::Pipeline), its clones and its groups share. The tasks of
/// the stages share only the list inside, so that a task which watches the pipeline sees
/// when its last owner is gone.
#[derive(Default)]
pub(crate) struct Stages(Arc<PipelineMembers>);

impl Stages {
    /// Returns the reference to the pipeline for one of its stages.
    pub(super) fn membership(&self) -> Membership {
        Membership::new(Arc::clone(&self.0))
    }
}

impl Deref for Stages {
    type Target = PipelineMembers;

    fn deref(&self) -> &PipelineMembers {
        &self.0
    }
}
