//! Coming to an end without losing anything.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, timeout, timeout_at};

use super::Pipeline;
use super::drain_error::{DrainError, Leftover};
use super::member::Member;
use crate::snapshot::{Endpoint, LinkSnapshot, Snapshot, StageSnapshot};

/// How long stages have to end that were stopped because the deadline passed,
/// before their tasks are dropped.
const GRACE: Duration = Duration::from_millis(500);

impl Pipeline {
    /// Brings the pipeline to its end without losing anything: sources take
    /// nothing new in, what is under way arrives and is handled, buffers empty,
    /// and the stages complete from the top down.
    ///
    /// Gates are opened, so that what waits behind them can leave. Links from
    /// producers outside the pipeline are cancelled. A stage that is being
    /// restarted goes on when it is back. Draining twice, or a pipeline that has
    /// ended, changes nothing; each caller waits for the end.
    ///
    /// In a handler of one of the stages it begins the drain and returns at once,
    /// because the drain has to wait for the handler. The deadline holds all the
    /// same; how it ended is [`join`](Pipeline::join)'s to tell.
    ///
    /// # Errors
    ///
    /// [`DrainError`] when `deadline` passes first: what is left by then is
    /// named and counted in it, and the stages that had not ended are stopped. A
    /// handler that does not come back within half a second after that is
    /// dropped. How the stages themselves ended is [`join`](Pipeline::join)'s to
    /// tell.
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

    async fn drain_until_end(&self, deadline: Duration) -> Result<(), DrainError> {
        let until = Instant::now() + deadline.min(Duration::from_secs(u64::from(u32::MAX)));
        let stages = &self.root.stages;
        stages.drain();
        // Those that join meanwhile drain as well.
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

/// Waits until stopped stages have ended, and drops the tasks of those that do
/// not come back to notice.
async fn end_all(members: &[Member]) {
    let ended = || join_all(members.iter().map(Member::ended));
    if timeout(GRACE, ended()).await.is_err() {
        for member in members {
            member.task.abort();
        }
        // One that blocks its thread does not even notice this.
        let _ = timeout(GRACE, ended()).await;
    }
}

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
