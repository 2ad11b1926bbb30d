//! What every handler can see of its stage and ask of it.

use std::task::Waker;
use std::time::Duration;

use super::Info;
use crate::{Reason, SubscriptionId};

/// A handler's view of its stage: who it is, where the batch came from, and
/// what it can ask for.
///
/// What a handler asks for here is done when it returns, in the order asked.
///
/// To call a handler in a unit test, make one with [`Context::new`] and read
/// the [`Commands`] afterwards.
#[derive(Debug)]
pub struct Context<'a> {
    name: &'a str,
    subscription: Option<SubscriptionId>,
    waker: &'a Waker,
    pub(super) commands: &'a mut Commands,
}

/// What a handler asked of its stage, as plain data.
#[derive(Debug, Default)]
pub struct Commands {
    /// The stage is to complete.
    pub complete: bool,
    /// The producer is to be called again at once with the demand still unmet.
    pub again: bool,
    /// The same, after a delay.
    pub again_after: Option<Duration>,
    /// Demand to send, in events.
    pub asks: Vec<(SubscriptionId, usize)>,
    /// Subscriptions to cancel.
    pub cancels: Vec<(SubscriptionId, Reason)>,
    /// Infos to hand to this stage after a delay.
    pub infos: Vec<(Duration, Info)>,
}

impl Commands {
    /// Whether the handler asked for nothing.
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
    /// A context for the stage `name`, whose handler is called about
    /// `subscription`, if about any.
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

    /// The stage's name.
    #[must_use]
    pub const fn name(&self) -> &str {
        self.name
    }

    /// The subscription that the handler is called about: the one the batch
    /// came over, or the one that begins or ends. `None` in a handler of
    /// demand, messages and infos.
    #[must_use]
    pub const fn subscription(&self) -> Option<SubscriptionId> {
        self.subscription
    }

    /// Asks for `demand` more events over a subscription of this consumer: the
    /// whole of its demand in manual mode, an extra in automatic mode. Unknown
    /// and ended subscriptions are passed over; 0 asks for nothing.
    pub fn ask(&mut self, subscription: SubscriptionId, demand: usize) {
        self.commands.asks.push((subscription, demand));
    }

    /// Cancels a subscription of this consumer. The stage then behaves as the
    /// subscription's [`CancelMode`](crate::CancelMode) mode says: a permanent one
    /// ends the stage.
    pub fn cancel(&mut self, subscription: SubscriptionId, reason: impl Into<Reason>) {
        self.commands.cancels.push((subscription, reason.into()));
    }

    /// Has `handle_info` called with `value` after `delay`.
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

    /// A waker that has this stage called: a producer's `handle_demand`, if
    /// demand is still unmet, and a consumer's `handle_wake`. Cheap to clone,
    /// valid from any thread for as long as the stage lives, harmless after.
    ///
    /// This is how a stage waits for something without holding itself up: poll
    /// it with this waker, return, and be called again.
    #[must_use]
    pub const fn waker(&self) -> &Waker {
        self.waker
    }
}
