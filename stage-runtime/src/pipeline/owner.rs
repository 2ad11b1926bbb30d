//! The pipeline: the owner of its stages.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Either, select};
use stage_core::{Budget, Reason};

use super::group::Group;
use super::stages::Stages;
use crate::error::Error;
use crate::explain::Explanation;
use crate::group::RestartStrategy;
use crate::snapshot::Snapshot;

/// All stages of a program: joined, drained, stopped and inspected together.
///
/// A stage joins a pipeline by the option `in_group(&pipeline)` of its builder. Its own
/// handle still works. Dropping a pipeline detaches its stages, as dropping a handle does.
///
/// A stage that fails for good stops the pipeline: the other stages are stopped, and
/// [`join`](Pipeline::join) returns the failure. Otherwise the stages above it would wait
/// for ever. A [`supervised`](crate::supervised) stage fails for good when it has been
/// restarted too often. The failure of an
/// [expendable](crate::builder::ProducerBuilder::expendable) stage, or of one with
/// [`Restart::never`](crate::Restart::never), does not stop the others.
///
/// Stages may come and go for as long as the pipeline lives. A name is free again as soon
/// as its stage has ended. A pipeline keeps the stages that ended last for its
/// [`snapshot`](Self::snapshot), and the [sums](crate::snapshot::PastStages) of the others.
///
/// ```
/// use std::time::Duration;
/// use stage_runtime::operators::{fold, from_iter};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let pipeline = Pipeline::new();
/// let numbers = from_iter(0..).stage().name("numbers").in_group(&pipeline).spawn();
/// let sum = fold(0u64, |sum, n: u64| sum + n)
///     .stage()
///     .name("sum")
///     .subscribe_to(&numbers)
///     .in_group(&pipeline)
///     .spawn();
///
/// // The numbers have no end of their own.
/// pipeline.drain(Duration::from_secs(5)).await?;
/// let snapshot = pipeline.snapshot();
/// assert_eq!(snapshot.links[0].totals.in_flight, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Pipeline {
    pub(crate) root: Group,
}

impl Pipeline {
    /// Makes a pipeline without stages.
    #[must_use]
    pub fn new() -> Self {
        let stages = Arc::new(Stages::default());
        Self {
            root: Group::new(stages, RestartStrategy::OneForOne),
        }
    }

    /// Makes a group of stages of this pipeline that restart together, as `strategy` says.
    /// A stage that is spawned in the pipeline itself restarts alone.
    #[must_use]
    pub fn group(&self, strategy: RestartStrategy) -> Group {
        Group::new(Arc::clone(&self.root.stages), strategy)
    }

    /// Makes a budget of `bytes` that several buffers and subscriptions share: what all of
    /// them hold together stays within it. They share it by their option `budget`, of a
    /// [producer](crate::builder::ProducerBuilder::budget), a
    /// [producer-consumer](crate::builder::ProducerConsumerBuilder::budget) or a
    /// [subscription](crate::Subscription::budget).
    ///
    /// Unlike a budget from [`Budget::new`], it is in the
    /// [`snapshot`](Self::snapshot) of the pipeline, until the budget and all that share it
    /// are dropped. Stages outside of the pipeline can share it, too.
    ///
    /// ```
    /// use stage_runtime::operators::{for_each, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let pipeline = Pipeline::new();
    /// let budget = pipeline.budget(1_000_000);
    /// let texts = from_iter(["one".to_owned()]).stage().in_group(&pipeline).spawn();
    /// let terms = texts.subscription().max_bytes(1_000, String::len).budget(&budget);
    /// for_each(|_: String| ()).stage().subscribe_to(terms).in_group(&pipeline).spawn();
    /// assert_eq!(pipeline.snapshot().budgets[0].limit, 1_000_000);
    /// pipeline.await
    /// # }
    /// ```
    #[must_use]
    pub fn budget(&self, bytes: usize) -> Budget {
        self.root.stages.budget(bytes)
    }

