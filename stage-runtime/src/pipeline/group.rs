//! Groups: stages of a pipeline that restart together or share a task.

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

/// Stages of a pipeline that restart together, or share a task.
///
/// Made by [`Pipeline::group`](super::Pipeline::group). A stage joins by the option
/// `in_group` of its builder.
///
/// ```
/// use stage_runtime::operators::{for_each, from_iter, map};
/// use stage_runtime::prelude::*;
/// use stage_runtime::RestartStrategy;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let pipeline = Pipeline::new();
/// let numbers = from_iter(1..=4).stage().in_group(&pipeline).spawn();
/// // The state of the second depends on that of the first, so both restart.
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
    /// The scheduler of a co-located group. `None`: each stage has a task of its own.
    task: Option<Arc<Scheduler>>,
}

impl Group {
    /// Makes a group without stages.
    pub(super) fn new(stages: Arc<Stages>, strategy: RestartStrategy) -> Self {
        let group = GroupMembers::new(strategy, Arc::clone(&stages.pipeline));
        Self {
            stages,
            group,
            task: None,
        }
    }

    /// Runs the stages that are spawned in the returned group on one shared task. They run
    /// in turn, and handing a batch from one to the next wakes no thread.
    ///
    /// Use it for stages that do little work on few events at a time, on a runtime with
    /// several threads: there the hand-over is the largest cost. Demand, restarts, the
    /// ledger and [`explain`](super::Pipeline::explain) work as without it. But the stages
    /// never run in parallel, and a handler that blocks its thread holds up all of them.
    ///
    /// The task starts with the first stage, on the runtime of that stage, and ends with
    /// the last one.
    ///
    /// ```
    /// use stage_runtime::operators::{fold, from_iter, map};
    /// use stage_runtime::prelude::*;
    /// use stage_runtime::RestartStrategy;
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

    /// Returns which other stages of the group restart when one fails.
    #[must_use]
    pub fn strategy(&self) -> RestartStrategy {
        self.group.strategy()
    }

    /// Reserves a place for the stage `name`. Fails if the name is taken, or if the group
    /// requires stages that can restart and this one cannot.
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

    /// Reserves a place without checks, for a stage whose reservation was refused: it is
    /// spawned to fail, and its failure belongs to the pipeline.
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

/// The place in a group of a stage that is being spawned.
pub(crate) struct Reservation<'a>(&'a Group);

impl Reservation<'_> {
    /// Returns the stage's membership in the group.
    pub(crate) fn membership(&self) -> Membership {
        self.0.group.membership()
    }

    /// Adds the stage to the members that the other stages see, before it runs.
    pub(crate) fn join(&self, stage: &Arc<StageShared>) {
        self.0.group.insert(stage);
    }

    /// Spawns the stage, on its own task or on the shared one.
    pub(crate) fn spawn<F>(&self, runtime: &runtime::Handle, stage: F) -> AbortHandle
    where
        F: Future<Output = ()> + Send + 'static,
    {
        match &self.0.task {
            Some(task) => AbortHandle::CoLocated(task.spawn(runtime, stage)),
            None => AbortHandle::spawn(runtime, stage),
        }
    }

    /// Adds the stage, which runs now, to the stages that the pipeline owns.
    pub(crate) fn take(self, member: Member) {
        self.0.stages.insert(member);
    }
}
