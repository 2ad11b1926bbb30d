//! The builder of producers.

use std::fmt;

use stage_core::{Bound, Budget, Dispatcher, Gate, Overflow, Producer};
use stage_dispatchers::Demand;

use super::spawn::StageOptions;
use crate::dead_letter::DeadLetter;
use crate::error::SpawnError;
use crate::handle::ProducerHandle;
use crate::pipeline::Group;
use crate::run::ProducerRole;
use crate::shed::Shed;
use crate::supervised::Source;

/// The default of [`buffer_size`](ProducerBuilder::buffer_size). Source: `:buffer_size` of
/// GenStage.
const BUFFER_SIZE: usize = 10_000;

/// Builds a producer; made by [`stage`](super::ProducerExt::stage).
///
/// | option | default |
/// |---|---|
/// | [`name`](Self::name) | its type and number, such as `Counter#1` |
/// | [`in_group`](Self::in_group) | none |
/// | [`expendable`](Self::expendable) | no |
/// | [`dispatcher`](Self::dispatcher) | [`Demand`] |
/// | [`buffer`](Self::buffer), [`buffer_size`](Self::buffer_size) | 10,000 events |
/// | [`budget`](Self::budget) | none |
/// | [`on_overflow`](Self::on_overflow) | [`Overflow::DropOldest`] |
/// | [`gate`](Self::gate) | [`Gate::Open`] |
/// | [`shed`](Self::shed) | counted and traced |
/// | [`rejected`](Self::rejected) | counted and traced |
#[must_use = "a stage does nothing before it is spawned"]
pub struct ProducerBuilder<P: Producer, D: Dispatcher<Event = P::Event>> {
    options: StageOptions<ProducerRole<P>, D>,
}

impl<P: Producer> ProducerBuilder<P, Demand<P::Event>> {
    pub(super) fn new(source: Source<P>) -> Self {
        Self {
            options: StageOptions::new(source, Demand::new(), Bound::Events(BUFFER_SIZE)),
        }
    }
}

