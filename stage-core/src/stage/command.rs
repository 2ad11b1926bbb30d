//! [`Commands`]: what a handler tells its stage to do.

use std::borrow::Cow;
use std::time::Duration;
use std::vec::Drain;

use super::Info;
use crate::{Reason, SubscriptionId};

/// One command of a handler to its stage, given through a
/// [`Context`](super::Context) or an [`Emitter`](super::Emitter).
#[derive(Debug)]
pub enum Command {
    /// Complete the stage.
    Complete,
    /// End the stage as cancelled.
    Stop(Reason),
    /// Call the producer again at once with the demand still unmet.
    Again,
    /// Call the producer again after this delay.
    AgainAfter(Duration),
    /// Call `handle_wake` after this delay; `None` takes the timer back.
    WakeAfter(Option<Duration>),
    /// Show what the stage waits for until one of its handlers is called.
    WaitsFor {
        /// What it waits for, such as `the rate limit`.
        what: Cow<'static, str>,
        /// The time until it expects to go on.
        until: Option<Duration>,
    },
    /// Ask for more events over a subscription.
    Ask(SubscriptionId, usize),
    /// Cancel a subscription.
    Cancel(SubscriptionId, Reason),
    /// Deliver an info to this stage after this delay.
    Info(Duration, Info),
}

/// The commands that a handler gave to its stage, in order.
///
/// ```
/// use std::task::Waker;
/// use stage_core::{Command, Commands, Context};
///
/// let mut commands = Commands::default();
/// Context::new("numbers", None, Waker::noop(), &mut commands).complete();
/// let given: Vec<_> = commands.drain().collect();
/// assert!(matches!(given[..], [Command::Complete]));
/// assert!(commands.are_none());
/// ```
#[derive(Debug, Default)]
pub struct Commands(Vec<Command>);

impl Commands {
    /// Returns `true` if the handler gave no command.
    #[must_use]
    #[inline]
    pub const fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes the commands and returns them in the order in which they were
    /// given. The allocation is kept.
    pub fn drain(&mut self) -> Drain<'_, Command> {
        self.0.drain(..)
    }

    pub(super) fn push(&mut self, command: Command) {
        self.0.push(command);
    }
}
