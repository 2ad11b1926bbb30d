//! [`acked`] and [`Acked`]: a pipeline before its first step.

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use foldhash::quality::FixedState;
use parking_lot::Mutex;
use stages::Restart;
use stages::protocol::panic_message;

use super::{AckedSteps, Settings, Step};
use crate::dead_letter::{DeadLetterSink, SharedSink};
use crate::guarantee::Guarantee;
use crate::message::{Failed, Message};
use crate::policy::{KeyedRateLimit, RateLimit, Retry};
use crate::run::{
    self, Assembly, Build, BuildError, Downstream, Pool, PushMessages, SpawnSource, Upstream,
};
use crate::source::Source;
use crate::step::{Assign, Expand, Expanding, Handler, InPlace, Transform, Transforming};

/// Begins an acknowledged pipeline: sources, steps, and batchers with their batch handlers.
///
/// The methods follow the way of a message. [`Acked::source`] names where messages come
/// from, [`Acked::step`] the first step, [`AckedSteps::batcher`] a batcher and its batch
/// handler, and `start` starts it.
///
/// ```
/// use std::time::Duration;
/// use stage_pipeline::memory::MemoryQueue;
/// use stage_pipeline::{
///     Batcher, Message, MessageBatch, Step, TraceDeadLetters, acked, batch_handler_fn, handler_fn,
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let queue = MemoryQueue::new();
/// queue.enqueue_all(1..=1_000_u64);
/// queue.close();
///
/// let source = queue.clone();
/// let pipeline = acked("numbers")
///     .source(move || source.source())
///     .dead_letters(TraceDeadLetters)
///     .step(Step::new("double").concurrency(4), || {
///         handler_fn(|message: &mut Message<u64>| {
///             message.data *= 2;
///             Ok(())
///         })
///     })
///     .batcher(Batcher::new("print").size(100), || {
///         batch_handler_fn(|batch: &mut MessageBatch<u64>| {
///             println!("{} numbers", batch.messages.len());
///             Ok(())
///         })
///     })
///     .start()?;
/// pipeline.join().await?;
/// assert_eq!(pipeline.ledger().acked, 1_000);
/// # Ok(())
/// # }
/// ```
pub fn acked<S: Send + 'static>(name: impl Into<Arc<str>>) -> Acked<S> {
    Acked {
        name: name.into(),
        settings: Settings::default(),
        sources: Vec::new(),
        partition: None,
    }
}

/// A pipeline before its first step: its sources, and the options of the whole.
///
/// | option | default |
/// |---|---|
/// | [`retry`](Acked::retry) | 5 deliveries, 100 ms to 30 s between them |
/// | [`dead_letters`](Acked::dead_letters) | the sources keep them, or the pipeline does not start |
/// | [`rate_limit`](Acked::rate_limit), [`rate_limit_per_key`](Acked::rate_limit_per_key) | none |
/// | [`max_in_flight`](Acked::max_in_flight) | none for each source, beside what demand allows |
/// | [`partition_by`](Acked::partition_by), [`ordered_by_key`](Acked::ordered_by_key) | any member of a step gets a message |
/// | [`require`](Acked::require) | any guarantee will do |
/// | [`spans`](Acked::spans) | no span for each message |
/// | [`restart`](Acked::restart) | a stage restarts when it fails, 3 times in 5 s at most |
/// | [`restart_sources`](Acked::restart_sources) | a source restarts without end, after 100 ms to 30 s |
#[must_use = "a pipeline does nothing until it is started"]
pub struct Acked<S> {
    name: Arc<str>,
    settings: Settings,
    sources: Vec<SpawnSource<S>>,
    partition: Option<Assign<S>>,
}