    /// Waits until all stages have ended, also those that join meanwhile. Returns at once
    /// if there are no stages.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if a stage failed, also if the pipeline has forgotten it. Among
    /// several failures, that of the first stage that stopped the pipeline is returned; if
    /// there is none, that of the first expendable stage that failed by itself.
    /// [`Error::Cancelled`] if no stage failed and one was stopped. [`Error::InHandler`]
    /// when a handler of one of the stages awaits this.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn join(&self) -> Result<(), Error> {
        if let Some(stage) = self.root.stages.current() {
            return Err(Error::InHandler { stage });
        }
        self.root.stages.ended(None).await;
        self.root.stages.check()
    }

    /// Stops all stages, each between two calls of its handlers: they end as cancelled.
    /// Stages that join later are stopped, too.
    ///
    /// Events under way are not handled; use [`drain`](Pipeline::drain) for that. A second
    /// call has no effect.
    ///
    /// ```
    /// use stage_runtime::operators::{for_each, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let pipeline = Pipeline::new();
    /// let numbers = from_iter(0..).stage().in_group(&pipeline).spawn();
    /// for_each(|_: u64| ()).stage().subscribe_to(&numbers).in_group(&pipeline).spawn();
    /// pipeline.stop("it is late");
    /// let ended = pipeline.join().await;
    /// assert!(matches!(ended, Err(stage_runtime::Error::Cancelled { .. })));
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop(&self, reason: impl Into<Reason>) {
        self.root.stages.stop(None, &reason.into(), None);
    }

    /// [Stops](Pipeline::stop) all stages and waits until they have ended.
    /// [`join`](Pipeline::join) returns their outcome.
    ///
    /// In a handler of one of the stages this does not wait, because that stage can only
    /// end when the handler has returned.
    ///
    /// ```
    /// use stage_runtime::operators::{for_each, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let pipeline = Pipeline::new();
    /// let numbers = from_iter(0..).stage().in_group(&pipeline).spawn();
    /// for_each(|_: u64| ()).stage().subscribe_to(&numbers).in_group(&pipeline).spawn();
    /// pipeline.shutdown().await;
    /// assert!(numbers.is_ended());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the stages stopping.
    pub async fn shutdown(&self) {
        self.stop("the pipeline was shut down");
        if self.root.stages.current().is_some() {
            return;
        }
        self.root.stages.ended(None).await;
    }

    /// Runs until all stages have ended, or until `signal` is ready and the pipeline has
    /// been [drained](Pipeline::drain): the main loop of a service.
    ///
    /// The output of `signal` is ignored. For example, an error of
    /// `tokio::signal::ctrl_c` drains the pipeline as the key does.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use stage_runtime::prelude::*;
    /// # async fn ctrl_c() {}
    /// # async fn run() -> Result<(), stage_runtime::Error> {
    /// let pipeline = Pipeline::new();
    /// // … stages …
    /// pipeline.run_until(ctrl_c(), Duration::from_secs(30)).await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`join`](Pipeline::join), and as for [`drain`](Pipeline::drain) if `deadline`
    /// passes.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future detaches the stages. A drain that has begun goes on without its
    /// deadline.
    pub async fn run_until<F: Future>(&self, signal: F, deadline: Duration) -> Result<(), Error> {
        if let Either::Left((joined, _)) = select(pin!(self.join()), pin!(signal)).await {
            return joined;
        }
        self.drain(deadline).await?;
        self.join().await
    }

    /// Returns what the stages and their links have done so far and are doing now, also
    /// after their end. Of stages that ended long ago it has the
    /// [sums](crate::snapshot::PastStages).
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.root.stages.snapshot()
    }

    /// Explains why the pipeline stands still: names a stage or link that has held others
    /// back for longer than `patience`, if there is one. See [`Snapshot::explain`].
    #[must_use]
    pub fn explain(&self, patience: Duration) -> Explanation {
        self.snapshot().explain(patience)
    }
}

/// Awaiting a pipeline is [`join`](Pipeline::join).
///
/// ```
/// use stage_runtime::operators::{for_each, from_iter};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let pipeline = Pipeline::new();
/// let numbers = from_iter(1..=3).stage().in_group(&pipeline).spawn();
/// for_each(|n: i32| println!("{n}")).stage().subscribe_to(&numbers).in_group(&pipeline).spawn();
/// pipeline.await
/// # }
/// ```
impl IntoFuture for Pipeline {
    type Output = Result<(), Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        async move { self.join().await }.boxed()
    }
}

/// Awaiting a reference to a pipeline is [`join`](Pipeline::join).
impl<'a> IntoFuture for &'a Pipeline {
    type Output = Result<(), Error>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.join().boxed()
    }
}

impl Default for Pipeline {
    fn default() -> Self {
        Self::new()
    }
}

impl AsRef<Group> for Pipeline {
    fn as_ref(&self) -> &Group {
        &self.root
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("stages", &self.root.stages.count())
            .finish_non_exhaustive()
    }
}
