//! Which stages start over together, and go down together.

use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use stage_core::Reason;

use crate::shared::StageShared;
use crate::stage_id::StageId;

/// Who else starts over when a stage of a group fails.
///
/// Source: the strategies of OTP's `Supervisor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum RestartStrategy {
    /// Nobody. The default.
    #[default]
    OneForOne,
    /// All stages of the group.
    OneForAll,
    /// The stages that joined the group after it.
    RestForOne,
}

/// The stages of one group, as its members see it.
///
/// The pipeline owns the stages; they know each other weakly, so that nothing
/// keeps itself alive.
pub(crate) struct GroupMembers {
    strategy: RestartStrategy,
    members: Mutex<Vec<Weak<StageShared>>>,
    /// All stages of the pipeline, of this group and others.
    pipeline: Arc<PipelineMembers>,
}

/// All stages of a pipeline, as they see each other.
#[derive(Default)]
pub(crate) struct PipelineMembers(Mutex<Members>);

#[derive(Default)]
struct Members {
    stages: Vec<Weak<StageShared>>,
    /// Why they were all stopped, if they were.
    down: Option<Reason>,
}

impl PipelineMembers {
    /// Stops all stages but `except`, and those that join later.
    pub(crate) fn go_down(&self, reason: &Reason, except: Option<StageId>) {
        let stages = {
            let mut members = self.0.lock();
            members.down.get_or_insert_with(|| reason.clone());
            members.stages.clone()
        };
        for stage in stages.iter().filter_map(Weak::upgrade) {
            if Some(stage.id) != except {
                stage.stop(reason.clone());
            }
        }
    }

    /// The name of the stage with this number, if it is one of them.
    pub(crate) fn name_of(&self, id: StageId) -> Option<Arc<str>> {
        let members = self.0.lock();
        let mut stages = members.stages.iter().filter_map(Weak::upgrade);
        let stage = stages.find(|stage| stage.id == id)?;
        Some(Arc::clone(&stage.name))
    }

    fn insert(&self, stage: &Arc<StageShared>) {
        let down = {
            let mut members = self.0.lock();
            members.stages.push(Arc::downgrade(stage));
            members.down.clone()
        };
        if let Some(reason) = down {
            stage.stop(reason);
        }
    }
}

/// A stage's place in its group.
#[derive(Clone)]
pub(crate) struct Membership {
    group: Arc<GroupMembers>,
}

impl GroupMembers {
    pub(crate) fn new(strategy: RestartStrategy, pipeline: Arc<PipelineMembers>) -> Arc<Self> {
        Arc::new(Self {
            strategy,
            members: Mutex::default(),
            pipeline,
        })
    }

    pub(crate) fn membership(self: &Arc<Self>) -> Membership {
        Membership {
            group: Arc::clone(self),
        }
    }

    pub(crate) fn strategy(&self) -> RestartStrategy {
        self.strategy
    }

    /// Whether every member has to be one that can start over.
    pub(crate) fn needs_factories(&self) -> bool {
        self.strategy != RestartStrategy::OneForOne
    }

    /// Takes a stage in, which is the last to have joined.
    pub(crate) fn insert(&self, stage: &Arc<StageShared>) {
        self.members.lock().push(Arc::downgrade(stage));
        self.pipeline.insert(stage);
    }
}

impl Membership {
    /// `stage` starts over; has those start over that the strategy says.
    pub(crate) fn restart_others(&self, stage: &StageShared) {
        let members = self.group.members.lock().clone();
        let members = members.iter().filter_map(Weak::upgrade);
        let reason = || Reason::from(format!("`{}` of its group is restarted", stage.name));
        match self.group.strategy {
            RestartStrategy::OneForOne => {}
            RestartStrategy::OneForAll => members
                .filter(|member| member.id != stage.id)
                .for_each(|member| member.restart(reason())),
            RestartStrategy::RestForOne => members
                .skip_while(|member| member.id != stage.id)
                .skip(1)
                .for_each(|member| member.restart(reason())),
        }
    }

    /// `stage` has failed for good; the pipeline goes down with it.
    pub(crate) fn stop_others(&self, stage: &StageShared) {
        let reason = Reason::from(format!("`{}` of its pipeline failed", stage.name));
        self.group.pipeline.go_down(&reason, Some(stage.id));
    }
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Membership")
            .field("strategy", &self.group.strategy)
            .finish_non_exhaustive()
    }
}
