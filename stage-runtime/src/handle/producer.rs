//! The methods of a handle for stages that emit events: subscriptions and the gate.

use std::sync::Arc;

use stage_core::{DefaultRoute, Gate, PartitionRoute, Reason, SubscribeError, SubscriptionId};
use stage_dispatchers::Selector;

use super::kind::{Emits, Input};
use super::{Outlet, StageHandle, StageRef};
use crate::producer_control::ProducerControlSender;
use crate::subscription::{IntoSubscription, Subscription};

impl<S, I, E, R> StageRef<S, I, Emits<E, R>>
where
    I: Input,
    E: Send + 'static,
    R: Send + 'static,
{
    /// Returns what consumers subscribe to, without the type of the stage.
    ///
    /// ```
    /// use stage_runtime::operators::{for_each, from_iter};
    /// use stage_runtime::handle::Outlet;
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers: Outlet<i32> = from_iter(1..=3).stage().spawn().outlet();
    /// for_each(|n: i32| println!("{n}")).stage().subscribe_to(&numbers).spawn().await
    /// # }
    /// ```
    #[must_use]
    pub fn outlet(&self) -> Outlet<E, R> {
        let requests = Arc::clone(&self.control) as ProducerControlSender<E, R>;
        Outlet::new(self.control(), requests)
    }

    /// Returns a subscription by the given route, for dispatchers other than those of
    /// `stage-dispatchers`.
    ///
    /// ```
    /// use stage_runtime::operators::{fold, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(1..=10).stage().dispatcher(Broadcast::new()).spawn();
    /// let large = numbers.route(Selector::new(|n| *n > 5));
    /// let sum = fold(0, |sum, n: i32| sum + n).stage().subscribe_to(large).spawn();
    /// assert_eq!(sum.output().await?, 40);
    /// # Ok(())
    /// # }
    /// ```
    pub fn route(&self, route: R) -> Subscription<E> {
        Subscription::new(self.outlet(), route)
    }

    /// Opens or closes the producer's gate. While it is [closed](Gate::Closed),
    /// demand is collected and no event leaves; opening it releases both. Has no
    /// effect once the stage has ended.
    ///
    /// ```
    /// use stage_runtime::operators::{fold, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(1..=4).stage();
    /// let numbers = numbers.dispatcher(Broadcast::new()).gate(Gate::Closed).spawn();
    /// let sum = fold(0, |sum, n: i32| sum + n).stage().subscribe_to(&numbers).spawn();
    /// let product = fold(1, |product, n: i32| product * n).stage().subscribe_to(&numbers).spawn();
    /// // Both are subscribed before the first number leaves.
    /// numbers.set_gate(Gate::Open);
    /// assert_eq!((sum.output().await?, product.output().await?), (10, 24));
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_gate(&self, gate: Gate) {
        self.outlet().set_gate(gate);
    }

    /// Ends the subscription of a consumer from the producer's side, as
    /// [`Context::cancel`](stage_core::Context::cancel) of the producer does.
    ///
    /// The consumer handles the events that it was sent. Then the subscription ends as
    /// cancelled with `reason`, and its [`CancelMode`](stage_core::CancelMode) decides
    /// whether the consumer ends. A subscription that is unknown or has ended is ignored.
    ///
    /// ```
    /// use stage_runtime::operators::{for_each, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(1..).stage().spawn();
    /// let printer = for_each(|n: u64| println!("{n}")).stage().spawn();
    /// let subscription = printer.subscribe(numbers.subscription().max_demand(10)).await?;
    /// // The subscription is permanent, so its end is the end of the consumer.
    /// numbers.evict(subscription, "it is too slow");
    /// assert!(matches!(printer.outcome().await, Outcome::Cancelled(_)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn evict(&self, subscription: SubscriptionId, reason: impl Into<Reason>) {
        self.outlet().evict(subscription, reason);
    }

    /// Changes the route of a running subscription, such as its selector or its partition,
    /// and waits until the producer has done so.
    ///
    /// The subscription keeps its demand and the events that the consumer was sent. Events
    /// that the producer dispatches afterwards go by the new route, also those that wait
    /// in its buffer now. A partition that the subscription leaves is free when the
    /// consumer has settled the events that it was sent from it.
    ///
    /// ```
    /// use stage_runtime::operators::{fold, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(1..=10).stage();
    /// let numbers = numbers.dispatcher(Broadcast::new()).gate(Gate::Closed).spawn();
    /// let sum = fold(0, |sum, n: i32| sum + n).stage().spawn();
    /// let subscription = sum.subscribe(numbers.selector(|n| *n > 5)).await?;
    /// numbers.reroute(subscription, Selector::new(|n| n % 2 == 0)).await?;
    /// numbers.set_gate(Gate::Open);
    /// assert_eq!(sum.output().await?, 30);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SubscribeError`] when the subscription is not one of this producer or has ended,
    /// the dispatcher refuses the route or does not change routes, the producer has ended,
    /// or one of its own handlers awaits this. The old route stays.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the request back.
    pub async fn reroute(
        &self,
        subscription: SubscriptionId,
        route: R,
    ) -> Result<(), SubscribeError> {
        self.outlet().reroute(subscription, route).await
    }
}

