//! [`PartitionKey`]: the route of a subscriber of a partition.

use stage_core::PartitionRoute;

/// The route of a [`Partition`](super::Partition): the key of the partition
/// that a subscriber wants. It has no default, so that a subscription without a
/// partition does not compile; `producer.partition(key)` creates one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PartitionKey<K>(pub K);

impl<K> PartitionRoute for PartitionKey<K> {
    type Key = K;

    fn to_partition(key: K) -> Self {
        Self(key)
    }
}
