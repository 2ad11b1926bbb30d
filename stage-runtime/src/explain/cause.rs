//! What can hold a pipeline back.

use std::time::Duration;

use stage_core::SubscriptionId;

use crate::snapshot::Endpoint;

/// Why stages stand still: the stage or link that waits for nobody else, and
/// for how long.
///
/// Its `Display` is one clause, such as `` `counter#3` has been inside
/// handle_events for 12.1 s ``. All numbers count events.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Cause {
    /// A handler has not returned; also one that blocks its thread.
    Handler {
        /// The stage it belongs to.
        stage: Endpoint,
        /// The handler, named as in its trait.
        handler: &'static str,
        /// How long the stage has been inside it.
        since: Duration,
    },
    /// A stage has failed and has not been restarted yet.
    Restarting {
        /// The stage.
        stage: Endpoint,
        /// How often it was restarted before.
        restarts: u64,
        /// How long it has waited.
        since: Duration,
    },
    /// A stage has something to do and does not come to run: its runtime's
    /// threads are blocked, or its runtime is not being driven.
    NotRun {
        /// The stage.
        stage: Endpoint,
        /// How long it has been like that.
        since: Duration,
    },
    /// A producer's gate is closed, and it has events or demand to
    /// hold back.
    GateClosed {
        /// The producer.
        stage: Endpoint,
        /// Events that wait in its buffer or its dispatcher.
        buffered: u64,
        /// What its consumers have asked for and not been given.
        asked: u64,
        /// How long the producer has stood still.
        since: Duration,
    },
    /// A part of a producer's dispatcher is full, and has no subscriber.
    Unowned {
        /// The producer.
        stage: Endpoint,
        /// What is full, such as `partition 3`.
        part: Option<String>,
        /// Events that wait there.
        held: u64,
        /// How long the producer has stood still.
        since: Duration,
    },
    /// A consumer that asks by hand has handled all that it asked for, and has
    /// not asked again.
    NoAsk {
        /// The consumer.
        consumer: Endpoint,
        /// Whom it should ask.
        producer: Endpoint,
        /// The [`id`](crate::snapshot::LinkSnapshot::id) of the link between them.
        link: SubscriptionId,
        /// What it has asked for over that link, and been given.
        asked: u64,
        /// How long the consumer has stood still.
        since: Duration,
    },
    /// A stream has events that nobody reads, or has not been polled at all.
    Unread {
        /// The stream.
        reader: Endpoint,
        /// The producer it reads from.
        producer: Endpoint,
        /// The [`id`](crate::snapshot::LinkSnapshot::id) of the link between them.
        link: SubscriptionId,
        /// Events that wait to be read.
        in_flight: u64,
        /// How long the producer has stood still.
        since: Duration,
    },
    /// A consumer has asked for nothing more because its state has not let go of what
    /// it has: of events that it gathers, or works on in tasks of its own.
    Holding {
        /// The consumer.
        stage: Endpoint,
        /// Events that it held when it last came to rest.
        held: u64,
        /// How long it has stood still.
        since: Duration,
    },
    /// A source has been asked for events and has none to give.
    Starved {
        /// The source.
        stage: Endpoint,
        /// What it has been asked for and not emitted.
        asked: u64,
        /// How long it has waited.
        since: Duration,
    },
    /// A producer has no consumer.
    NoConsumer {
        /// The producer.
        stage: Endpoint,
        /// Events that wait in its buffer or its dispatcher.
        buffered: u64,
        /// How long it has waited.
        since: Duration,
    },
    /// A consumer has no producer, or none that has not ended.
    NoProducer {
        /// The consumer.
        stage: Endpoint,
        /// How long it has waited.
        since: Duration,
    },
    /// A consumer waits for a producer that is not in the snapshot, so that
    /// what holds it back cannot be seen from here.
    Outside {
        /// The consumer.
        stage: Endpoint,
        /// Whom it has asked.
        producer: Endpoint,
        /// The [`id`](crate::snapshot::LinkSnapshot::id) of the link between them.
        link: SubscriptionId,
        /// How long the consumer has waited.
        since: Duration,
    },
    /// A producer waits for a consumer that is not in the snapshot, so that what holds
    /// it back cannot be seen from here.
    OutsideConsumer {
        /// The producer.
        stage: Endpoint,
        /// Who should ask it, or handle what it was sent.
        consumer: Endpoint,
        /// The [`id`](crate::snapshot::LinkSnapshot::id) of the link between them.
        link: SubscriptionId,
        /// Events that the consumer has not handled.
        in_flight: u64,
        /// How long the producer has waited.
        since: Duration,
    },
    /// Stages wait for each other in a ring.
    Cycle {
        /// What each of them waits for; each waits for the next, the last for
        /// the first.
        ring: Vec<Wait>,
        /// How long the one that has waited the shortest has waited.
        since: Duration,
    },
    /// A stage stands still and the snapshot does not say why: for example, a
    /// dispatcher of your own keeps back events that its consumers have asked
    /// for, and names no bottleneck.
    Unknown {
        /// The stage.
        stage: Endpoint,
        /// How long it has stood still.
        since: Duration,
    },
}

