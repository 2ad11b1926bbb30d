//! All stages of a pipeline.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use stage_core::Reason;

use super::member::Member;
use crate::current::current_stage;
use crate::group::PipelineMembers;
use crate::snapshot::Snapshot;
use crate::stage_id::StageId;

/// What a pipeline and its groups share.
#[derive(Default)]
pub(crate) struct Stages {
    pub(super) pipeline: Arc<PipelineMembers>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    members: Vec<Member>,
    names: HashSet<Arc<str>>,
    draining: bool,
}

impl Stages {
    /// Whether the name was free; it is not any more.
    pub(super) fn take_name(&self, name: &Arc<str>) -> bool {
        self.state.lock().names.insert(Arc::clone(name))
    }

    pub(super) fn insert(&self, member: Member) {
        let mut state = self.state.lock();
        state.members.push(member);
        if state.draining {
            state.drain();
        }
    }

    pub(crate) fn members(&self) -> Vec<Member> {
        self.state.lock().members.clone()
    }

    /// The name of the stage among them that is being polled, if one is: the caller
    /// is inside of its handler.
    pub(super) fn current(&self) -> Option<Arc<str>> {
        // Not by the members: a stage runs before it is one of them.
        self.pipeline.name_of(current_stage()?)
    }

    /// A snapshot of the stages and of their links.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let members = self.members();
        let mut stages = Vec::with_capacity(members.len());
        let mut links = BTreeMap::new();
        for member in &members {
            let (stage, its_links) = member.shared.snapshot();
            stages.push(stage);
            // A link between two of them is known to both.
            links.extend(its_links.into_iter().map(|link| (link.id, link)));
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

    pub(super) fn drain(&self) {
        self.state.lock().drain();
    }

    pub(super) fn stop(&self, reason: &Reason) {
        self.pipeline.go_down(reason, None);
    }
}

impl State {
    fn drain(&mut self) {
        self.draining = true;
        let ids: Arc<HashSet<StageId>> =
            Arc::new(self.members.iter().map(|member| member.shared.id).collect());
        for member in &self.members {
            member.shared.drain(&ids);
        }
    }
}
