//! [`StageControl`]: a running stage without its types.

use std::fmt;
use std::sync::Arc;
use std::task::Waker;

use stage_core::{Outcome, Reason};

use crate::abort::AbortHandle;
use crate::shared::StageShared;
use crate::snapshot::StageKind;
use crate::stage_id::StageId;
use crate::stats::StageStats;

/// A reference to a running stage of any type; cheap to clone.
///
/// It has everything of a [`StageRef`](crate::StageRef) that does not depend on the type of
/// the stage, of its events or of its messages. So stages of different types fit into one
/// collection. [`StageRef::control`](crate::StageRef::control) returns it, and a `StageRef`
/// and a `StageHandle` dereference to it.
///
/// ```
/// use std::collections::HashMap;
/// use stage_runtime::operators::{for_each, from_iter};
/// use stage_runtime::handle::StageControl;
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let numbers = from_iter(0_u64..).stage().name("numbers").spawn();
/// let printer = for_each(|n: u64| println!("{n}")).stage().name("printer");
/// let printer = printer.subscribe_to(&numbers).spawn();
///
/// let mut stages: HashMap<String, StageControl> = HashMap::new();
/// for stage in [numbers.control(), printer.control()] {
///     stages.insert(stage.name().to_owned(), stage);
/// }
/// let numbers = &stages["numbers"];
/// numbers.drain();
/// assert!(numbers.outcome().await.is_completed());
/// # }
/// ```
#[derive(Clone)]
pub struct StageControl {
    pub(crate) shared: Arc<StageShared>,
    pub(crate) task: AbortHandle,
}

impl StageControl {
    pub(crate) const fn new(shared: Arc<StageShared>, task: AbortHandle) -> Self {
        Self { shared, task }
    }

    /// Returns the name of the stage.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Returns the id of the stage, unique in this process.
    #[must_use]
    pub fn id(&self) -> StageId {
        self.shared.id
    }

    /// Returns whether the stage is a producer, a consumer or both.
    #[must_use]
    pub fn kind(&self) -> StageKind {
        self.shared.kind
    }

    /// Returns the statistics of the stage so far, also after its end.
    #[must_use]
    pub fn stats(&self) -> StageStats {
        self.shared.stats()
    }

    /// Whether the stage has ended.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.shared.outcome.get().is_some()
    }

    /// Waits until the stage has ended and returns its outcome. In a handler of the stage
    /// itself it waits for ever.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future changes nothing.
    pub async fn outcome(&self) -> Outcome {
        self.shared.outcome.wait().await
    }

    /// Returns a waker for the stage, as [`Context::waker`](stage_core::Context::waker)
    /// does inside a handler. It has no effect once the stage has ended.
    ///
    /// ```
    /// use stage_runtime::prelude::*;
    ///
    /// /// Completes when it is woken.
    /// struct Sleeper;
    ///
    /// impl Consumer for Sleeper {
    ///     type Event = u64;
    ///
    ///     async fn handle_events(
    ///         &mut self,
    ///         _numbers: &mut Batch<u64>,
    ///         _cx: &mut Context<'_>,
    ///     ) -> StageResult {
    ///         Ok(())
    ///     }
    ///
    ///     async fn handle_wake(&mut self, cx: &mut Context<'_>) -> StageResult {
    ///         cx.complete();
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let sleeper = Sleeper.stage().spawn();
    /// sleeper.waker().wake();
    /// sleeper.await
    /// # }
    /// ```
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.shared))
    }

    /// Stops the stage between two calls of its handlers: nothing more is handled or
    /// emitted, and the stage ends as cancelled. Its links end with the same outcome. Has
    /// no effect on a stage that has ended, or was stopped before.
    ///
    /// See also [`complete`](Self::complete) and [`drain`](Self::drain).
    pub fn stop(&self, reason: impl Into<Reason>) {
        self.shared.stop(reason.into());
    }

    /// Completes the stage between two calls of its handlers, as
    /// [`Context::complete`](stage_core::Context::complete) does from inside, and returns
    /// at once; [`outcome`](Self::outcome) waits for the end.
    ///
    /// The handlers get no more demand and no more events. What the stage has emitted is
    /// delivered and handled; then it ends as completed. Events that it has received and
    /// not handled go back to its producers. `handle_complete` is not called: a stage that
    /// gathers events is [drained](Self::drain) instead.
    ///
    /// The gate stays as it is. While it is closed, or nobody has subscribed, emitted
    /// events wait, and so does the end. A stage whose `may_complete` returns `false`
    /// stays until that changes: [`per_event`](crate::per_event()) waits for its children.
    ///
    /// A stage that waits to be restarted completes after its restart. Otherwise it is not
    /// restarted, not even by [`Restart::always`](crate::Restart::always). A handler may
    /// call this for its own stage; it takes effect when the handler returns. Has no effect
    /// on a stage that completes already or has ended.
    ///
    /// ```
    /// use stage_runtime::operators::{for_each, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(0_u64..).stage().spawn();
    /// let printer = for_each(|n: u64| println!("{n}")).stage().subscribe_to(&numbers).spawn();
    /// numbers.complete();
    /// numbers.await?;
    /// // The last number that was emitted has arrived.
    /// printer.await
    /// # }
    /// ```
    pub fn complete(&self) {
        self.shared.complete();
    }

    /// Drains the stage as [`Pipeline::drain`](crate::Pipeline::drain) would, if it had no
    /// other stage, and returns at once; [`outcome`](Self::outcome) waits for the end.
    ///
    /// | | first | completes when |
    /// |---|---|---|
    /// | producer | its `handle_drain` is called | what it emitted has been handled |
    /// | consumer | its subscriptions are cancelled | it has handled what had arrived |
    /// | producer-consumer | both | both |
    ///
    /// As with `complete`, a stage whose `may_complete` returns `false` stays until that
    /// changes.
    ///
    /// Its producers and consumers go on: a producer sends the events that it had not yet
    /// sent to others, and a consumer is told that the stage has completed. The gate is
    /// opened. Events that nobody is left to take are discarded, and the stage ends as
    /// cancelled.
    ///
    /// There is no deadline; [`stop`](Self::stop) sets one. A stage that waits to be
    /// restarted drains after its restart. A handler may call this for its own stage; it
    /// takes effect when the handler returns. Has no effect on a stage that drains already,
    /// alone or with its pipeline, or has ended.
    ///
    /// ```
    /// use stage_runtime::operators::{fold, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(0_u64..).stage().spawn();
    /// let count = fold(0, |count, _: u64| count + 1).stage().subscribe_to(&numbers).spawn();
    /// tokio::task::yield_now().await;
    /// count.drain();
    /// let stats = count.stage_ref();
    /// assert_eq!(count.output().await?, stats.stats().events_in);
    /// assert!(!numbers.is_ended());
    /// # Ok(())
    /// # }
    /// ```
    pub fn drain(&self) {
        self.shared.drain_alone();
    }

    /// Drops the stage's task, even inside a handler that awaits: for a handler that does
    /// not return by itself.
    ///
    /// The events that the handler had not taken are handed back. `terminate` is not
    /// called, and the stage ends as cancelled. A handler that blocks its thread cannot be
    /// aborted before it yields.
    pub fn abort(&self) {
        self.task.abort();
    }
}

impl fmt::Debug for StageControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StageControl")
            .field("name", &self.shared.name)
            .field("ended", &self.is_ended())
            .finish_non_exhaustive()
    }
}
