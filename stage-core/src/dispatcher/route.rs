//! Traits for routes: [`DefaultRoute`] and [`PartitionRoute`].

/// A [`Route`](super::Dispatcher::Route) with a default, so that
/// `subscribe_to(&producer)` compiles without naming a route.
///
/// `()` implements it, and so does a selector, whose default selects all
/// events. A partition key does not: a consumer must name its partition.
///
/// ```
/// use stage_core::DefaultRoute;
///
/// /// The priority of a subscriber; `Normal` if it does not say.
/// #[derive(Debug, PartialEq)]
/// enum Priority {
///     High,
///     Normal,
/// }
///
/// impl DefaultRoute for Priority {
///     fn default_route() -> Self {
///         Self::Normal
///     }
/// }
///
/// assert_eq!(Priority::default_route(), Priority::Normal);
/// ```
#[diagnostic::on_unimplemented(
    message = "this subscription has to name its route",
    label = "the producer's dispatcher asks its subscribers for a `{Self}`, which has no default",
    note = "name a partition: `words.partition(key)`",
    note = "with a dispatcher of your own: `words.route(route)`"
)]
pub trait DefaultRoute {
    /// Returns the route of a subscriber that names none.
    fn default_route() -> Self;
}

impl DefaultRoute for () {
    fn default_route() -> Self {}
}

/// A [`Route`](super::Dispatcher::Route) to one partition of a dispatcher, so that
/// `producer.partition(key)` compiles.
///
/// The `PartitionKey` of the dispatcher `Partition` implements it. Implement it
/// for the route of your own dispatcher if that has partitions.
#[diagnostic::on_unimplemented(
    message = "this producer has no partitions",
    label = "the producer's dispatcher asks its subscribers for a `{Self}`",
    note = "give the producer partitions: `.dispatcher(Partition::new(4)?)`",
    note = "subscribe to a producer without partitions by `&producer` or `producer.subscription()`"
)]
pub trait PartitionRoute {
    /// The type that names a partition.
    type Key;

    /// Returns the route to the partition `key`.
    fn to_partition(key: Self::Key) -> Self;
}