impl<S: Send + 'static> Acked<S> {
    /// Adds a source. `factory` makes it, and makes it again when it has failed.
    pub fn source<F, T>(mut self, factory: F) -> Self
    where
        F: FnMut() -> T + Send + 'static,
        T: Source<Data = S>,
    {
        self.sources.push(run::source(factory));
        self
    }

    /// Sets what becomes of messages that fail.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.settings.retry = retry;
        self
    }

    /// Sets who takes messages that are not delivered any more.
    pub fn dead_letters(mut self, sink: impl DeadLetterSink) -> Self {
        self.settings.dead_letters = Some(SharedSink::new(sink));
        self
    }

    /// Limits how many messages are leased in a period, over all sources. `limit` can be
    /// changed while the pipeline runs, and shared with others. Nothing is leased beyond
    /// it, and it is kept in a drain, too.
    pub fn rate_limit(mut self, limit: &RateLimit) -> Self {
        self.settings.rate = Some(limit.clone());
        self
    }

    /// Limits how many messages of each [key](crate::Metadata::key) are handed on in a
    /// period. Messages over the limit of their key wait in their source, up to 1,000 of
    /// them, and those of other keys go on; beyond that the source leases no more. Messages
    /// without a key are not limited. `limit` can be changed while the pipeline runs. In a
    /// drain the messages that wait are released.
    pub fn rate_limit_per_key(mut self, limit: &KeyedRateLimit) -> Self {
        self.settings.key_rate = Some(limit.clone());
        self
    }

    /// Limits the messages of each source that are leased and not settled. At least 1.
    pub const fn max_in_flight(mut self, messages: u64) -> Self {
        self.settings.max_in_flight = messages;
        self
    }

    /// Sends messages with equal keys to the same member of each step that follows, and
    /// to the same batch handler: they are handled in the order in which they were leased,
    /// unless one of them fails.
    ///
    /// Source: `partition_by` of Broadway.
    pub fn partition_by<K: Hash>(
        mut self,
        key: impl Fn(&Message<S>) -> K + Send + Sync + 'static,
    ) -> Self {
        self.partition = Some(assign_partition(key));
        self
    }

    /// Keeps messages with the same [key](crate::Metadata::key) in order, also when one of
    /// them fails: those of its key that were leased after it are released, and come again
    /// after it. Messages without a key are handled in any order.
    ///
    /// All sources must promise [`Capabilities::keeps_key_order`](crate::Capabilities).
    pub fn ordered_by_key(mut self) -> Self {
        self.settings.ordered = true;
        self.partition = Some(Arc::new(|message: &mut Message<S>| {
            if let Some(key) = message.metadata().key() {
                message.set_partition(FixedState::default().hash_one(key));
            }
            Ok(())
        }));
        self
    }

    /// Refuses to start if an edge gives a weaker guarantee.
    pub const fn require(mut self, guarantee: Guarantee) -> Self {
        self.settings.required = guarantee;
        self
    }

    /// Gives each message a span of `tracing`, from its lease to its verdict; handlers run
    /// in it. It costs some hundred nanoseconds a message.
    pub const fn spans(mut self) -> Self {
        self.settings.spans = true;
        self
    }

    /// Sets when steps, batchers and batch handlers restart. An error or a panic of a
    /// handler is no failure of its stage: it fails messages.
    ///
    /// With `Restart::never()` a stage that fails leaves a pipeline that stands still; to
    /// end the pipeline at the first failure, use
    /// `Restart::on_failure().max_restarts(0)`.
    pub const fn restart(mut self, restart: Restart) -> Self {
        self.settings.restart = restart;
        self
    }

    /// Sets when sources restart that have failed.
    pub const fn restart_sources(mut self, restart: Restart) -> Self {
        self.settings.source_restart = restart;
        self
    }

    /// Adds the first step. `handler` makes a handler for each member, and another after a
    /// panic.
    pub fn step<H, F>(self, step: impl Into<Step>, handler: F) -> AckedSteps<S, S>
    where
        H: Handler<Data = S>,
        F: Fn() -> H + Send + Sync + 'static,
    {
        self.begin().add(step.into(), move || InPlace(handler()))
    }

    /// Adds the first step, one that changes the type of the data.
    pub fn transform<H, F>(self, step: impl Into<Step>, handler: F) -> AckedSteps<S, H::Out>
    where
        H: Transform<In = S>,
        F: Fn() -> H + Send + Sync + 'static,
    {
        self.begin()
            .add(step.into(), move || Transforming(handler()))
    }

    /// Adds the first step, one that makes several messages of one.
    pub fn expand<H, F>(self, step: impl Into<Step>, handler: F) -> AckedSteps<S, H::Out>
    where
        H: Expand<In = S>,
        F: Fn() -> H + Send + Sync + 'static,
    {
        self.begin().add(step.into(), move || Expanding(handler()))
    }

    fn begin(self) -> AckedSteps<S, S> {
        let Self {
            name,
            settings,
            sources,
            partition,
        } = self;
        let pushes = Arc::default();
        let build = build_sources(sources, Arc::clone(&pushes));
        AckedSteps::new(name, settings, build, partition, pushes)
    }
}

/// Gives each message a partition by the hash of its key.
pub(super) fn assign_partition<T: 'static, K: Hash>(
    key: impl Fn(&Message<T>) -> K + Send + Sync + 'static,
) -> Assign<T> {
    Arc::new(move |message| {
        // A panic would fail a stage that all messages go through.
        let hash = || FixedState::default().hash_one(key(message));
        let hash = catch_unwind(AssertUnwindSafe(hash)).map_err(|panic| {
            Failed::new(format!(
                "its partition panicked: {}",
                panic_message(&*panic)
            ))
        })?;
        message.set_partition(hash);
        Ok(())
    })
}

/// Spawns all sources.
fn build_sources<S: Send + 'static>(
    sources: Vec<SpawnSource<S>>,
    pushes: Arc<Mutex<Vec<PushMessages<S>>>>,
) -> Build<S> {
    Box::new(
        move |assembly: &mut Assembly, downstream: Option<Downstream<S>>| {
            let downstream = downstream.unwrap_or_default();
            let mut outlets = Vec::new();
            let mut guarantee: Option<Guarantee> = None;
            for spawn in sources {
                let spawned = spawn(assembly, &downstream)?;
                outlets.push(spawned.outlet);
                pushes.lock().push(spawned.push);
                guarantee =
                    Some(guarantee.map_or(spawned.guarantee, |known| known.min(spawned.guarantee)));
            }
            let Some(guarantee) = guarantee else {
                return Err(BuildError::NoSource {
                    pipeline: assembly.shared.name.to_string(),
                });
            };
            Ok(Upstream {
                name: "source".to_owned(),
                pool: Arc::new(Pool::new(outlets)),
                guarantee,
            })
        },
    )
}

impl<S> fmt::Debug for Acked<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acked")
            .field("name", &self.name)
            .field("sources", &self.sources.len())
            .finish_non_exhaustive()
    }
}
