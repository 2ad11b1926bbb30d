//! Which stages of a pipeline start over together.

use std::fmt;
use std::sync::Arc;

use stage_core::Outcome;
use tokio::task::AbortHandle;

use super::owner::Stages;
use crate::error::SpawnError;
use crate::group::{Membership, Peers, Strategy};
use crate::identity::Identity;

/// Stages of a pipeline that start over together; made by
/// [`Pipeline::group`](super::Pipeline::group), taken by `spawn_in`.
///
/// ```
/// use stage_runtime::prelude::*;
/// use stage_runtime::{Pipeline, Strategy};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let pipeline = Pipeline::new();
/// let numbers = from_iter(1..=4).stage().spawn_in(&pipeline);
/// // What the second makes of the numbers depends on what the first has seen.
/// let group = pipeline.group(Strategy::RestForOne);
/// let first = supervised(|| map(|n: u64| n + 1)).stage().subscribe_to(&numbers).spawn_in(&group);
/// let second = supervised(|| for_each(|_: u64| ())).stage().subscribe_to(&first).spawn_in(&group);
/// pipeline.join().await
/// # }
/// ```
#[derive(Clone)]
pub struct Group {
    pub(crate) stages: Arc<Stages>,
    peers: Arc<Peers>,
}

impl Group {
    pub(super) fn new(stages: Arc<Stages>, strategy: Strategy) -> Self {
        let peers = Peers::new(strategy, Arc::clone(&stages.everyone));
        Self { stages, peers }
    }

    /// Who else starts over when a stage of the group fails.
    #[must_use]
    pub fn strategy(&self) -> Strategy {
        self.peers.strategy()
    }

    pub(crate) fn membership(&self) -> Membership {
        self.peers.membership()
    }

    /// A place for the stage `name`, if it may have one.
    pub(crate) fn reserve(
        &self,
        name: &Arc<str>,
        can_start_over: bool,
    ) -> Result<Place<'_>, SpawnError> {
        if self.peers.needs_factories() && !can_start_over {
            return Err(SpawnError::NotSupervised {
                stage: Arc::clone(name),
                strategy: self.strategy(),
            });
        }
        if !self.stages.take_name(name) {
            return Err(SpawnError::NameTaken {
                stage: Arc::clone(name),
            });
        }
        Ok(Place(self))
    }

    /// A place for a stage that was refused one, and fails for it: the
    /// pipeline is to know of that.
    pub(crate) const fn place(&self) -> Place<'_> {
        Place(self)
    }
}

impl AsRef<Self> for Group {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("strategy", &self.strategy())
            .finish_non_exhaustive()
    }
}

/// A stage's place in a group, until it is spawned.
pub(crate) struct Place<'a>(&'a Group);

impl Place<'_> {
    /// The others know the stage from now on.
    pub(crate) fn join(&self, stage: &Arc<Identity>) {
        self.0.peers.insert(stage);
    }

    /// The stage runs.
    pub(crate) fn take(self, member: Member) {
        self.0.stages.insert(member);
    }
}

/// A stage, whatever its type, as its pipeline knows it.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) identity: Arc<Identity>,
    pub(crate) task: AbortHandle,
}

impl Member {
    pub(crate) fn new(identity: &Arc<Identity>, task: &AbortHandle) -> Self {
        Self {
            identity: Arc::clone(identity),
            task: task.clone(),
        }
    }

    /// How it ended, if it has.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.identity.outcome.get()
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&self) -> Outcome {
        self.identity.outcome.wait().await
    }
}
