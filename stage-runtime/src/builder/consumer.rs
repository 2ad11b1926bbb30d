//! The builder of consumers.

use std::convert::Infallible;
use std::fmt;
use std::num::NonZeroUsize;

use stage_core::{Batch, Bound, Consumer, Deliveries, Dispatcher, SubscribeError, SubscriptionId};

use super::spawn::StageOptions;
use crate::dead_letter::DeadLetter;
use crate::error::SpawnError;
use crate::handle::ConsumerHandle;
use crate::pipeline::Group;
use crate::run::ConsumerRole;
use crate::subscription::IntoSubscription;
use crate::supervised::Source;

/// Builds a consumer; made by [`stage`](super::ConsumerExt::stage).
///
/// | option | default |
/// |---|---|
/// | [`name`](Self::name) | its type and number, such as `Printer#2` |
/// | [`in_group`](Self::in_group) | none |
/// | [`expendable`](Self::expendable) | no |
/// | [`subscribe_to`](Self::subscribe_to) | no producer |
/// | [`retain_taken`](Self::retain_taken) | no |
/// | [`dead_letters`](Self::dead_letters) | no hook |
#[must_use = "a stage does nothing before it is spawned"]
pub struct ConsumerBuilder<C: Consumer> {
    options: StageOptions<ConsumerRole<C>, Nobody>,
}

impl<C: Consumer> ConsumerBuilder<C> {
    pub(super) fn new(source: Source<C>) -> Self {
        Self {
            options: StageOptions::new(source, Nobody, Bound::Events(0)),
        }
    }

