//! The errors of dispatching: refused subscriptions and undeliverable events.

use std::sync::Arc;

use thiserror::Error;

use crate::{BoxError, DemandError, SubscriptionId};

/// The error of a subscription, or of a new route for one, that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The dispatcher has no partition of that name.
    #[error("there is no partition {partition}; the partitions are {known}")]
    UnknownPartition {
        /// The partition asked for.
        partition: String,
        /// The partitions that exist.
        known: String,
    },
    /// Another subscriber owns the partition.
    #[error(
        "partition {partition} is taken by {owner}; cancel its subscription first, or choose another partition"
    )]
    PartitionTaken {
        /// The partition asked for.
        partition: String,
        /// The subscription that owns the partition.
        owner: SubscriptionId,
    },
    /// The dispatcher already has a subscription with this id.
    #[error("{id} is subscribed already; a subscription is made once")]
    AlreadySubscribed {
        /// The subscription.
        id: SubscriptionId,
    },
    /// The dispatcher has no subscription with this id, so it cannot change the
    /// route of one.
    #[error("{id} is not subscribed, or has ended; change the route of a subscription that runs")]
    NotSubscribed {
        /// The subscription.
        id: SubscriptionId,
    },
    /// The dispatcher does not change the route of a running subscription.
    #[error(
        "the dispatcher cannot change the route of {id}; cancel the subscription, and subscribe by the new route"
    )]
    FixedRoute {
        /// The subscription.
        id: SubscriptionId,
    },
    /// A user-defined dispatcher refused the subscription.
    #[error("the dispatcher refused the subscription: {reason}")]
    Refused {
        /// The reason, and what to do about it.
        reason: String,
    },
    /// The demand limits are invalid.
    #[error("cannot subscribe to stage `{producer}`: {error}")]
    Demand {
        /// The name of the producer.
        producer: Arc<str>,
        /// The reason.
        error: DemandError,
    },
    /// The time after which the producer is to evict the consumer is zero.
    #[error(
        "cannot subscribe to stage `{producer}`: evict_after is 0 s, which evicts at once; it must be longer than that, and without it the producer never evicts"
    )]
    ZeroEvictAfter {
        /// The name of the producer.
        producer: Arc<str>,
    },
    /// The producer had completed before the subscription reached it.
    #[error("stage `{producer}` has completed; there is nothing left to subscribe to")]
    ProducerCompleted {
        /// The name of the producer.
        producer: Arc<str>,
    },
    /// The producer had failed or been cancelled before the subscription
    /// reached it.
    #[error("stage `{producer}` has ended ({outcome}); subscribe to one that runs")]
    ProducerEnded {
        /// The name of the producer.
        producer: Arc<str>,
        /// Its outcome.
        outcome: String,
    },
    /// The consumer had ended before it could subscribe.
    #[error("stage `{consumer}` has ended; an ended stage subscribes to nothing")]
    ConsumerEnded {
        /// The name of the consumer.
        consumer: Arc<str>,
    },
    /// The consumer accepts no new subscriptions, because it is completing or
    /// draining with its pipeline.
    #[error(
        "stage `{consumer}` takes nothing new in, because it completes or drains; subscribe before that, or another stage"
    )]
    ConsumerEnding {
        /// The name of the consumer.
        consumer: Arc<str>,
    },
    /// A handler waited for a subscription of its own stage, which would
    /// deadlock.
    #[error(
        "a handler of stage `{consumer}` cannot wait for a subscription of its own stage, which subscribes when the handler has returned; subscribe in a task of its own"
    )]
    InHandler {
        /// The name of the consumer.
        consumer: Arc<str>,
    },
    /// A stage tried to subscribe to itself.
    #[error("stage `{stage}` cannot subscribe to itself: it would wait for its own events")]
    SelfSubscription {
        /// The name of the stage.
        stage: Arc<str>,
    },
}

/// The error of an event that a dispatcher could not deliver.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DispatchError {
    /// The hash function returned a partition that does not exist.
    #[error(
        "the hash sent an event to partition {partition}, which does not exist; the partitions are {known}; return one of these, or `None` to drop the event"
    )]
    UnknownPartition {
        /// The partition that the hash function returned.
        partition: String,
        /// The partitions that exist.
        known: String,
    },
    /// A user-defined function panicked at the event.
    #[error("{function} panicked at an event: {message}")]
    Panicked {
        /// The function, such as `the hash`.
        function: &'static str,
        /// The panic message.
        message: String,
    },
    /// A user-defined dispatcher could not deliver the event.
    #[error("the dispatcher could not place an event: {0}")]
    Refused(BoxError),
}
