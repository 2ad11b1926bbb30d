//! Which stages of a pipeline start over together.

use std::fmt;
use std::sync::Arc;

use tokio::runtime;

use super::member::Member;
use super::stages::Stages;
use crate::abort::AbortHandle;
use crate::co_located::Scheduler;
use crate::error::SpawnError;
use crate::group::{GroupMembers, Membership, RestartStrategy};
use crate::shared::StageShared;

/// Stages of a pipeline that start over together, or share a task; made by
/// [`Pipeline::group`](super::Pipeline::group), taken by `in_group`.
///
/// ```
/// use stage_runtime::operators::{for_each, from_iter, map};
/// use stage_runtime::prelude::*;
/// use stage_runtime::{Pipeline, RestartStrategy};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let pipeline = Pipeline::new();
/// let numbers = from_iter(1..=4).stage().in_group(&pipeline).spawn();
/// // What the second makes of the numbers depends on what the first has seen.
/// let group = pipeline.group(RestartStrategy::RestForOne);
/// let first = supervised(|| map(|n: u64| n + 1)).stage().subscribe_to(&numbers).in_group(&group).spawn();
/// let second = supervised(|| for_each(|_: u64| ())).stage().subscribe_to(&first).in_group(&group).spawn();
/// pipeline.join().await
/// # }
/// ```
#[derive(Clone)]
pub struct Group {
    pub(crate) stages: Arc<Stages>,
    group: Arc<GroupMembers>,
    /// What its stages run on, if not each on a task of its own.
    task: Option<Arc<Scheduler>>,
}

impl Group {
    pub(super) fn new(stages: Arc<Stages>, strategy: RestartStrategy) -> Self {
        let group = GroupMembers::new(strategy, Arc::clone(&stages.pipeline));
        Self {
            stages,
            group,
            task: None,
        }
    }

    /// Has the stages that are spawned in this group from now on share one
    /// task: they run in turn, and handing a batch from one to the next wakes
    /// no thread.
    ///
    /// For stages that do little work on few events at a time, on a runtime with
    /// several threads: there the hand-over is what costs. Everything else is as it was: demand, restarts,
    /// the ledger, what [`explain`](super::Pipeline::explain) says. But they
    /// never run at the same time, and a handler that blocks its thread holds
    /// all of them up.
    ///
    /// The task starts with the first stage, on that one's runtime, and ends
    /// with the last.
    ///
    /// ```
    /// use stage_runtime::operators::{fold, from_iter, map};
    /// use stage_runtime::prelude::*;
    /// use stage_runtime::{Pipeline, RestartStrategy};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let pipeline = Pipeline::new();
    /// let chain = pipeline.group(RestartStrategy::OneForOne).co_located();
    /// let numbers = from_iter(1..=4u64).stage().in_group(&chain).spawn();
    /// let doubled = map(|n: u64| n * 2)
    ///     .stage()
    ///     .subscribe_to(numbers.subscription().max_demand(1))
    ///     .in_group(&chain)
    ///     .spawn();
    /// let sum = fold(0, |sum, n: u64| sum + n)
    ///     .stage()
    ///     .subscribe_to(doubled.subscription().max_demand(1))
    ///     .in_group(&chain)
    ///     .spawn();
    /// assert_eq!(sum.output().await?, 20);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use = "it is the returned group whose stages share a task"]
    pub fn co_located(mut self) -> Self {
        self.task = Some(Arc::default());
        self
    }

    /// Who else starts over when a stage of the group fails.
    #[must_use]
    pub fn strategy(&self) -> RestartStrategy {
        self.group.strategy()
    }

    /// A place for the stage `name`, if it may have one.
    pub(crate) fn reserve(
        &self,
        name: &Arc<str>,
        can_restart: bool,
    ) -> Result<Reservation<'_>, SpawnError> {
        if self.group.needs_factories() && !can_restart {
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
        Ok(Reservation(self))
    }

    /// A place for a stage that was refused one, and fails for it: the
    /// pipeline is to know of that.
    pub(crate) const fn place(&self) -> Reservation<'_> {
        Reservation(self)
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
            .field("co_located", &self.task.is_some())
            .finish_non_exhaustive()
    }
}

/// A stage's place in a group, until it is spawned.
pub(crate) struct Reservation<'a>(&'a Group);

impl Reservation<'_> {
    /// The stage's membership in the group.
    pub(crate) fn membership(&self) -> Membership {
        self.0.group.membership()
    }

    /// The others know the stage from now on.
    pub(crate) fn join(&self, stage: &Arc<StageShared>) {
        self.0.group.insert(stage);
    }

    /// Has the stage run.
    pub(crate) fn spawn<F>(&self, runtime: &runtime::Handle, stage: F) -> AbortHandle
    where
        F: Future<Output = ()> + Send + 'static,
    {
        match &self.0.task {
            Some(task) => AbortHandle::CoLocated(task.spawn(runtime, stage)),
            None => AbortHandle::spawn(runtime, stage),
        }
    }

    /// The stage runs.
    pub(crate) fn take(self, member: Member) {
        self.0.stages.insert(member);
    }
}
