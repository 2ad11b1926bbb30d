//! Why a subscription was not made, or an event went nowhere.

use std::sync::Arc;

use thiserror::Error;

use crate::{BoxError, DemandError, SubscriptionId};

/// Why a subscription was not made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The dispatcher has no such partition.
    #[error("there is no partition {partition}; the partitions are {known}")]
    UnknownPartition {
        /// The partition asked for.
        partition: String,
        /// The partitions there are.
        known: String,
    },
    /// Another subscriber has that partition.
    #[error(
        "partition {partition} is taken by {owner}; cancel that one first, or take another partition"
    )]
    PartitionTaken {
        /// The partition asked for.
        partition: String,
        /// Who has it.
        owner: SubscriptionId,
    },
    /// The same subscription was made twice.
    #[error("{id} is subscribed already; a subscription is made once")]
    AlreadySubscribed {
        /// The subscription.
        id: SubscriptionId,
    },
    /// A dispatcher from outside said no, in its own words.
    #[error("the dispatcher refused the subscription: {reason}")]
    Refused {
        /// Why, and what to do about it.
        reason: String,
    },
    /// The demand limits cannot work.
    #[error("cannot subscribe to stage `{producer}`: {error}")]
    Demand {
        /// The name of the producer.
        producer: Arc<str>,
        /// What is wrong with the limits.
        error: DemandError,
    },
    /// The producer had delivered everything before the subscription reached
    /// it.
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
        /// How it ended.
        outcome: String,
    },
    /// The consumer had ended before it could subscribe.
    #[error("stage `{consumer}` has ended; an ended stage subscribes to nothing")]
    ConsumerEnded {
        /// The name of the consumer.
        consumer: Arc<str>,
    },
    /// The consumer takes nothing new in: it completes, or drains with its
    /// pipeline.
    #[error(
        "stage `{consumer}` takes nothing new in, because it completes or drains; subscribe before that, or another stage"
    )]
    ConsumerEnding {
        /// The name of the consumer.
        consumer: Arc<str>,
    },
    /// A handler was to wait until its own stage has subscribed.
    #[error(
        "a handler of stage `{consumer}` cannot wait for a subscription of its own stage, which subscribes when the handler has returned; subscribe in a task of its own"
    )]
    InHandler {
        /// The name of the consumer.
        consumer: Arc<str>,
    },
    /// A stage was to subscribe to itself.
    #[error("stage `{stage}` cannot subscribe to itself: it would wait for its own events")]
    SelfSubscription {
        /// The name of the stage.
        stage: Arc<str>,
    },
}

/// Why a dispatcher could send an event nowhere.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DispatchError {
    /// The hash named a partition that does not exist.
    #[error(
        "the hash sent an event to partition {partition}, which does not exist; the partitions are {known}; return one of these, or `None` to drop the event"
    )]
    UnknownPartition {
        /// The partition that the hash named.
        partition: String,
        /// The partitions there are.
        known: String,
    },
    /// The user's function panicked at the event.
    #[error("{function} panicked at an event: {message}")]
    Panicked {
        /// Which function it was, such as `the hash`.
        function: &'static str,
        /// The panic's message.
        message: String,
    },
    /// A dispatcher from outside could not place the event.
    #[error("the dispatcher could not place an event: {0}")]
    Refused(BoxError),
}
