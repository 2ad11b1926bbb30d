//! Coming to an end without losing anything.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use thiserror::Error;
use tokio::time::{Instant, timeout, timeout_at};

use super::Pipeline;
use super::member::Member;
use crate::snapshot::{Endpoint, LinkSnapshot, Snapshot, StageSnapshot};

/// How long stages have to end that were stopped because the deadline passed,
/// before their tasks are dropped.
const GRACE: Duration = Duration::from_millis(500);

/// A drain did not come to its end in time.
#[derive(Debug, Clone, Error)]
#[error("not drained within {}: {}", Seconds(.deadline), Listed(.left))]
#[non_exhaustive]
pub struct DrainError {
    /// The deadline that passed.
    pub deadline: Duration,
    /// What the stages had left that had not ended by then; in the order in
    /// which they joined the pipeline.
    pub left: Vec<Leftover>,
}

/// A stage that had not ended when the deadline of a drain passed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leftover {
    /// The name of the stage.
    pub stage: Arc<str>,
    /// Events in its buffer or its dispatcher that nobody took.
    pub buffered: u64,
    /// Events sent to it that it had not handled.
    pub unhandled: u64,
    /// Events that it had handled and its state had not let go of: gathered, or worked
    /// on in tasks of its own. Of a source, events that it had taken in and not emitted.
    pub held: u64,
    /// Events that it had sent to consumers outside of the pipeline, and that these had
    /// not handled: the stage waits for them.
    pub outside: u64,
    /// It has not ended even now: it blocks its thread.
    pub running: bool,
}

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

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            stage,
            buffered,
            unhandled,
            held,
            outside,
            running,
        } = self;
        write!(f, "`{stage}` had {buffered} events buffered")?;
        if *held > 0 {
            write!(f, ", {held} held")?;
        }
        if *outside > 0 {
            write!(
                f,
                ", {outside} sent out of the pipeline and not handled there"
            )?;
        }
        write!(f, " and {unhandled} unhandled")?;
        if *running {
            f.write_str(" and still blocks its thread")?;
        }
        Ok(())
    }
}

struct Seconds<'a>(&'a Duration);

impl fmt::Display for Seconds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

struct Listed<'a>(&'a [Leftover]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, leftover) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            leftover.fmt(f)?;
        }
        Ok(())
    }
}
