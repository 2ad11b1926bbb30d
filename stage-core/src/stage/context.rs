//! [`Context`]: a handler's access to its stage.

use std::task::Waker;
use std::time::Duration;

use super::Info;
use crate::{Reason, SubscriptionId};

/// A handler's access to its stage: its name, its subscription, its waker, and
/// commands to it.
///
/// Commands take effect when the handler returns, also if it fails.
///
/// To call a handler in a unit test, create a context with [`Context::new`] and
/// read the [`Commands`] afterwards.
#[derive(Debug)]
pub struct Context<'a> {
    name: &'a str,
    subscription: Option<SubscriptionId>,
    waker: &'a Waker,
    pub(super) commands: &'a mut Commands,
}

/// The commands that a handler gave to its stage.
#[derive(Debug, Default)]
pub struct Commands {
    /// Complete the stage.
    pub complete: bool,
    /// Call the producer again at once with the demand still unmet.
    pub again: bool,
    /// Call the producer again after this delay.
    pub again_after: Option<Duration>,
    /// Demand to send, in events.
    pub asks: Vec<(SubscriptionId, usize)>,
    /// Subscriptions to cancel.
    pub cancels: Vec<(SubscriptionId, Reason)>,
    /// Infos to deliver to this stage after a delay.
    pub infos: Vec<(Duration, Info)>,
}

impl Commands {
    /// Returns `true` if the handler gave no command.
    ///
    /// ```
    /// use stage_core::Commands;
    ///
    /// let mut commands = Commands::default();
    /// assert!(commands.are_none());
    /// commands.again = true;
    /// assert!(!commands.are_none());
    /// ```
    #[must_use]
    pub const fn are_none(&self) -> bool {
        !self.complete
            && !self.again
            && self.again_after.is_none()
            && self.asks.is_empty()
            && self.cancels.is_empty()
            && self.infos.is_empty()
    }
}

impl<'a> Context<'a> {
    /// Returns a context for the stage `name`. `subscription` is the one that
    /// the handler is called for, if any.
    #[must_use]
    pub const fn new(
        name: &'a str,
        subscription: Option<SubscriptionId>,
        waker: &'a Waker,
        commands: &'a mut Commands,
    ) -> Self {
        Self {
            name,
            subscription,
            waker,
            commands,
        }
    }

    /// Returns the name of the stage.
    #[must_use]
    pub const fn name(&self) -> &str {
        self.name
    }

    /// Returns the subscription that the handler is called for: the one over
    /// which the batch arrived, or the one that begins or ends. `None` in
    /// handlers of demand, messages, infos and wake-ups.
    #[must_use]
    pub const fn subscription(&self) -> Option<SubscriptionId> {
        self.subscription
    }

    /// Asks for `demand` more events over a subscription of this consumer. In
    /// manual mode this is the only demand, in automatic mode an addition. A
    /// `subscription` that is unknown or has ended is ignored, and so is a
    /// demand of 0.
    pub fn ask(&mut self, subscription: SubscriptionId, demand: usize) {
        self.commands.asks.push((subscription, demand));
    }

    /// Cancels a subscription of this stage: of this consumer to a producer, or
    /// of a consumer to this producer.
    ///
    /// The consumer still handles the events that it was sent. Then the
    /// subscription ends as cancelled with `reason`, `handle_cancel` of both
    /// stages is called, and the subscription's
    /// [`CancelMode`](crate::CancelMode) applies: the end of a permanent
    /// subscription ends the consumer. A subscription that is unknown or has
    /// ended is ignored.
    ///
    /// Source: `GenStage.cancel/3`, which a producer may call too.
    pub fn cancel(&mut self, subscription: SubscriptionId, reason: impl Into<Reason>) {
        self.commands.cancels.push((subscription, reason.into()));
    }

    /// Calls `handle_info` with `value` after `delay`.
    ///
    /// # Panics
    ///
    /// The stage fails if it runs on a runtime without a timer.
    pub fn info_after<T: Send + 'static>(&mut self, delay: Duration, value: T) {
        self.commands.infos.push((delay, Info::new(value)));
    }

    /// Ends the stage as completed: a producer once everything it emitted has
    /// been delivered, a consumer when this handler returns.
    pub const fn complete(&mut self) {
        self.commands.complete = true;
    }

    /// Returns a waker for this stage. Waking it calls a producer's
    /// `handle_demand`, if demand is still unmet, and a consumer's
    /// `handle_wake`. The waker is cheap to clone, may be used from any thread,
    /// and has no effect once the stage has ended.
    ///
    /// With it, a stage waits without blocking itself: it polls a future with
    /// this waker, returns, and is called again.
    #[must_use]
    pub const fn waker(&self) -> &Waker {
        self.waker
    }
}
