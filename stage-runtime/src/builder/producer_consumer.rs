//! The builder of producer-consumers.

use std::fmt;

use stage_core::{Bound, Budget, Dispatcher, Gate, Overflow, ProducerConsumer};
use stage_dispatchers::Demand;

use super::spawn::StageOptions;
use crate::dead_letter::DeadLetter;
use crate::error::SpawnError;
use crate::handle::ProducerConsumerHandle;
use crate::pipeline::Group;
use crate::run::ProducerConsumerRole;
use crate::shed::Shed;
use crate::subscription::IntoSubscription;
use crate::supervised::Source;

/// Builds a producer-consumer; made by
/// [`stage`](super::ProducerConsumerExt::stage).
///
/// | option | default |
/// |---|---|
/// | [`name`](Self::name) | its type and number, such as `Doubler#3` |
/// | [`in_group`](Self::in_group) | none |
/// | [`expendable`](Self::expendable) | no |
/// | [`subscribe_to`](Self::subscribe_to) | no producer |
/// | [`dispatcher`](Self::dispatcher) | [`Demand`] |
/// | [`buffer`](Self::buffer), [`buffer_size`](Self::buffer_size) | no bound: its input is bounded by demand |
/// | [`budget`](Self::budget) | none |
/// | [`on_overflow`](Self::on_overflow) | [`Overflow::DropOldest`] |
/// | [`gate`](Self::gate) | [`Gate::Open`] |
/// | [`retain_taken`](Self::retain_taken) | no |
/// | [`dead_letters`](Self::dead_letters) | no hook |
/// | [`shed`](Self::shed) | counted and traced |
/// | [`rejected`](Self::rejected) | counted and traced |
#[must_use = "a stage does nothing before it is spawned"]
pub struct ProducerConsumerBuilder<T: ProducerConsumer, D: Dispatcher<Event = T::Out>> {
    options: StageOptions<ProducerConsumerRole<T>, D>,
}

impl<T: ProducerConsumer> ProducerConsumerBuilder<T, Demand<T::Out>> {
    pub(super) fn new(source: Source<T>) -> Self {
        Self {
            options: StageOptions::new(source, Demand::new(), Bound::Unbounded),
        }
    }
}

