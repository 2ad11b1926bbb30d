//! [`AckedPipeline`]: a running pipeline.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{Either, select};
use stages::explain::Explanation;
use stages::snapshot::Snapshot;
use stages::{Error, Gate, Reason};

use super::assembly::Origin;
use super::{
    Assembly, Guarantees, OriginReport, PushMessages, Resize, ResizeError, RunError, UndrainedError,
};
use crate::ledger::Ledger;

/// A running pipeline; made by `start` of [`AckedSteps`](crate::AckedSteps) and
/// [`AckedBatchers`](crate::AckedBatchers). A clone is the same pipeline.
///
/// Dropping all clones does not end it. [`drain`](Self::drain) ends it without losing or
/// repeating a message, [`shutdown`](Self::shutdown) at once: what is under way is then
/// released, and the sources deliver it again.
pub struct AckedPipeline<S> {
    inner: Arc<Inner<S>>,
}

struct Inner<S> {
    name: Arc<str>,
    stages: Arc<stages::Pipeline>,
    origins: Vec<Origin>,
    steps: Vec<Arc<dyn Resize>>,
    guarantees: Guarantees,
    pushes: Vec<PushMessages<S>>,
}

impl<S: Send + 'static> AckedPipeline<S> {
    pub(crate) fn new(
        assembly: Assembly,
        guarantees: Guarantees,
        pushes: Vec<PushMessages<S>>,
    ) -> Self {
        let Assembly {
            stages,
            shared,
            origins,
            steps,
            gates,
            ..
        } = assembly;
        for gate in gates {
            gate(Gate::Open);
        }
        let name = Arc::clone(&shared.name);
        Self {
            inner: Arc::new(Inner {
                name,
                stages,
                origins,
                steps,
                guarantees,
                pushes,
            }),
        }
    }

    /// Returns the name of the pipeline.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Waits until the pipeline has ended: all its sources have, and everything is settled.
    ///
    /// # Errors
    ///
    /// As [`stages::Pipeline::join`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn join(&self) -> Result<(), Error> {
        self.inner.stages.join().await
    }

    /// Ends the pipeline in order: sources lease no more, steps finish, open batches leave,
    /// batch handlers settle, sources close. Returns the ledger of each source.
    ///
    /// In a handler of the pipeline this starts the drain and returns at once.
    ///
    /// # Errors
    ///
    /// [`UndrainedError`] when `deadline` passes first. What is unsettled then is released,
    /// or retried if a handler had begun with it.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the pipeline draining, without a deadline.
    pub async fn drain(&self, deadline: Duration) -> Result<Vec<OriginReport>, UndrainedError> {
        match self.inner.stages.drain(deadline).await {
            Ok(()) => Ok(self.origins()),
            Err(stages) => Err(UndrainedError {
                stages,
                origins: self.origins(),
            }),
        }
    }

    /// Stops all stages, each between two calls of its handlers. What is under way is
    /// released, or retried if a handler had begun with it.
    pub fn stop(&self, reason: impl Into<Reason>) {
        self.inner.stages.stop(reason);
    }

    /// [Stops](Self::stop) all stages and waits until they have ended.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the stages stopping.
    pub async fn shutdown(&self) {
        self.inner.stages.shutdown().await;
    }

    /// Runs until the pipeline has ended, or until `signal` is ready and the pipeline has
    /// been [drained](Self::drain): the main loop of a service. The output of `signal` is
    /// ignored.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use stage_pipeline::AckedPipeline;
    /// # async fn ctrl_c() {}
    /// # async fn run(pipeline: AckedPipeline<u64>) -> Result<(), Box<dyn std::error::Error>> {
    /// for source in pipeline.run_until(ctrl_c(), Duration::from_secs(30)).await? {
    ///     println!("{source}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RunError`], as for [`join`](Self::join) and [`drain`](Self::drain).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future detaches the stages. A drain that has begun goes on without its
    /// deadline.
    pub async fn run_until<F: Future>(
        &self,
        signal: F,
        deadline: Duration,
    ) -> Result<Vec<OriginReport>, RunError> {
        if let Either::Left((joined, _)) = select(pin!(self.join()), pin!(signal)).await {
            joined?;
            return Ok(self.origins());
        }
        self.drain(deadline).await?;
        self.join().await?;
        Ok(self.origins())
    }

    /// Changes the number of members of a step while the pipeline runs. A member that
    /// leaves finishes what it has; this waits for it.
    ///
    /// In a handler of the pipeline this starts the change and returns at once; what fails
    /// then is traced.
    ///
    /// # Errors
    ///
    /// [`ResizeError`] if there is no such step, if its messages are partitioned, if
    /// `members` is 0, or if the pipeline ends.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, some members have been added or removed.
    pub async fn resize(&self, step: &str, members: usize) -> Result<(), ResizeError> {
        match self.step(step) {
            Some(step) if self.is_in_handler() => {
                step.check(members)?;
                let step = Arc::clone(step);
                tokio::spawn(async move {
                    if let Err(error) = step.resize(members).await {
                        tracing::warn!(%error, "a step was not resized");
                    }
                });
                Ok(())
            }
            Some(step) => step.resize(members).await,
            None => {
                let names: Vec<_> = self
                    .inner
                    .steps
                    .iter()
                    .map(|step| format!("`{}`", step.name()))
                    .collect();
                Err(ResizeError::Unknown {
                    step: step.to_owned(),
                    known: names.join(", "),
                })
            }
        }
    }

    /// Returns the number of members of a step, if there is one of this name.
    #[must_use]
    pub fn members(&self, step: &str) -> Option<usize> {
        Some(self.step(step)?.members())
    }

    /// Returns what became of the messages of all sources.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.inner
            .origins
            .iter()
            .map(|origin| origin.counts.ledger())
            .fold(Ledger::default(), Ledger::plus)
    }

    /// Returns what became of the messages of each source.
    #[must_use]
    pub fn origins(&self) -> Vec<OriginReport> {
        self.inner.origins.iter().map(Origin::report).collect()
    }

    /// Returns the guarantee of each edge.
    #[must_use]
    pub fn guarantees(&self) -> &Guarantees {
        &self.inner.guarantees
    }

    /// Returns what the stages of the pipeline have done so far and are doing now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.inner.stages.snapshot()
    }

    /// Explains why the pipeline stands still: names the stage that has held others back
    /// for longer than `patience`, such as a batcher that waits for its timeout, or a
    /// source that waits for its rate limit.
    #[must_use]
    pub fn explain(&self, patience: Duration) -> Explanation {
        self.inner.stages.explain(patience)
    }

    /// Returns the stages of the pipeline.
    #[must_use]
    pub fn stages(&self) -> &stages::Pipeline {
        &self.inner.stages
    }

    pub(super) fn pushes(&self) -> &[PushMessages<S>] {
        &self.inner.pushes
    }

    /// Whether this is called in a handler of the pipeline, which would wait for itself.
    fn is_in_handler(&self) -> bool {
        let joined = self.inner.stages.join().now_or_never();
        matches!(joined, Some(Err(Error::InHandler { .. })))
    }

    fn step(&self, name: &str) -> Option<&Arc<dyn Resize>> {
        self.inner.steps.iter().find(|step| step.name() == name)
    }
}

impl<S> Clone for AckedPipeline<S> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<S> fmt::Debug for AckedPipeline<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AckedPipeline")
            .field("name", &self.inner.name)
            .finish_non_exhaustive()
    }
}
