//! [`Emitter`]: receives the events that a handler emits.

use std::borrow::Cow;
use std::convert::Infallible;
use std::task::Waker;
use std::time::Duration;

use super::{Command, Context};
use crate::extend::extend;
use crate::{Reason, SubscriptionId};

/// Receives the events that a handler emits. They are dispatched when it
/// returns.
///
/// An emitter also has the methods of a [`Context`], so that a handler that
/// emits needs a single argument.
///
/// [`push`](Emitter::push) emits one event. [`extend`](Extend::extend) emits
/// many and is fastest with an iterator that knows its length.
///
/// # When there is nothing to emit yet
///
/// A producer may emit fewer events than it was asked for, and need not
/// remember the difference. Its handler is called again with the total of unmet
/// demand when
///
/// - new demand arrives,
/// - the [`waker`](Context::waker) is woken,
/// - the delay given to [`again_after`](Emitter::again_after) has passed, or
/// - it called [`again`](Emitter::again).
///
/// A producer may also emit more than it was asked for: the rest waits in its
/// buffer, within its bound.
///
/// ```
/// use std::task::Waker;
/// use stage_core::{Command, Commands, Context, Emitter};
///
/// let (mut events, mut commands) = (Vec::new(), Commands::default());
/// let context = Context::new("numbers", None, Waker::noop(), &mut commands);
/// let mut out = Emitter::new(&mut events, context);
/// out.push(1);
/// out.extend(2..4);
/// assert_eq!(out.len(), 3);
/// out.complete();
///
/// assert_eq!(events, [1, 2, 3]);
/// assert!(matches!(commands.drain().next(), Some(Command::Complete)));
/// ```
#[derive(Debug)]
pub struct Emitter<'a, E = Infallible> {
    events: &'a mut Vec<E>,
    context: Context<'a>,
}

impl<'a, E> Emitter<'a, E> {
    /// Returns an emitter that appends to `events`.
    #[must_use]
    #[inline]
    pub const fn new(events: &'a mut Vec<E>, context: Context<'a>) -> Self {
        Self { events, context }
    }

    /// Emits one event.
    #[inline]
    pub fn push(&mut self, event: E) {
        self.events.push(event);
    }

    /// Returns the number of events emitted by this call of the handler.
    #[must_use]
    #[inline]
    pub const fn len(&self) -> usize {
        self.events.len()
    }

    /// Returns `true` if this call of the handler has emitted nothing.
    #[must_use]
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Reserves capacity for `additional` more events.
    pub fn reserve(&mut self, additional: usize) {
        self.events.reserve(additional);
    }

    /// Returns the buffer of emitted events, for APIs that fill a vector.
    ///
    /// An event removed from it was never emitted.
    #[inline]
    pub const fn as_mut_vec(&mut self) -> &mut Vec<E> {
        self.events
    }

    /// Returns the buffer of emitted events and the context, both at once: for APIs that
    /// fill a vector and take the stage's [`waker`](Context::waker).
    ///
    /// An event removed from the buffer was never emitted.
    ///
    /// ```
    /// use std::task::{self, Poll, Waker};
    /// use stage_core::{Command, Commands, Context, Emitter};
    ///
    /// /// Emits what `read` fills a vector with, until it is pending.
    /// fn read_all(
    ///     mut read: impl FnMut(&mut task::Context<'_>, &mut Vec<u8>) -> Poll<usize>,
    ///     out: &mut Emitter<'_, u8>,
    /// ) {
    ///     let (events, context) = out.parts();
    ///     let mut cx = task::Context::from_waker(context.waker());
    ///     while let Poll::Ready(count) = read(&mut cx, events) {
    ///         if count == 0 {
    ///             context.complete();
    ///             break;
    ///         }
    ///     }
    /// }
    ///
    /// let (mut events, mut commands) = (Vec::new(), Commands::default());
    /// let context = Context::new("bytes", None, Waker::noop(), &mut commands);
    /// let mut parts = ["ab", "c", ""].into_iter();
    /// let read = |_: &mut task::Context<'_>, into: &mut Vec<u8>| match parts.next() {
    ///     Some(part) => {
    ///         into.extend(part.bytes());
    ///         Poll::Ready(part.len())
    ///     }
    ///     None => Poll::Pending,
    /// };
    /// read_all(read, &mut Emitter::new(&mut events, context));
    /// assert_eq!(events, b"abc");
    /// assert!(matches!(commands.drain().next(), Some(Command::Complete)));
    /// ```
    #[inline]
    pub const fn parts(&mut self) -> (&mut Vec<E>, &mut Context<'a>) {
        (self.events, &mut self.context)
    }

