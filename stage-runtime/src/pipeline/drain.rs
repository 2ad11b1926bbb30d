//! Draining a pipeline: its end without losing events.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, timeout, timeout_at};

use super::Pipeline;
use super::drain_error::{DrainError, Leftover};
use super::member::Member;
use crate::snapshot::{Endpoint, LinkSnapshot, Snapshot, StageSnapshot};

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
        if self.root.stages.current().is_some() {
            self.root.stages.drain();
            let pipeline = self.clone();
            tokio::spawn(async move { pipeline.drain_until_end(deadline).await });
            return Ok(());
        }
        self.drain_until_end(deadline).await
    }

    /// Starts the drain, waits for its end, and stops what is left at the deadline.
    async fn drain_until_end(&self, deadline: Duration) -> Result<(), DrainError> {
        let until = Instant::now() + deadline.min(Duration::from_secs(u64::from(u32::MAX)));
        let stages = &self.root.stages;
        stages.drain();
        // Looked up again after each stage: stages that join meanwhile drain, too.
        let all_ended = async {
            while let Some(member) = stages
                .members()
                .into_iter()
                .find(|member| member.outcome().is_none())
            {
                member.ended().await;
            }
        };
        if timeout_at(until, all_ended).await.is_ok() {
            return Ok(());
        }
        let members: Vec<Member> = stages
            .members()
            .into_iter()
            .filter(|member| member.outcome().is_none())
            .collect();
        let snapshot = self.snapshot();
        let mut left: Vec<Leftover> = members
            .iter()
            .filter_map(|member| {
                let stage = snapshot
                    .stages
                    .iter()
                    .find(|stage| stage.id == member.shared.id)?;
                Some(leftover(&snapshot, stage))
            })
            .collect();
        stages.stop(&"the deadline of its drain passed".into());
        end_all(&members).await;
        for (leftover, member) in left.iter_mut().zip(&members) {
            leftover.running = member.outcome().is_none();
        }
        let error = DrainError { deadline, left };
        tracing::warn!(%error, "drain cut short");
        Err(error)
    }
}

/// Waits until stopped stages have ended, and after [`GRACE`] drops the tasks of those that
/// have not.
async fn end_all(members: &[Member]) {
    let ended = || join_all(members.iter().map(Member::ended));
    if timeout(GRACE, ended()).await.is_err() {
        for member in members {
            member.task.abort();
        }
        // Not without a limit: a handler that blocks its thread cannot be dropped.
        let _ = timeout(GRACE, ended()).await;
    }
}

/// Counts the events that a stage has left.
fn leftover(snapshot: &Snapshot, stage: &StageSnapshot) -> Leftover {
    let in_flight = |of: &dyn Fn(&LinkSnapshot) -> bool| -> u64 {
        let links = snapshot.links.iter().filter(|link| of(link));
        links.map(|link| link.totals.in_flight).sum()
    };
    let is_inside = |party: &Endpoint| snapshot.stages.iter().any(|stage| stage.id == party.id);
    Leftover {
        stage: Arc::clone(&stage.stats.name),
        buffered: stage.stats.buffered,
        unhandled: in_flight(&|link| link.consumer.id == stage.id),
        held: stage.stats.held,
        outside: in_flight(&|link| link.producer.id == stage.id && !is_inside(&link.consumer)),
        running: false,
    }
}