impl<S, I, E, R> StageRef<S, I, Emits<E, R>>
where
    I: Input,
    E: Send + 'static,
    R: DefaultRoute + Send + 'static,
{
    /// Returns a subscription by the default route, to set how much to ask for. A
    /// reference to the handle converts into the same with the default limits.
    ///
    /// ```
    /// use stage_runtime::operators::{for_each, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(1..=10).stage().spawn();
    /// let ten_at_a_time = numbers.subscription().max_demand(10);
    /// for_each(|n: i32| println!("{n}")).stage().subscribe_to(ten_at_a_time).spawn().await
    /// # }
    /// ```
    #[must_use]
    pub fn subscription(&self) -> Subscription<E> {
        self.route(R::default_route())
    }
}

impl<S, I: Input, E: Send + 'static> StageRef<S, I, Emits<E, Selector<E>>> {
    /// Returns a subscription to the events for which `selects` returns `true`. The
    /// producer has the dispatcher [`Broadcast`](stage_dispatchers::Broadcast).
    ///
    /// ```
    /// use stage_runtime::operators::{fold, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(1..=10).stage().dispatcher(Broadcast::new()).spawn();
    /// let even = numbers.selector(|n| n % 2 == 0);
    /// let sum = fold(0, |sum, n: i32| sum + n).stage().subscribe_to(even).spawn();
    /// assert_eq!(sum.output().await?, 30);
    /// # Ok(())
    /// # }
    /// ```
    pub fn selector(&self, selects: impl Fn(&E) -> bool + Send + 'static) -> Subscription<E> {
        self.route(Selector::new(selects))
    }
}

impl<S, I, E, R> StageRef<S, I, Emits<E, R>>
where
    I: Input,
    E: Send + 'static,
    R: Send + 'static,
{
    /// Returns a subscription to one partition. The producer has the dispatcher
    /// [`Partition`](stage_dispatchers::Partition), or another one whose route is a
    /// [`PartitionRoute`].
    ///
    /// ```
    /// use stage_runtime::operators::{fold, for_each, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let parity = Partition::by_index(2, |n: &usize| Some(n % 2))?;
    /// let numbers = from_iter(1..=10).stage().dispatcher(parity).spawn();
    /// let _even = for_each(|_: usize| ()).stage().subscribe_to(numbers.partition(0)).spawn();
    /// let odd = fold(0, |sum, n: usize| sum + n);
    /// let odd = odd.stage().subscribe_to(numbers.partition(1)).spawn();
    /// assert_eq!(odd.output().await?, 25);
    /// # Ok(())
    /// # }
    /// ```
    pub fn partition(&self, key: R::Key) -> Subscription<E>
    where
        R: PartitionRoute,
    {
        self.route(R::to_partition(key))
    }
}

impl<S, I, E, R> IntoSubscription<E> for &StageRef<S, I, Emits<E, R>>
where
    I: Input,
    E: Send + 'static,
    R: DefaultRoute + Send + 'static,
{
    fn into_subscription(self) -> Subscription<E> {
        self.subscription()
    }
}

impl<S, I, E, R> IntoSubscription<E> for &StageHandle<S, I, Emits<E, R>>
where
    I: Input,
    E: Send + 'static,
    R: DefaultRoute + Send + 'static,
{
    fn into_subscription(self) -> Subscription<E> {
        self.subscription()
    }
}
