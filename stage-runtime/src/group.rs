//! The members of a restart group and of a pipeline, as its stages see them: for
//! restarting and for stopping together.

use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use stage_core::Reason;

use crate::shared::StageShared;
use crate::stage_id::StageId;

/// Which other stages of a group restart when one of them fails.
///
/// Source: the strategies of OTP's `Supervisor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum RestartStrategy {
    /// None: the failed stage restarts alone. The default.
    #[default]
    OneForOne,
    /// All stages of the group.
    OneForAll,
    /// The stages that joined the group after the failed one.
    RestForOne,
}

/// The stages of one group, as its members see them.
///
/// The pipeline owns the stages. They refer to each other weakly, so that there is no
/// reference cycle.
pub(crate) struct GroupMembers {
    strategy: RestartStrategy,
    /// In the order in which they joined.
    members: Mutex<Vec<Weak<StageShared>>>,
    /// All stages of the pipeline, of this group and others.
    pipeline: Arc<PipelineMembers>,
}

/// All stages of a pipeline, as they see each other.
#[derive(Default)]
pub(crate) struct PipelineMembers(Mutex<Members>);

/// The part of [`PipelineMembers`] under its lock.
#[derive(Default)]
struct Members {
    stages: Vec<Weak<StageShared>>,
    /// The reason, if all stages were stopped.
    down: Option<Reason>,
}

impl PipelineMembers {
    /// Stops all stages but `except`, also those that join later.
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

    /// Returns the name of the stage with this id, if it belongs to the pipeline.
    pub(crate) fn name_of(&self, id: StageId) -> Option<Arc<str>> {
        let members = self.0.lock();
        let mut stages = members.stages.iter().filter_map(Weak::upgrade);
        let stage = stages.find(|stage| stage.id == id)?;
        Some(Arc::clone(&stage.name))
    }

    /// Adds a stage, and stops it if the pipeline was stopped.
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

/// A stage's reference to its group.
#[derive(Clone)]
pub(crate) struct Membership {
    group: Arc<GroupMembers>,
}

impl GroupMembers {
    /// Makes a group without stages.
    pub(crate) fn new(strategy: RestartStrategy, pipeline: Arc<PipelineMembers>) -> Arc<Self> {
        Arc::new(Self {
            strategy,
            members: Mutex::default(),
            pipeline,
        })
    }

    /// Returns a reference to the group for one of its stages.
    pub(crate) fn membership(self: &Arc<Self>) -> Membership {
        Membership {
            group: Arc::clone(self),
        }
    }

    /// Returns the strategy of the group.
    pub(crate) fn strategy(&self) -> RestartStrategy {
        self.strategy
    }

    /// Whether every member has to be supervised.
    pub(crate) fn needs_factories(&self) -> bool {
        self.strategy != RestartStrategy::OneForOne
    }

    /// Adds a stage to the group and to its pipeline.
    pub(crate) fn insert(&self, stage: &Arc<StageShared>) {
        self.members.lock().push(Arc::downgrade(stage));
        self.pipeline.insert(stage);
    }
}

impl Membership {
    /// Restarts the other stages that the strategy names, because `stage` restarts.
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

    /// Stops all other stages of the pipeline, because `stage` has failed for good.
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
