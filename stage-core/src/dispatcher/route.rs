//! Routes that subscriptions can be made by without naming their type.

/// A [`Route`](super::Dispatcher::Route) that a plain reference to a producer
/// stands for, so that `subscribe_to(&producer)` compiles.
///
/// `()` is one, and so is the selector that selects all events. The key of a
/// partition is none: which partition a consumer wants has to be said.
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
    /// The route of a subscriber that does not say one.
    fn default_route() -> Self;
}

impl DefaultRoute for () {
    fn default_route() -> Self {}
}

/// A [`Route`](super::Dispatcher::Route) to one partition of a dispatcher, so that
/// `producer.partition(key)` compiles.
///
/// The dispatcher `Partition` has one. Implement it for the route of a dispatcher of
/// your own that has partitions.
#[diagnostic::on_unimplemented(
    message = "this producer has no partitions",
    label = "the producer's dispatcher asks its subscribers for a `{Self}`",
    note = "give the producer partitions: `.dispatcher(Partition::new(4)?)`",
    note = "subscribe to a producer without partitions by `&producer` or `producer.subscription()`"
)]
pub trait PartitionRoute {
    /// Names one partition.
    type Key;

    /// The route to the partition `key`.
    fn to_partition(key: Self::Key) -> Self;
}