impl<T, D> ProducerConsumerBuilder<T, D>
where
    T: ProducerConsumer,
    D: Dispatcher<Event = T::Out> + 'static,
    D::Route: Send + 'static,
{
    /// Sets the name of the stage, for errors, traces and statistics.
    ///
    /// ```
    /// use stage_runtime::operators::map;
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let stage = map(|n: u64| n * 2).stage().name("doubler").spawn();
    /// assert_eq!(stage.name(), "doubler");
    /// # }
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.options.name = Some(name.into());
        self
    }

    /// Spawns the stage in a pipeline, or in a group of a pipeline. In neither by default.
    ///
    /// ```
    /// use stage_runtime::operators::map;
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let pipeline = Pipeline::new();
    /// map(|n: u64| n * 2).stage().in_group(&pipeline).spawn();
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
    /// use stage_runtime::operators::{for_each, from_iter, map};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let pipeline = Pipeline::new();
    /// let numbers = from_iter(0..).stage().in_group(&pipeline).spawn();
    /// let guest = map(|n: u64| 10 / (5 - n))
    ///     .stage()
    ///     .subscribe_to(&numbers)
    ///     .expendable()
    ///     .in_group(&pipeline)
    ///     .spawn();
    /// for_each(|_: u64| ()).stage().subscribe_to(&guest).in_group(&pipeline).spawn();
    /// assert!(guest.join().await.is_err());
    /// assert!(!numbers.is_ended());
    /// # }
    /// ```
    pub fn expendable(mut self) -> Self {
        self.options.expendable = true;
        self
    }

    /// Sets the dispatcher, which decides which subscriber gets which event.
    ///
    /// ```
    /// use stage_runtime::operators::{fold, from_iter, map};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(1..=4).stage().spawn();
    /// let doubled = map(|n: i32| n * 2).stage();
    /// let doubled = doubled.dispatcher(Broadcast::new()).subscribe_to(&numbers).spawn();
    /// let sum = fold(0, |sum, n: i32| sum + n).stage().subscribe_to(&doubled).spawn();
    /// let product = fold(1, |product, n: i32| product * n).stage().subscribe_to(&doubled).spawn();
    /// assert_eq!((sum.output().await?, product.output().await?), (20, 384));
    /// # Ok(())
    /// # }
    /// ```
    pub fn dispatcher<D2>(self, dispatcher: D2) -> ProducerConsumerBuilder<T, D2>
    where
        D2: Dispatcher<Event = T::Out> + 'static,
        D2::Route: Send + 'static,
    {
        ProducerConsumerBuilder {
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
    /// use stage_runtime::operators::{flat_map, for_each, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let texts = from_iter(["one of them".to_owned()]).stage().spawn();
    /// let words = |text: String| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    /// let words = flat_map(words)
    ///     .stage()
    ///     .buffer(Bound::Bytes { limit: 4, weigh: String::len })
    ///     .subscribe_to(&texts)
    ///     .spawn();
    /// let one = words.subscription().max_demand(1);
    /// for_each(|word: String| println!("{word}")).stage().subscribe_to(one).spawn().await?;
    /// // "one" was sent, and "of" had to go for "them".
    /// assert_eq!(words.stats().discarded, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn buffer(mut self, bound: Bound<T::Out>) -> Self {
        self.options.producer.buffer = bound;
        self
    }

    /// Sets the most events to buffer that no consumer has asked for; 0 buffers none.
    /// Events beyond that are discarded, and counted as such. Short for
    /// [`buffer`](Self::buffer) with [`Bound::Events`].
    ///
    /// ```
    /// use stage_runtime::operators::{flat_map, fold, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(0..1).stage().spawn();
    /// let ten = flat_map(|_: u64| 0..10).stage().buffer_size(4).subscribe_to(&numbers).spawn();
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

    /// Handles input whether or not consumers have asked for more, for a stage whose state
    /// must follow its input, such as a cache. What nobody has asked for goes to the buffer,
    /// which must have a bound: set [`buffer_size`](Self::buffer_size), which may be 0. By
    /// default a producer-consumer handles input only on demand.
    ///
    /// A closed [gate](Self::gate) holds an eager stage back, too.
    ///
    /// # Errors
    ///
    /// Without a bound, `try_spawn` returns [`SpawnError::UnboundedEager`], and a stage
    /// spawned by `spawn` fails with it.
    ///
    /// ```
    /// use stage_runtime::operators::{from_iter, inspect};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(1..=100_u64).stage().spawn();
    /// let cache = inspect(|_: &u64| {}).stage().subscribe_to(&numbers).buffer_size(10).eager().spawn();
    /// // Nobody has subscribed to the cache, and its producer completes nevertheless.
    /// numbers.join().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn eager(mut self) -> Self {
        self.options.eager = true;
        self
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
    /// use stage_runtime::operators::{flat_map, for_each, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let pipeline = Pipeline::new();
    /// let budget = pipeline.budget(4);
    /// let texts = from_iter(["one of them".to_owned()]).stage().spawn();
    /// let words = |text: String| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    /// let words = flat_map(words)
    ///     .stage()
    ///     .buffer(Bound::Bytes { limit: 1_000, weigh: String::len })
    ///     .budget(&budget)
    ///     .subscribe_to(&texts)
    ///     .spawn();
    /// let one = words.subscription().max_demand(1);
    /// for_each(|word: String| println!("{word}")).stage().subscribe_to(one).spawn().await?;
    /// // "one" was sent, and "of" had to go for "them".
    /// assert_eq!((words.stats().discarded, budget.used()), (1, 0));
    /// # Ok(())
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
    /// use stage_runtime::operators::{flat_map, fold, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(0..1).stage().spawn();
    /// let ten = flat_map(|_: u64| 0..10)
    ///     .stage()
    ///     .buffer_size(4)
    ///     .on_overflow(Overflow::DropNewest)
    ///     .subscribe_to(&numbers)
    ///     .spawn();
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
    /// use stage_runtime::operators::{flat_map, fold, from_iter};
    /// use stage_runtime::prelude::*;
    /// use stage_runtime::ShedReason;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let (sender, shed) = mpsc::channel();
    /// let numbers = from_iter(0..1).stage().spawn();
    /// let ten = flat_map(|_: u64| 0..10)
    ///     .stage()
    ///     .buffer_size(4)
    ///     .shed(move |shed| sender.send((shed.reason, shed.events.into_vec())).unwrap())
    ///     .subscribe_to(&numbers)
    ///     .spawn();
    /// let two = ten.subscription().max_demand(2);
    /// let sum = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(two).spawn();
    /// assert_eq!(sum.output().await?, 0 + 1 + 6 + 7 + 8 + 9);
    /// assert_eq!(shed.recv(), Ok((ShedReason::Full, vec![2, 3, 4, 5])));
    /// # Ok(())
    /// # }
    /// ```
    pub fn shed(mut self, hook: impl FnMut(Shed<T::Out>) + Send + 'static) -> Self {
        self.options.producer.shed = Some(Box::new(hook));
        self
    }

    /// Sets whether the producer answers demand from the start. With a closed gate it
    /// waits until the gate is opened.
    ///
    /// ```
    /// use stage_runtime::operators::{fold, from_iter, map};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(1..=4).stage().spawn();
    /// let doubled = map(|n: i32| n * 2).stage();
    /// let doubled = doubled.gate(Gate::Closed).subscribe_to(&numbers).spawn();
    /// let sum = fold(0, |sum, n: i32| sum + n).stage().subscribe_to(&doubled).spawn();
    /// doubled.set_gate(Gate::Open);
    /// assert_eq!(sum.output().await?, 20);
    /// # Ok(())
    /// # }
    /// ```
    pub fn gate(mut self, gate: Gate) -> Self {
        self.options.producer.gate = gate;
        self
    }

    /// Subscribes the stage to a producer when it is spawned. The argument is a reference
    /// to the producer's handle, or a [`Subscription`](crate::Subscription) with options.
    /// Call this once for each producer.
    ///
    /// ```
    /// use stage_runtime::operators::{fold, from_iter, map};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let (few, more) = (from_iter(1..=2).stage().spawn(), from_iter(3..=4).stage().spawn());
    /// let doubled = map(|n: i32| n * 2)
    ///     .stage()
    ///     .subscribe_to(&few)
    ///     .subscribe_to(more.subscription().max_demand(1))
    ///     .spawn();
    /// let sum = fold(0, |sum, n: i32| sum + n).stage().subscribe_to(&doubled).spawn();
    /// assert_eq!(sum.output().await?, 20);
    /// # Ok(())
    /// # }
    /// ```
    pub fn subscribe_to(mut self, producer: impl IntoSubscription<T::In>) -> Self {
        self.options.subscribe_to(producer);
        self
    }

    /// Keeps a copy of each batch while its handler runs, so that the event which a failed
    /// handler had taken is not lost. Off by default, because it clones every event.
    ///
    /// With a [dead-letter hook](Self::dead_letters) the event goes to the hook. Without
    /// one it is handled again, by the restarted stage or by another subscriber of the
    /// producer. Then an event that always makes its handler fail comes back until the
    /// stage has been restarted too often.
    ///
    /// ```
    /// use stage_runtime::operators::{fold, from_iter, map};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let mut first = true;
    /// let doubled = supervised(move || {
    ///     let fails = std::mem::take(&mut first);
    ///     map(move |n: u64| if fails { panic!("no luck with {n}") } else { n * 2 })
    /// });
    /// let numbers = from_iter(1..=4).stage().spawn();
    /// let doubled = doubled.stage().retain_taken().subscribe_to(&numbers).spawn();
    /// let sum = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(&doubled).spawn();
    /// assert_eq!(sum.output().await?, 20);
    /// # Ok(())
    /// # }
    /// ```
    pub fn retain_taken(mut self) -> Self
    where
        T::In: Clone,
    {
        self.options.consumer.keep = Some(<[T::In]>::to_vec);
        self
    }

    /// Calls `hook` when `handle_events` fails, with the error and the events that the
    /// handler had in hand and the stage still owns. These events count as dead-lettered
    /// and are not handled again. Without a hook they are handled again, like the events
    /// that the handler had not taken.
    ///
    /// A panic in `hook` is traced and has no other effect.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use stage_runtime::operators::{fold, from_iter, map};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let (sender, letters) = mpsc::channel();
    /// let numbers = from_iter(0..4).stage().spawn();
    /// let quotients = supervised(|| map(|n: u64| 12 / n))
    ///     .stage()
    ///     .retain_taken()
    ///     .dead_letters(move |letter| sender.send(letter.events).expect("it is read below"))
    ///     .subscribe_to(&numbers)
    ///     .spawn();
    /// let sum = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(&quotients).spawn();
    /// assert_eq!(sum.output().await?, 12 + 6 + 4);
    /// assert_eq!(letters.recv(), Ok(vec![0]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn dead_letters(mut self, hook: impl FnMut(DeadLetter<T::In>) + Send + 'static) -> Self {
        self.options.consumer.dead_letters = Some(Box::new(hook));
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
    /// use stage_runtime::operators::{fold, from_iter, map};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let (sender, rejected) = mpsc::channel();
    /// let numbers = from_iter(0..3).stage().spawn();
    /// let same = map(|n: usize| n)
    ///     .stage()
    ///     .dispatcher(Partition::by_index(2, |n: &usize| Some(*n))?)
    ///     .rejected(move |letter| sender.send(letter.events).expect("it is read below"))
    ///     .subscribe_to(&numbers)
    ///     .spawn();
    /// let sum = || fold(0, |sum, n: usize| sum + n).stage();
    /// let zero = sum().subscribe_to(same.partition(0)).spawn();
    /// let one = sum().subscribe_to(same.partition(1)).spawn();
    /// assert_eq!((zero.output().await?, one.output().await?), (0, 1));
    /// assert_eq!(rejected.recv(), Ok(vec![2]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn rejected(mut self, hook: impl FnMut(DeadLetter<T::Out>) + Send + 'static) -> Self {
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
    /// use stage_runtime::operators::{for_each, from_iter, map};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(1..=3).stage().spawn();
    /// let doubled = map(|n: i32| n * 2).stage().subscribe_to(&numbers).spawn();
    /// for_each(|n: i32| println!("{n}")).stage().subscribe_to(&doubled).spawn().await
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, as `tokio::spawn` does.
    pub fn spawn(self) -> ProducerConsumerHandle<T, D::Route> {
        self.options.spawn()
    }

    /// Spawns the stage on the current tokio runtime, unless there is an error in its
    /// options.
    ///
    /// An error that only the producer can find, such as its end or a taken partition,
    /// ends the stage and is returned by `join`.
    ///
    /// ```
    /// use stage_runtime::operators::{from_iter, map};
    /// use stage_runtime::SpawnError;
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(1..=3).stage().spawn();
    /// let nothing = numbers.subscription().max_demand(0);
    /// let doubled = map(|n: i32| n * 2).stage().subscribe_to(nothing).try_spawn();
    /// assert!(matches!(doubled, Err(SpawnError::Subscription { .. })));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SpawnError`] when an option of the stage itself or of a subscription is out of
    /// range, a stage of that name lives in its pipeline, its group requires supervised
    /// stages, or no tokio runtime is running on this thread.
    pub fn try_spawn(self) -> Result<ProducerConsumerHandle<T, D::Route>, SpawnError> {
        self.options.try_spawn()
    }
}

impl<T: ProducerConsumer, D: Dispatcher<Event = T::Out>> fmt::Debug
    for ProducerConsumerBuilder<T, D>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProducerConsumerBuilder")
            .field("name", &self.options.name)
            .field("producer", &self.options.producer)
            .field("subscriptions", &self.options.subscriptions)
            .finish_non_exhaustive()
    }
}