    /// Sets the name of the stage, for errors, traces and statistics.
    ///
    /// ```
    /// use stage_runtime::operators::for_each;
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let stage = for_each(|_: u64| ()).stage().name("printer").spawn();
    /// assert_eq!(stage.name(), "printer");
    /// # }
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.options.name = Some(name.into());
        self
    }

    /// Spawns the stage in a pipeline, or in a group of a pipeline. In neither by default.
    ///
    /// ```
    /// use stage_runtime::operators::for_each;
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let pipeline = Pipeline::new();
    /// for_each(|_: u64| ()).stage().in_group(&pipeline).spawn();
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
    /// use stage_runtime::operators::{for_each, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let pipeline = Pipeline::new();
    /// let numbers = from_iter(0..).stage().in_group(&pipeline).spawn();
    /// let guest = for_each(|n: u64| assert!(n < 5))
    ///     .stage()
    ///     .subscribe_to(&numbers)
    ///     .expendable()
    ///     .in_group(&pipeline)
    ///     .spawn();
    /// assert!(guest.join().await.is_err());
    /// assert!(!numbers.is_ended());
    /// # }
    /// ```
    pub fn expendable(mut self) -> Self {
        self.options.expendable = true;
        self
    }

    /// Subscribes the stage to a producer when it is spawned. The argument is a reference
    /// to the producer's handle, or a [`Subscription`](crate::Subscription) with options.
    /// Call this once for each producer.
    ///
    /// ```
    /// use stage_runtime::operators::{fold, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let (few, more) = (from_iter(1..=2).stage().spawn(), from_iter(3..=4).stage().spawn());
    /// let sum = fold(0, |sum, n: i32| sum + n)
    ///     .stage()
    ///     .subscribe_to(&few)
    ///     .subscribe_to(more.subscription().max_demand(1))
    ///     .spawn();
    /// assert_eq!(sum.output().await?, 10);
    /// # Ok(())
    /// # }
    /// ```
    pub fn subscribe_to(mut self, producer: impl IntoSubscription<C::Event>) -> Self {
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
    /// use stage_runtime::operators::from_iter;
    /// use stage_runtime::prelude::*;
    ///
    /// /// Adds numbers up, and may fail at the next one.
    /// struct Sum {
    ///     sum: u64,
    ///     fails: bool,
    /// }
    ///
    /// impl Consumer for Sum {
    ///     type Event = u64;
    ///
    ///     async fn handle_events(
    ///         &mut self,
    ///         numbers: &mut Batch<u64>,
    ///         _cx: &mut Context<'_>,
    ///     ) -> StageResult {
    ///         for n in numbers {
    ///             if self.fails {
    ///                 return Err(format!("no luck with {n}").into());
    ///             }
    ///             self.sum += n;
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let mut first = true;
    /// let sum = supervised(move || Sum { sum: 0, fails: std::mem::take(&mut first) });
    /// let numbers = from_iter(1..=4).stage().spawn();
    /// let sum = sum.stage().retain_taken().subscribe_to(&numbers).spawn();
    /// assert_eq!(sum.join_stage().await?.sum, 10);
    /// # Ok(())
    /// # }
    /// ```
    pub fn retain_taken(mut self) -> Self
    where
        C::Event: Clone,
    {
        self.options.consumer.keep = Some(<[C::Event]>::to_vec);
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
    /// use stage_runtime::operators::{for_each_ref, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let (sender, letters) = mpsc::channel();
    /// let numbers = from_iter(1..=3).stage().spawn();
    /// supervised(|| for_each_ref(|n: &u64| assert_ne!(*n, 2)))
    ///     .stage()
    ///     .dead_letters(move |letter| sender.send(letter.events).expect("it is read below"))
    ///     .subscribe_to(&numbers)
    ///     .spawn()
    ///     .await?;
    /// assert_eq!(letters.recv(), Ok(vec![2]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn dead_letters(mut self, hook: impl FnMut(DeadLetter<C::Event>) + Send + 'static) -> Self {
        self.options.consumer.dead_letters = Some(Box::new(hook));
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
    /// for_each(|n: i32| println!("{n}")).stage().subscribe_to(&numbers).spawn().await
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, as `tokio::spawn` does.
    pub fn spawn(self) -> ConsumerHandle<C> {
        self.options.spawn()
    }

    /// Spawns the stage on the current tokio runtime, unless there is an error in its
    /// options.
    ///
    /// An error that only the producer can find, such as its end or a taken partition,
    /// ends the stage and is returned by `join`.
    ///
    /// ```
    /// use stage_runtime::operators::{for_each, from_iter};
    /// use stage_runtime::SpawnError;
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(1..=3).stage().spawn();
    /// let nothing = numbers.subscription().max_demand(0);
    /// let printer = for_each(|n: i32| println!("{n}")).stage().subscribe_to(nothing).try_spawn();
    /// assert!(matches!(printer, Err(SpawnError::Subscription { .. })));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SpawnError`] when an option of the stage itself or of a subscription is out of
    /// range, a stage of that name lives in its pipeline, its group requires supervised
    /// stages, or no tokio runtime is running on this thread.
    pub fn try_spawn(self) -> Result<ConsumerHandle<C>, SpawnError> {
        self.options.try_spawn()
    }
}

impl<C: Consumer> fmt::Debug for ConsumerBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsumerBuilder")
            .field("name", &self.options.name)
            .field("subscriptions", &self.options.subscriptions)
            .finish_non_exhaustive()
    }
}

/// The dispatcher of a consumer, which has no events to emit and no subscribers.
#[derive(Debug)]
pub(crate) struct Nobody;

impl Dispatcher for Nobody {
    type Event = Infallible;
    type Route = ();

    fn subscribe(&mut self, _: SubscriptionId, (): ()) -> Result<usize, SubscribeError> {
        Ok(0)
    }

    fn cancel(&mut self, _: SubscriptionId, _: &mut Deliveries<Infallible>) -> usize {
        0
    }

    fn ask(&mut self, _: SubscriptionId, _: NonZeroUsize, _: &mut Deliveries<Infallible>) -> usize {
        0
    }

    fn dispatch(
        &mut self,
        events: Batch<Infallible>,
        _: &mut Deliveries<Infallible>,
    ) -> Batch<Infallible> {
        events
    }
}
