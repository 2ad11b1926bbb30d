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
}

impl<'a, T> Leases<'a, T> {
    pub(crate) const fn new(
        messages: &'a mut Vec<Message<T>>,
        waker: &'a Waker,
        origin: &'a Arc<Origin>,
    ) -> Self {
        Self {
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
        self.messages.len()
    }

    /// Returns `true` if no message was added.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Returns the waker of the source's stage: waking it leads to another call of
    /// [`Source::lease`](super::Source::lease). It may be kept, and used from any thread.
    #[must_use]
    pub const fn waker(&self) -> &Waker {
        self.waker
    }
}