impl<P, D> ProducerBuilder<P, D>
where
    P: Producer,
    D: Dispatcher<Event = P::Event> + 'static,
    D::Route: Send + 'static,
{
    /// Sets the name of the stage, for errors, traces and statistics.
    ///
    /// ```
    /// use stage_runtime::operators::from_iter;
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let stage = from_iter(0..10).stage().name("numbers").spawn();
    /// assert_eq!(stage.name(), "numbers");
    /// # }
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.options.name = Some(name.into());
        self
    }

    /// Spawns the stage in a pipeline, or in a group of a pipeline. In neither by default.
    ///
    /// ```
    /// use stage_runtime::operators::from_iter;
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let pipeline = Pipeline::new();
    /// from_iter(0..10).stage().in_group(&pipeline).spawn();
    /// assert_eq!(pipeline.snapshot().stages.len(), 1);
    /// # }
    /// ```
    pub fn in_group(mut self, group: impl AsRef<Group>) -> Self {
        self.options.group = Some(group.as_ref().clone());
        self
    }

    /// Makes the stage expendable: if it fails for good, it fails alone and its pipeline goes
    /// on. By default the failure of a stage stops its pipeline.
    ///
    /// Its neighbours learn of the failure as of any other, so a consumer with a permanent
    /// subscription to it fails as well. The failure is traced; the stage's handle, the
    /// pipeline's snapshot and, at the end, [`Pipeline::join`](crate::Pipeline::join)
    /// report it. A [supervised](crate::supervised) stage is restarted first, as its policy
    /// says. Outside of a pipeline the option has no effect.
    ///
    /// ```
    /// use stage_runtime::operators::{for_each, from_fn};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let pipeline = Pipeline::new();
    /// let guest = from_fn(|| -> Option<u64> { panic!("no connection") })
    ///     .stage()
    ///     .expendable()
    ///     .in_group(&pipeline)
    ///     .spawn();
    /// let sink = for_each(|_: u64| ())
    ///     .stage()
    ///     .subscribe_to(guest.subscription().on_cancel(CancelMode::Temporary))
    ///     .in_group(&pipeline)
    ///     .spawn();
    /// assert!(guest.join().await.is_err());
    /// assert!(!sink.is_ended());
    /// # }
    /// ```
    pub fn expendable(mut self) -> Self {
        self.options.expendable = true;
        self
    }

    /// Sets the dispatcher, which decides which subscriber gets which event.
    ///
    /// ```
    /// use stage_runtime::operators::{fold, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(1..=4).stage().dispatcher(Broadcast::new()).spawn();
    /// let sum = fold(0, |sum, n: i32| sum + n).stage().subscribe_to(&numbers).spawn();
    /// let product = fold(1, |product, n: i32| product * n).stage().subscribe_to(&numbers).spawn();
    /// assert_eq!((sum.output().await?, product.output().await?), (10, 24));
    /// # Ok(())
    /// # }
    /// ```
    pub fn dispatcher<D2>(self, dispatcher: D2) -> ProducerBuilder<P, D2>
    where
        D2: Dispatcher<Event = P::Event> + 'static,
        D2::Route: Send + 'static,
    {
        ProducerBuilder {
            options: self.options.with_dispatcher(dispatcher),
        }
    }

    /// Bounds the buffer, which holds the events that no consumer has asked for, in events
    /// or in bytes. What does not fit is discarded as [`on_overflow`](Self::on_overflow)
    /// says, and counted.
    ///
    /// With [`Bound::Bytes`] the weigher is called for each event that enters and for each
    /// that leaves the buffer, and for no other. An event that weighs more than the limit is
    /// kept if it is alone. Events that a consumer hands back are kept whatever the bound. If
    /// the weigher panics, the stage fails, as it does when its dispatcher panics.
    ///
    /// ```
    /// use stage_runtime::prelude::*;
    ///
    /// /// Emits what it is told, whether or not anybody has asked.
    /// struct Feed;
    ///
    /// impl Producer for Feed {
    ///     type Event = String;
    ///
    ///     async fn handle_demand(&mut self, _: usize, _: &mut Emitter<'_, String>) -> StageResult {
    ///         Ok(())
    ///     }
    /// }
    ///
    /// impl Handler<String, String> for Feed {
    ///     type Reply = ();
    ///
    ///     async fn handle(&mut self, line: String, out: &mut Emitter<'_, String>) -> StageResult {
    ///         out.push(line);
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let limit = 8;
    /// let feed = Feed.stage().buffer(Bound::Bytes { limit, weigh: String::len }).spawn();
    /// for line in ["hello", "you", "two"] {
    ///     feed.call(line.to_owned()).await?;
    /// }
    /// // "hello" had to go for "two".
    /// assert_eq!((feed.stats().buffered_bytes, feed.stats().discarded), (Some(6), 1));
    /// # Ok(())
    /// # }
    /// ```
    pub fn buffer(mut self, bound: Bound<P::Event>) -> Self {
        self.options.producer.buffer = bound;
        self
    }

    /// Sets the most events to buffer that no consumer has asked for; 0 buffers none.
    /// Events beyond that are discarded, and counted as such. Short for
    /// [`buffer`](Self::buffer) with [`Bound::Events`].
    ///
    /// ```
    /// use stage_runtime::operators::fold;
    /// use stage_runtime::prelude::*;
    ///
    /// /// Emits ten numbers, whatever it is asked for.
    /// struct Ten;
    ///
    /// impl Producer for Ten {
    ///     type Event = u64;
    ///
    ///     async fn handle_demand(&mut self, _: usize, out: &mut Emitter<'_, u64>) -> StageResult {
    ///         out.extend(0..10);
    ///         out.complete();
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let ten = Ten.stage().buffer_size(4).spawn();
    /// let two = ten.subscription().max_demand(2);
    /// let sum = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(two).spawn();
    /// // Two events are sent, and four of the other eight fit.
    /// assert_eq!(sum.output().await?, 0 + 1 + 6 + 7 + 8 + 9);
    /// # Ok(())
    /// # }
    /// ```
    pub fn buffer_size(self, events: usize) -> Self {
        self.buffer(Bound::Events(events))
    }

    /// Buffers any number of events that no consumer has asked for. Only the producer then
    /// bounds the memory. Short for [`buffer`](Self::buffer) with [`Bound::Unbounded`].
    ///
    /// ```
    /// use stage_runtime::operators::fold;
    /// use stage_runtime::prelude::*;
    ///
    /// /// Emits ten numbers, whatever it is asked for.
    /// struct Ten;
    ///
    /// impl Producer for Ten {
    ///     type Event = u64;
    ///
    ///     async fn handle_demand(&mut self, _: usize, out: &mut Emitter<'_, u64>) -> StageResult {
    ///         out.extend(0..10);
    ///         out.complete();
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let ten = Ten.stage().unbounded_buffer().spawn();
    /// let two = ten.subscription().max_demand(2);
    /// let sum = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(two).spawn();
    /// assert_eq!(sum.output().await?, 45);
    /// # Ok(())
    /// # }
    /// ```
    pub fn unbounded_buffer(self) -> Self {
        self.buffer(Bound::Unbounded)
    }

    /// Shares a [`Budget`] with other buffers and with subscriptions: the buffer holds no
    /// more than what is left of it, beside its own bound, which has to be in
    /// [bytes](Bound::Bytes) because that weighs the events. No budget by default.
    ///
    /// Without room in the budget the buffer does what it does when it is full: it
    /// discards as [`on_overflow`](Self::on_overflow) says. It discards its own events
    /// only. One event is kept in any case, and events that a consumer hands back.
    ///
    /// ```
    /// use stage_runtime::operators::{for_each, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let pipeline = Pipeline::new();
    /// let budget = pipeline.budget(64_000_000);
    /// let bound = Bound::Bytes { limit: 16_000_000, weigh: String::len };
    /// for file in ["one", "two", "three"] {
    ///     let lines = from_iter([file.to_owned()]).stage().buffer(bound).budget(&budget);
    ///     let lines = lines.in_group(&pipeline).spawn();
    ///     let printer = for_each(|line: String| println!("{line}")).stage();
    ///     printer.subscribe_to(&lines).in_group(&pipeline).spawn();
    /// }
    /// pipeline.await
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// With a bound that is not in bytes, `try_spawn` returns
    /// [`SpawnError::UnweighedBudget`], and a stage from `spawn` fails with it.
    pub fn budget(mut self, budget: &Budget) -> Self {
        self.options.producer.budget = Some(budget.clone());
        self
    }

    /// Sets which events a full buffer discards.
    ///
    /// ```
    /// use stage_runtime::operators::fold;
    /// use stage_runtime::prelude::*;
    ///
    /// /// Emits ten numbers, whatever it is asked for.
    /// struct Ten;
    ///
    /// impl Producer for Ten {
    ///     type Event = u64;
    ///
    ///     async fn handle_demand(&mut self, _: usize, out: &mut Emitter<'_, u64>) -> StageResult {
    ///         out.extend(0..10);
    ///         out.complete();
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let ten = Ten.stage().buffer_size(4).on_overflow(Overflow::DropNewest).spawn();
    /// let two = ten.subscription().max_demand(2);
    /// let sum = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(two).spawn();
    /// // Two events are sent, and the next four fit.
    /// assert_eq!(sum.output().await?, 0 + 1 + 2 + 3 + 4 + 5);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_overflow(mut self, overflow: Overflow) -> Self {
        self.options.producer.on_overflow = overflow;
        self
    }

    /// Calls `hook` with the events that are shed, and with the reason: the buffer was
    /// full, nobody was subscribed and the buffer had no room, or the stage ended with
    /// events left. They are counted as discarded in any case. Without a hook they are
    /// dropped, and the count is traced: at the first event, and whenever it has doubled.
    ///
    /// The hook runs inside the stage, so it should be short. A panic in it is traced and
    /// has no other effect. What a consumer drops, a selector refuses or a hash of `None`
    /// discards is not shed.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use stage_runtime::operators::fold;
    /// use stage_runtime::prelude::*;
    /// use stage_runtime::ShedReason;
    ///
    /// /// Emits ten numbers, whatever it is asked for.
    /// struct Ten;
    ///
    /// impl Producer for Ten {
    ///     type Event = u64;
    ///
    ///     async fn handle_demand(&mut self, _: usize, out: &mut Emitter<'_, u64>) -> StageResult {
    ///         out.extend(0..10);
    ///         out.complete();
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let (sender, shed) = mpsc::channel();
    /// let ten = Ten
    ///     .stage()
    ///     .buffer_size(4)
    ///     .shed(move |shed| sender.send((shed.reason, shed.events.into_vec())).unwrap())
    ///     .spawn();
    /// let two = ten.subscription().max_demand(2);
    /// let sum = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(two).spawn();
    /// assert_eq!(sum.output().await?, 0 + 1 + 6 + 7 + 8 + 9);
    /// assert_eq!(shed.recv(), Ok((ShedReason::Full, vec![2, 3, 4, 5])));
    /// # Ok(())
    /// # }
    /// ```
    pub fn shed(mut self, hook: impl FnMut(Shed<P::Event>) + Send + 'static) -> Self {
        self.options.producer.shed = Some(Box::new(hook));
        self
    }

    /// Sets whether the producer answers demand from the start. With a closed gate it
    /// waits until the gate is opened.
    ///
    /// ```
    /// use stage_runtime::operators::{fold, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(1..=4).stage().gate(Gate::Closed).spawn();
    /// let sum = fold(0, |sum, n: i32| sum + n).stage().subscribe_to(&numbers).spawn();
    /// numbers.set_gate(Gate::Open);
    /// assert_eq!(sum.output().await?, 10);
    /// # Ok(())
    /// # }
    /// ```
    pub fn gate(mut self, gate: Gate) -> Self {
        self.options.producer.gate = gate;
        self
    }

    /// Calls `hook` with every event that the dispatcher cannot send to any subscriber,
    /// such as one whose hash names no partition. Without a hook such events are only
    /// counted and traced.
    ///
    /// A panic in `hook` is traced and has no other effect.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use stage_runtime::operators::{fold, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let (sender, rejected) = mpsc::channel();
    /// let two = Partition::by_index(2, |n: &usize| Some(*n))?;
    /// let numbers = from_iter(0..3)
    ///     .stage()
    ///     .dispatcher(two)
    ///     .rejected(move |letter| sender.send(letter.events).expect("it is read below"))
    ///     .spawn();
    /// let sum = || fold(0, |sum, n: usize| sum + n).stage();
    /// let zero = sum().subscribe_to(numbers.partition(0)).spawn();
    /// let one = sum().subscribe_to(numbers.partition(1)).spawn();
    /// assert_eq!((zero.output().await?, one.output().await?), (0, 1));
    /// assert_eq!(rejected.recv(), Ok(vec![2]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn rejected(mut self, hook: impl FnMut(DeadLetter<P::Event>) + Send + 'static) -> Self {
        self.options.producer.rejected = Some(Box::new(hook));
        self
    }

    /// Spawns the stage on the current tokio runtime.
    ///
    /// A stage with an error in its options is spawned, too, and fails before its first
    /// event: `join` returns the error, and its pipeline is stopped. Use
    /// [`try_spawn`](Self::try_spawn) to get the error at once.
    ///
    /// ```
    /// use stage_runtime::operators::{for_each, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(1..=3).stage().spawn();
    /// for_each(|n: i32| println!("{n}")).stage().subscribe_to(&numbers).spawn().await?;
    /// numbers.await
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, as `tokio::spawn` does.
    pub fn spawn(self) -> ProducerHandle<P, D::Route> {
        self.options.spawn()
    }

    /// Spawns the stage on the current tokio runtime, unless there is an error in its
    /// options.
    ///
    /// An error that only the producer can find, such as its end or a taken partition,
    /// ends the stage and is returned by `join`.
    ///
    /// ```
    /// use stage_runtime::operators::from_iter;
    /// use stage_runtime::SpawnError;
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let pipeline = Pipeline::new();
    /// let numbers = || from_iter(1..=3).stage().name("numbers").in_group(&pipeline);
    /// numbers().try_spawn()?;
    /// assert!(matches!(numbers().try_spawn(), Err(SpawnError::NameTaken { .. })));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SpawnError`] when an option of the stage itself or of a subscription is out of
    /// range, a stage of that name lives in its pipeline, its group requires supervised
    /// stages, or no tokio runtime is running on this thread.
    pub fn try_spawn(self) -> Result<ProducerHandle<P, D::Route>, SpawnError> {
        self.options.try_spawn()
    }
}

impl<P: Producer, D: Dispatcher<Event = P::Event>> fmt::Debug for ProducerBuilder<P, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProducerBuilder")
            .field("name", &self.options.name)
            .field("producer", &self.options.producer)
            .finish_non_exhaustive()
    }
}
