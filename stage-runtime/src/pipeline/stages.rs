//! The list of all stages of a pipeline.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use stage_core::Reason;

use super::member::Member;
use crate::current::current_stage;
use crate::group::PipelineMembers;
use crate::snapshot::{LinkSnapshot, Snapshot};
use crate::stage_id::StageId;

/// The state that a pipeline and its groups share.
#[derive(Default)]
pub(crate) struct Stages {
    /// The stages as they see each other; the members own them.
    pub(super) pipeline: Arc<PipelineMembers>,
    state: Mutex<State>,
}

/// The part of [`Stages`] under its lock.
#[derive(Default)]
struct State {
    /// In the order in which they joined.
    members: Vec<Member>,
    /// All names that were taken; never freed.
    names: HashSet<Arc<str>>,
    /// The pipeline drains, also stages that join later.
    draining: bool,
}

impl Stages {
    /// Takes a name; returns `false` if it was taken before.
    pub(super) fn take_name(&self, name: &Arc<str>) -> bool {
        self.state.lock().names.insert(Arc::clone(name))
    }

    /// Adds a stage that runs, and makes it drain if the pipeline does.
    pub(super) fn insert(&self, member: Member) {
        let mut state = self.state.lock();
        state.members.push(member);
        if state.draining {
            state.drain();
        }
    }

    /// Returns the stages, in the order in which they joined.
    pub(crate) fn members(&self) -> Vec<Member> {
        self.state.lock().members.clone()
    }

    /// Returns the name of the stage of this pipeline that this thread is polling: the
    /// caller is inside its handler.
    pub(super) fn current(&self) -> Option<Arc<str>> {
        // Not found among `members`: a stage can run before it is inserted there.
        self.pipeline.name_of(current_stage()?)
    }

    /// Returns a snapshot of the stages and of their links.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let members = self.members();
        let mut stages = Vec::with_capacity(members.len());
        let mut links = BTreeMap::new();
        for member in &members {
            let (stage, its_links) = member.shared.snapshot();
            stages.push(stage);
            // Both ends report a link between two stages; the map keeps it once.
            for mut link in its_links {
                // Only the consumer's end knows the bytes.
                if let Some(LinkSnapshot {
                    in_flight_bytes: Some(bytes),
                    ..
                }) = links.get(&link.id)
                {
                    link.in_flight_bytes.get_or_insert(*bytes);
                }
                links.insert(link.id, link);
            }
        }
        Snapshot {
            stages,
            links: links.into_values().collect(),
        }
    }

    /// Whether there were stages and all of them have ended.
    pub(crate) fn have_ended(&self) -> bool {
        let state = self.state.lock();
        !state.members.is_empty()
            && state
                .members
                .iter()
                .all(|member| member.outcome().is_some())
    }

    /// Makes all stages drain, also those that join later.
    pub(super) fn drain(&self) {
        self.state.lock().drain();
    }

    /// Stops all stages, also those that join later.
    pub(super) fn stop(&self, reason: &Reason) {
        self.pipeline.go_down(reason, None);
    }
}

impl State {
    /// Requests every stage to drain together with all others. Called again when a stage
    /// joins, so that the others know of it.
    fn drain(&mut self) {
        self.draining = true;
        let ids: Arc<HashSet<StageId>> =
            Arc::new(self.members.iter().map(|member| member.shared.id).collect());
        for member in &self.members {
            member.shared.drain(&ids);
        }
    }
}
