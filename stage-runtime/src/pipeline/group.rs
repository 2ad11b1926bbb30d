//! Groups: stages of a pipeline that restart together or share a task.

use std::fmt;
use std::sync::Arc;

use tokio::runtime;

use super::membership::Membership;
use super::stages::Stages;
use crate::abort::AbortHandle;
use crate::co_located::Scheduler;
use crate::error::SpawnError;
use crate::group::{GroupState, RestartStrategy};
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
    pub(super) group: Arc<GroupState>,
    /// The scheduler of a co-located group. `None`: each stage has a task of its own.
    task: Option<Arc<Scheduler>>,
}

impl Group {
    /// Makes a group without stages.
    pub(super) fn new(stages: Arc<Stages>, strategy: RestartStrategy) -> Self {
        Self {
            stages,
            group: GroupState::new(strategy),
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

    /// Names the group. Snapshots show the name with each stage of the group; nothing else
    /// depends on it. No name by default; the first name counts.
    ///
    /// ```
    /// use stage_runtime::operators::from_iter;
    /// use stage_runtime::prelude::*;
    /// use stage_runtime::RestartStrategy;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let pipeline = Pipeline::new();
    /// let readers = pipeline.group(RestartStrategy::OneForOne).named("readers");
    /// from_iter(0..3).stage().in_group(&readers).spawn();
    /// assert_eq!(pipeline.snapshot().stages[0].group.as_deref(), Some("readers"));
    /// # }
    /// ```
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        self.group.set_name(name.into());
        self
    }

    /// Returns which other stages of the group restart when one fails.
    #[must_use]
    pub fn strategy(&self) -> RestartStrategy {
        self.group.strategy()
    }

    /// Adds a stage, which the caller spawns next. Fails if a stage of that name lives, or
    /// if the group requires stages that can restart and this one cannot.
    pub(crate) fn reserve(
        &self,
        stage: &Arc<StageShared>,
        can_restart: bool,
    ) -> Result<Reservation<'_>, SpawnError> {
        if self.group.needs_factories() && !can_restart {
            return Err(SpawnError::NotSupervised {
                stage: Arc::clone(&stage.name),
                strategy: self.strategy(),
            });
        }
        if !self.stages.insert(stage, &self.group) {
            return Err(SpawnError::NameTaken {
                stage: Arc::clone(&stage.name),
            });
        }
        Ok(Reservation(self))
    }

    /// Adds a stage without checks, because its reservation was refused: it is spawned to
    /// fail, and its failure belongs to the pipeline.
    pub(crate) fn place(&self, stage: &Arc<StageShared>) -> Reservation<'_> {
        self.stages.insert_refused(stage, &self.group);
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
            .field("name", &self.group.name())
            .field("strategy", &self.strategy())
            .field("co_located", &self.task.is_some())
            .finish_non_exhaustive()
    }
}

/// The place in a group of a stage that is being spawned.
pub(crate) struct Reservation<'a>(&'a Group);

impl Reservation<'_> {
    /// Returns the stage's reference to its pipeline.
    pub(crate) fn membership(&self) -> Membership {
        self.0.stages.membership()
    }

    /// Spawns the stage, on its own task or on the shared one.
    pub(crate) fn spawn<F>(
        &self,
        runtime: &runtime::Handle,
        stage: &StageShared,
        run: F,
    ) -> AbortHandle
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let task = match &self.0.task {
            Some(task) => AbortHandle::CoLocated(task.spawn(runtime, run)),
            None => AbortHandle::spawn(runtime, run),
        };
        self.0.stages.set_task(stage, &task);
        task
    }
}
