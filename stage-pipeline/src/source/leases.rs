//! [`Leases`]: takes the messages that a source leases.

use std::sync::Arc;
use std::task::Waker;

use super::Origin;
use crate::ack::{Ack, Acknowledger, Token};
use crate::message::{Message, Metadata};

/// Takes the messages that a [`Source`](super::Source) leases.
#[derive(Debug)]
pub struct Leases<'a, T> {
    messages: &'a mut Vec<Message<T>>,
    waker: &'a Waker,
    origin: &'a Arc<Origin>,
    /// The number of messages that were there before.
    before: usize,
}

impl<'a, T> Leases<'a, T> {
    pub(crate) const fn new(
        messages: &'a mut Vec<Message<T>>,
        waker: &'a Waker,
        origin: &'a Arc<Origin>,
    ) -> Self {
        Self {
            before: messages.len(),
            messages,
            waker,
            origin,
        }
    }

    /// Adds a message that `token` settles.
    pub fn push(&mut self, token: Token, data: T, metadata: Metadata) {
        let origin: Arc<dyn Acknowledger> = Arc::clone(self.origin) as _;
        self.messages
            .push(Message::new(data, metadata, Ack::new(origin, token)));
    }

    /// Returns the number of messages added so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.messages.len() - self.before
    }

    /// Returns `true` if no message was added.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the waker of the source's stage: waking it leads to another call of
    /// [`Source::lease`](super::Source::lease). It may be kept, and used from any thread.
    #[must_use]
    pub const fn waker(&self) -> &Waker {
        self.waker
    }
}

/// Counts the messages that were added, also if the source panicked or did not return.
impl<T> Drop for Leases<'_, T> {
    fn drop(&mut self) {
        self.origin.add_leased(self.messages.len() - self.before);
    }
}
