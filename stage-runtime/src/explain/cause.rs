//! The causes that can hold a pipeline back, and the waits for them.

use std::borrow::Cow;
use std::time::Duration;

use stage_core::SubscriptionId;

use crate::snapshot::Endpoint;

/// Why stages stand still: a stage or link that waits for no other, and for how long.
///
/// Its `Display` is one clause, such as `` `counter#3` has been inside
/// handle_events for 12.1 s ``. All numbers count events.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Cause {
    /// A handler has not returned: it awaits something, or it blocks its thread.
    Handler {
        /// The stage of the handler.
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
    /// A stage has something to do and is not being polled: its runtime's threads are
    /// blocked, or its runtime is not being driven.
    NotRun {
        /// The stage.
        stage: Endpoint,
        /// How long it has stood still.
        since: Duration,
    },
    /// A producer's gate is closed, and it has events or demand behind it.
    GateClosed {
        /// The producer.
        stage: Endpoint,
        /// Events that wait in its buffer or its dispatcher.
        buffered: u64,
        /// Events that its consumers have asked for and not been sent.
        asked: u64,
        /// How long the producer has stood still.
        since: Duration,
    },
    /// A part of a producer's dispatcher is full, and has no subscriber.
    Unowned {
        /// The producer.
        stage: Endpoint,
        /// The part that is full, such as `partition 3`.
        part: Option<String>,
        /// Events that wait in that part.
        held: u64,
        /// How long the producer has stood still.
        since: Duration,
    },
    /// A consumer that asks by hand has handled all that it asked for, and has
    /// not asked again.
    NoAsk {
        /// The consumer.
        consumer: Endpoint,
        /// The producer that it should ask.
        producer: Endpoint,
        /// The [`id`](crate::snapshot::LinkSnapshot::id) of the link between them.
        link: SubscriptionId,
        /// Events that it has asked for over that link so far; all were sent.
        asked: u64,
        /// How long the consumer has stood still.
        since: Duration,
    },
    /// A stream has events that are not being read, or has not been polled at all.
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
    /// A consumer does not ask for more because its state still holds events: it gathers
    /// them, or works on them in tasks of its own.
    Holding {
        /// The consumer.
        stage: Endpoint,
        /// Events that it held when it last came to rest.
        held: u64,
        /// How long it has stood still.
        since: Duration,
    },
    /// A stage says itself what it waits for: it has called
    /// [`waits_for`](stage_core::Context::waits_for).
    WaitsFor {
        /// The stage.
        stage: Endpoint,
        /// What it waits for, such as `the rate limit`.
        what: Cow<'static, str>,
        /// The time until it expects to go on, if it said so.
        until: Option<Duration>,
        /// Events that it held when it last came to rest.
        held: u64,
        /// How long it has stood still.
        since: Duration,
    },
    /// A source has been asked for events and has none to give.
    Starved {
        /// The source.
        stage: Endpoint,
        /// Events that it has been asked for and has not emitted.
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
    /// A consumer has no producer, or all its producers have ended.
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
        /// The producer that it has asked.
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
        /// The consumer that should ask it, or handle what it was sent.
        consumer: Endpoint,
        /// The [`id`](crate::snapshot::LinkSnapshot::id) of the link between them.
        link: SubscriptionId,
        /// Events that the consumer has not handled.
        in_flight: u64,
        /// How long the producer has waited.
        since: Duration,
    },
    /// Stages wait for each other in a cycle: a deadlock.
    Cycle {
        /// The waits; each stage waits for the next one, the last for the first.
        ring: Vec<Wait>,
        /// The shortest time that one of them has waited.
        since: Duration,
    },
    /// A stage stands still and the snapshot does not show why. For example, a dispatcher
    /// of your own keeps events back that consumers have asked for, and names no
    /// bottleneck.
    Unknown {
        /// The stage.
        stage: Endpoint,
        /// How long it has stood still.
        since: Duration,
    },
}

impl Cause {
    /// Returns the stage or stream that the others wait for; for a cycle, one of its stages.
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
            | Self::WaitsFor { stage, .. }
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

    /// Whether the cause holds no events back: there are none to hold back.
    pub(super) const fn has_nothing(&self) -> bool {
        matches!(
            self,
            Self::Starved { .. } | Self::NoProducer { .. } | Self::Outside { .. }
        )
    }

    /// Returns how long the cause has held the others back.
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
            | Self::WaitsFor { since, .. }
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
        /// The full part of its dispatcher that needs the demand, such as `partition 3`, if
        /// it is a part.
        part: Option<String>,
        /// Events that wait in that part.
        held: u64,
    },
    /// A consumer waits for events that it has asked for.
    Events,
}
