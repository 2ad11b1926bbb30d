//! Draining a pipeline, or a group of it: the end of its stages without losing events.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, timeout, timeout_at};

use super::drain_error::{DrainError, Leftover};
use super::member::Member;
use super::stages::Stages;
use super::{Group, Pipeline};
use crate::group::GroupState;
use crate::snapshot::{Endpoint, LinkSnapshot, Snapshot, StageSnapshot};
use crate::stage_id::StageId;

/// The time that stages have to end after they were stopped at the deadline. Then their
/// tasks are dropped.
const GRACE: Duration = Duration::from_millis(500);

impl Pipeline {
    /// Ends the pipeline without losing events: sources take nothing new in, events under
    /// way arrive and are handled, buffers empty, and the stages complete from the top
    /// down.
    ///
    /// Gates are opened, so that the events behind them can leave. Links from producers
    /// outside the pipeline are cancelled. A stage that is restarting drains after its
    /// restart. A second call, or a call after the end, has no effect of its own; each
    /// caller waits for the end.
    ///
    /// In a handler of one of the stages this starts the drain and returns at once, because
    /// the drain has to wait for the handler. The deadline is kept in that case, too;
    /// [`join`](Pipeline::join) returns how the pipeline ended.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stage_runtime::operators::{for_each, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let pipeline = Pipeline::new();
    /// let numbers = from_iter(0..).stage().in_group(&pipeline).spawn();
    /// let sink = for_each(|_: u64| ()).stage().subscribe_to(&numbers).in_group(&pipeline).spawn();
    /// pipeline.drain(Duration::from_secs(5)).await?;
    /// assert_eq!(numbers.stats().delivered, sink.stats().events_in);
    /// pipeline.await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`DrainError`] when `deadline` passes first: it names the stages that had not ended
    /// and counts their events. These stages are stopped, and a handler that does not
    /// return within half a second after that is dropped. [`join`](Pipeline::join) returns
    /// the outcome of the stages themselves.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the pipeline draining, without a deadline.
    pub async fn drain(&self, deadline: Duration) -> Result<(), DrainError> {
        let drain = Drain {
            stages: Arc::clone(&self.root.stages),
            group: None,
        };
        drain.start(deadline).await
    }
}

impl Group {
    /// Ends the stages of the group without losing events, while the rest of the pipeline
    /// goes on: as [`Pipeline::drain`] does, for these stages alone.
    ///
    /// Sources of the group take nothing new in. Its consumers cancel their subscriptions to
    /// producers that do not drain, and handle what had arrived. What the group emits still
    /// goes to consumers outside of it; when its producers complete, these consumers learn
    /// of that as of any completion: a consumer whose last subscription was permanent or
    /// pooled completes. Use [`CancelMode::Temporary`](stage_core::CancelMode::Temporary)
    /// for a consumer that stays.
    ///
    /// Stages that join the group later drain, too. Groups that drain at the same time
    /// drain together: links between them are not cancelled by the later one.
    ///
    /// In a handler of a stage of the pipeline this starts the drain and returns at once,
    /// because the group may wait for that stage. The deadline is kept in that case, too.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stage_runtime::operators::{for_each, from_iter};
    /// use stage_runtime::prelude::*;
    /// use stage_runtime::RestartStrategy;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let pipeline = Pipeline::new();
    /// let imports = pipeline.group(RestartStrategy::OneForOne);
    /// let files = from_iter(0..).stage().in_group(&imports).spawn();
    /// let live = from_iter(0..).stage().in_group(&pipeline).spawn();
    /// let sink = for_each(|_: u64| ())
    ///     .stage()
    ///     .subscribe_to(files.subscription().on_cancel(CancelMode::Pooled))
    ///     .subscribe_to(live.subscription().on_cancel(CancelMode::Pooled))
    ///     .in_group(&pipeline)
    ///     .spawn();
    ///
    /// imports.drain(Duration::from_secs(5)).await?;
    /// assert!(files.is_ended() && !live.is_ended() && !sink.is_ended());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`DrainError`] when `deadline` passes first, as for [`Pipeline::drain`]. Only stages
    /// of the group are stopped then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the group draining, without a deadline.
    pub async fn drain(&self, deadline: Duration) -> Result<(), DrainError> {
        let drain = Drain {
            stages: Arc::clone(&self.stages),
            group: Some(Arc::clone(&self.group)),
        };
        drain.start(deadline).await
    }
}

