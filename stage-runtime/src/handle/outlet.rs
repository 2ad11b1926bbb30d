//! The subscriptions that an [`Outlet`] makes.

use stage_core::{DefaultRoute, PartitionRoute};
use stage_dispatchers::Selector;

use crate::outlet::Outlet;
use crate::subscription::{IntoSubscription, Subscription};

impl<E: Send + 'static, R: Send + 'static> Outlet<E, R> {
    /// Returns a subscription by the given route; see
    /// [`StageRef::route`](crate::StageRef::route).
    pub fn route(&self, route: R) -> Subscription<E> {
        Subscription::new(self.clone(), route)
    }

    /// Returns a subscription by the default route; see
    /// [`StageRef::subscription`](crate::StageRef::subscription).
    #[must_use]
    pub fn subscription(&self) -> Subscription<E>
    where
        R: DefaultRoute,
    {
        self.route(R::default_route())
    }

    /// Returns a subscription to one partition; see
    /// [`StageRef::partition`](crate::StageRef::partition).
    ///
    /// ```
    /// use stage_runtime::operators::{fold, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let parity = Partition::by_index(2, |n: &usize| Some(n % 2))?;
    /// let numbers = from_iter(1..=10).stage().dispatcher(parity).spawn().outlet();
    /// let _even = fold(0, |sum, n: usize| sum + n);
    /// let _even = _even.stage().subscribe_to(numbers.partition(0)).spawn();
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

impl<E: Send + 'static> Outlet<E, Selector<E>> {
    /// Returns a subscription to the events for which `selects` returns `true`; see
    /// [`StageRef::selector`](crate::StageRef::selector).
    pub fn selector(&self, selects: impl Fn(&E) -> bool + Send + 'static) -> Subscription<E> {
        self.route(Selector::new(selects))
    }
}

impl<E, R> IntoSubscription<E> for &Outlet<E, R>
where
    E: Send + 'static,
    R: DefaultRoute + Send + 'static,
{
    fn into_subscription(self) -> Subscription<E> {
        self.subscription()
    }
}