impl Cause {
    /// The stage or stream that the others wait for; of a cycle, one of them.
    /// `None` for a cycle without stages, which [`explain`] never returns.
    ///
    /// [`explain`]: crate::snapshot::Snapshot::explain
    #[must_use]
    pub fn stage(&self) -> Option<&Endpoint> {
        match self {
            Self::Handler { stage, .. }
            | Self::Restarting { stage, .. }
            | Self::NotRun { stage, .. }
            | Self::GateClosed { stage, .. }
            | Self::Unowned { stage, .. }
            | Self::Holding { stage, .. }
            | Self::Starved { stage, .. }
            | Self::NoConsumer { stage, .. }
            | Self::NoProducer { stage, .. }
            | Self::Unknown { stage, .. } => Some(stage),
            Self::Outside { producer, .. } => Some(producer),
            Self::OutsideConsumer { consumer, .. } | Self::NoAsk { consumer, .. } => Some(consumer),
            Self::Unread { reader, .. } => Some(reader),
            Self::Cycle { ring, .. } => ring.first().map(|wait| &wait.stage),
        }
    }

    /// Whether nothing is held back by it: there just is nothing.
    pub(super) const fn has_nothing(&self) -> bool {
        matches!(
            self,
            Self::Starved { .. } | Self::NoProducer { .. } | Self::Outside { .. }
        )
    }

    /// For how long it has held the others back.
    #[must_use]
    pub const fn since(&self) -> Duration {
        match self {
            Self::Handler { since, .. }
            | Self::Restarting { since, .. }
            | Self::NotRun { since, .. }
            | Self::GateClosed { since, .. }
            | Self::Unowned { since, .. }
            | Self::NoAsk { since, .. }
            | Self::Unread { since, .. }
            | Self::Holding { since, .. }
            | Self::Starved { since, .. }
            | Self::NoConsumer { since, .. }
            | Self::NoProducer { since, .. }
            | Self::Outside { since, .. }
            | Self::OutsideConsumer { since, .. }
            | Self::Cycle { since, .. }
            | Self::Unknown { since, .. } => *since,
        }
    }
}

/// One stage that waits for another.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Wait {
    /// The stage that waits.
    pub stage: Endpoint,
    /// The stage, or stream, that it waits for.
    pub awaits: Endpoint,
    /// What it waits for.
    pub what: Awaited,
    /// The [`id`](crate::snapshot::LinkSnapshot::id) of the link between them.
    pub link: SubscriptionId,
    /// How long it has stood still.
    pub since: Duration,
}

/// What a stage waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Awaited {
    /// A producer waits for a consumer to ask.
    Demand {
        /// The part of its dispatcher that is full, such as `partition 3`, if
        /// that is what the demand is needed for.
        part: Option<String>,
        /// Events that wait in that part.
        held: u64,
    },
    /// A consumer waits for events that it has asked for.
    Events,
}