    /// Calls `handle_demand` again at once, if demand is still unmet.
    pub fn again(&mut self) {
        self.context.commands.push(Command::Again);
    }

    /// Calls `handle_demand` again after `delay`, if demand is still unmet
    /// then. The last delay set replaces any earlier one.
    ///
    /// # Panics
    ///
    /// The stage fails if it runs on a runtime without a timer.
    pub fn again_after(&mut self, delay: Duration) {
        self.context.commands.push(Command::AgainAfter(delay));
    }
}

impl<E> Extend<E> for Emitter<'_, E> {
    #[inline]
    fn extend<T: IntoIterator<Item = E>>(&mut self, events: T) {
        extend(self.events, events.into_iter());
    }
}

/// The methods of a [`Context`].
impl<'a, E> Emitter<'a, E> {
    /// Returns the context, for a function that takes a [`Context`].
    #[inline]
    pub const fn context(&mut self) -> &mut Context<'a> {
        &mut self.context
    }

    /// Returns the name of the stage; see [`Context::name`].
    #[must_use]
    pub const fn name(&self) -> &str {
        self.context.name()
    }

    /// Returns the subscription that the handler is called for; see
    /// [`Context::subscription`].
    #[must_use]
    pub const fn subscription(&self) -> Option<SubscriptionId> {
        self.context.subscription()
    }

    /// Asks for `demand` more events over a subscription of this stage; see
    /// [`Context::ask`].
    pub fn ask(&mut self, subscription: SubscriptionId, demand: usize) {
        self.context.ask(subscription, demand);
    }

    /// Cancels a subscription of this stage; see [`Context::cancel`].
    pub fn cancel(&mut self, subscription: SubscriptionId, reason: impl Into<Reason>) {
        self.context.cancel(subscription, reason);
    }

    /// Calls `handle_info` with `value` after `delay`; see [`Context::info_after`].
    ///
    /// # Panics
    ///
    /// The stage fails if it runs on a runtime without a timer.
    pub fn info_after<T: Send + 'static>(&mut self, delay: Duration, value: T) {
        self.context.info_after(delay, value);
    }

    /// Calls `handle_wake` after `delay`, out of band; see
    /// [`Context::wake_after`].
    ///
    /// # Panics
    ///
    /// The stage fails if it runs on a runtime without a timer.
    pub fn wake_after(&mut self, delay: Duration) {
        self.context.wake_after(delay);
    }

    /// Takes back the timer of [`wake_after`](Self::wake_after).
    pub fn cancel_wake(&mut self) {
        self.context.cancel_wake();
    }

    /// Names what the stage waits for; see [`Context::waits_for`].
    pub fn waits_for(
        &mut self,
        what: impl Into<Cow<'static, str>>,
        until: impl Into<Option<Duration>>,
    ) {
        self.context.waits_for(what, until);
    }

    /// Ends the stage as completed; see [`Context::complete`].
    pub fn complete(&mut self) {
        self.context.complete();
    }

    /// Ends the stage as cancelled; see [`Context::stop`].
    pub fn stop(&mut self, reason: impl Into<Reason>) {
        self.context.stop(reason);
    }

    /// Returns a waker for this stage; see [`Context::waker`].
    #[must_use]
    pub const fn waker(&self) -> &Waker {
        self.context.waker()
    }
}
