//! [`Context`]: a handler's access to its stage.

use std::borrow::Cow;
use std::task::Waker;
use std::time::Duration;

use super::{Command, Commands, Info};
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
        self.commands.push(Command::Ask(subscription, demand));
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
        self.commands
            .push(Command::Cancel(subscription, reason.into()));
    }

    /// Calls `handle_info` with `value` after `delay`.
    ///
    /// # Panics
    ///
    /// The stage fails if it runs on a runtime without a timer.
    pub fn info_after<T: Send + 'static>(&mut self, delay: Duration, value: T) {
        self.commands.push(Command::Info(delay, Info::new(value)));
    }

    /// Calls `handle_wake` after `delay`, out of band: it waits neither behind
    /// events that have arrived nor behind events in the buffer. A stage has one
    /// such timer, and the last call sets it. It belongs to the state that set
    /// it, so a restart removes it.
    ///
    /// A timer that is set costs no allocation when the stage parks. Use it for
    /// what must be on time while neighbours are slow: a heartbeat, the renewal
    /// of a lease, an acknowledgement.
    ///
    /// # Panics
    ///
    /// The stage fails if it runs on a runtime without a timer.
    pub fn wake_after(&mut self, delay: Duration) {
        self.commands.push(Command::WakeAfter(Some(delay)));
    }

    /// Takes back the timer of [`wake_after`](Self::wake_after), if it is set.
    pub fn cancel_wake(&mut self) {
        self.commands.push(Command::WakeAfter(None));
    }

    /// Names what the stage waits for until one of its handlers is called
    /// again, such as `the rate limit`. `until` is the time until it expects to
    /// go on, if it knows that.
    ///
    /// `explain` and snapshots show it instead of "no events". It has no other
    /// effect.
    pub fn waits_for(
        &mut self,
        what: impl Into<Cow<'static, str>>,
        until: impl Into<Option<Duration>>,
    ) {
        self.commands.push(Command::WaitsFor {
            what: what.into(),
            until: until.into(),
        });
    }

    /// Ends the stage as completed: a producer once everything it emitted has
    /// been delivered, a consumer when this handler returns. A stage whose
    /// `may_complete` returns `false` stays until that changes.
    pub fn complete(&mut self) {
        self.commands.push(Command::Complete);
    }

    /// Ends the stage as cancelled, when this handler has returned: what is in
    /// its buffer is discarded, and events that it has not handled are handed
    /// back. The stage is not restarted.
    pub fn stop(&mut self, reason: impl Into<Reason>) {
        self.commands.push(Command::Stop(reason.into()));
    }

    /// Returns a waker for this stage. Waking it calls `handle_wake`, and then
    /// a producer's `handle_demand` if demand is still unmet. The waker is cheap
    /// to clone, may be used from any thread, and has no effect once the stage
    /// has ended.
    ///
    /// With it, a stage waits without blocking itself: it polls a future with
    /// this waker, returns, and is called again.
    #[must_use]
    pub const fn waker(&self) -> &Waker {
        self.waker
    }
}
