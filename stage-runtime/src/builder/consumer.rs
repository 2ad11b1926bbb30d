//! Building a consumer.

use std::convert::Infallible;
use std::fmt;

use stage_core::Consumer;
use stage_dispatchers::Demand;

use super::spawn::Plan;
use crate::error::SpawnError;
use crate::handle::ConsumerHandle;
use crate::run::{ConsumerRole, OutletOptions};
use crate::subscription::{IntoSubscription, Subscription};

/// Builds a consumer; made by [`stage`](super::ConsumerExt::stage).
///
/// | option | default |
/// |---|---|
/// | [`name`](Self::name) | its type and number, such as `Printer#2` |
/// | [`subscribe_to`](Self::subscribe_to) | nobody yet |
#[must_use = "a stage does nothing before it is spawned"]
pub struct ConsumerBuilder<C: Consumer> {
    consumer: C,
    name: Option<String>,
    subscriptions: Vec<Subscription<C::Event>>,
}

impl<C: Consumer> ConsumerBuilder<C> {
    pub(super) fn new(consumer: C) -> Self {
        Self {
            consumer,
            name: None,
            subscriptions: Vec::new(),
        }
    }

    /// Names the stage; errors, traces and statistics carry it.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Subscribes to a producer once the stage runs: to a handle's reference,
    /// or to a [`Subscription`] that says more. Several producers are fine.
    pub fn subscribe_to(mut self, producer: impl IntoSubscription<C::Event>) -> Self {
        self.subscriptions.push(producer.into_subscription());
        self
    }

    /// Spawns the stage on the current tokio runtime.
    ///
    /// A stage whose subscriptions cannot work is spawned all the same, and
    /// fails before its first event: `join` says why. To be told here, use
    /// [`try_spawn`](Self::try_spawn).
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, as `tokio::spawn` does.
    pub fn spawn(self) -> ConsumerHandle<C> {
        self.plan().spawn()
    }

    /// Spawns the stage on the current tokio runtime unless something is wrong
    /// with its options.
    ///
    /// What only the producer can know, whether it has ended or a partition is
    /// taken, ends the stage and is reported by `join`.
    ///
    /// # Errors
    ///
    /// [`SpawnError`]: demand limits that cannot work, or no runtime.
    pub fn try_spawn(self) -> Result<ConsumerHandle<C>, SpawnError> {
        self.plan().try_spawn()
    }

    fn plan(self) -> Plan<ConsumerRole<C>, Demand<Infallible>> {
        Plan {
            stage: self.consumer,
            name: self.name,
            outlet: OutletOptions::new(Demand::new(), Some(0)),
            subscriptions: self.subscriptions,
        }
    }
}

impl<C: Consumer> fmt::Debug for ConsumerBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsumerBuilder")
            .field("name", &self.name)
            .field("subscriptions", &self.subscriptions)
            .finish_non_exhaustive()
    }
}