/// A drain of a pipeline, or of one group.
struct Drain {
    stages: Arc<Stages>,
    group: Option<Arc<GroupState>>,
}

impl Drain {
    /// Starts the drain and waits for its end; in a handler of the pipeline, starts a task
    /// that does.
    async fn start(self, deadline: Duration) -> Result<(), DrainError> {
        if self.stages.current().is_some() {
            self.stages.drain(self.group.as_deref());
            tokio::spawn(async move { self.until_end(deadline).await });
            return Ok(());
        }
        self.until_end(deadline).await
    }

    /// Starts the drain, waits for its end, and stops what is left at the deadline.
    async fn until_end(&self, deadline: Duration) -> Result<(), DrainError> {
        let until = Instant::now() + deadline.min(Duration::from_secs(u64::from(u32::MAX)));
        let (stages, group) = (&self.stages, self.group.as_ref());
        stages.drain(self.group.as_deref());
        if timeout_at(until, stages.ended(self.group.as_deref()))
            .await
            .is_ok()
        {
            return Ok(());
        }
        let members = stages.living(group);
        let mut left = leftovers(&members, &stages.snapshot());
        stages.stop(group, &"the deadline of its drain passed".into(), None);
        self.end_all(&members).await;
        for (leftover, member) in left.iter_mut().zip(&members) {
            leftover.running = member.shared.outcome.get().is_none();
        }
        let error = DrainError { deadline, left };
        tracing::warn!(%error, "drain cut short");
        Err(error)
    }

    /// Waits until stopped stages have ended, and after [`GRACE`] drops the tasks of those
    /// that have not.
    async fn end_all(&self, members: &[Member]) {
        let ended = || join_all(members.iter().map(|member| member.shared.outcome.wait()));
        if timeout(GRACE, ended()).await.is_err() {
            // Listed again: a stage that was being spawned has its task by now.
            for member in self.stages.living(self.group.as_ref()) {
                if let Some(task) = member.task {
                    task.abort();
                }
            }
            // Not without a limit: a handler that blocks its thread cannot be dropped.
            let _ = timeout(GRACE, ended()).await;
        }
    }
}

/// Counts the events that stages have left.
fn leftovers(members: &[Member], snapshot: &Snapshot) -> Vec<Leftover> {
    let ids: HashSet<StageId> = members.iter().map(Member::id).collect();
    let left = |member: &Member| {
        let mut stages = snapshot.stages.iter();
        let stage = stages.find(|stage| stage.id == member.id());
        stage.map_or_else(
            || Leftover::none(&member.shared.name),
            |stage| leftover(snapshot, stage, &ids),
        )
    };
    members.iter().map(left).collect()
}

/// Counts the events that a stage has left. `drained` are the stages that drained with it
/// and have not ended.
fn leftover(snapshot: &Snapshot, stage: &StageSnapshot, drained: &HashSet<StageId>) -> Leftover {
    let in_flight = |of: &dyn Fn(&LinkSnapshot) -> bool| -> u64 {
        let links = snapshot.links.iter().filter(|link| of(link));
        links.map(|link| link.totals.in_flight).sum()
    };
    let drains = |party: &Endpoint| drained.contains(&party.id);
    Leftover {
        stage: Arc::clone(&stage.stats.name),
        buffered: stage.stats.buffered,
        unhandled: in_flight(&|link| link.consumer.id == stage.id),
        held: stage.stats.held,
        outside: in_flight(&|link| link.producer.id == stage.id && !drains(&link.consumer)),
        running: false,
    }
}
