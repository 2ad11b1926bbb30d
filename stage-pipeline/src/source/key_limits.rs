//! [`KeyLimits`]: the rate limit of each key, and the messages that wait for it.

use std::task::Waker;
use std::time::{Duration, Instant};

use crate::message::Message;
use crate::policy::{KeyedRateLimit, ParkedByKey};

/// The most messages of a source that wait for the limits of their keys. Beyond them the
/// source leases no more, whatever the key.
const PARKED: usize = 1_000;

/// Holds back messages whose key is over its rate limit, so that those of other keys go on.
pub(super) struct KeyLimits<T> {
    limit: KeyedRateLimit,
    parked: ParkedByKey<Message<T>>,
}

impl<T> KeyLimits<T> {
    pub(super) fn new(limit: KeyedRateLimit) -> Self {
        Self {
            limit,
            parked: ParkedByKey::new(PARKED),
        }
    }

    /// Returns how many messages may be leased without exceeding the room for those that
    /// wait.
    pub(super) const fn room(&self) -> usize {
        self.parked.room()
    }

    pub(super) const fn held(&self) -> usize {
        self.parked.len()
    }

    /// Lets the message pass, or holds it back.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        message: Message<T>,
        waker: &Waker,
    ) -> Option<Message<T>> {
        let Some(key) = message.metadata().key().map(KeyedRateLimit::hash) else {
            return Some(message);
        };
        let wait = if self.parked.waits(key) {
            // It is not looked at, since the key waits already.
            crate::policy::Wait::Closed
        } else {
            match self.limit.take(now, key, 1, waker) {
                Ok(_) => return Some(message),
                Err(wait) => wait,
            }
        };
        // No more are leased than there is room for; were there none, the message would be
        // released by its destructor.
        self.parked.push(now, key, message, wait).err();
        None
    }

    /// Emits messages that may go now, at most `max`.
    pub(super) fn pop(
        &mut self,
        now: Instant,
        max: usize,
        waker: &Waker,
        out: &mut Vec<Message<T>>,
    ) {
        let Self { limit, parked } = self;
        parked.pop_due(now, max, |key, want| limit.take(now, key, want, waker), out);
    }

    /// The limits have changed: asks all of them again.
    pub(super) fn recheck(&mut self, now: Instant) {
        self.parked.recheck(now);
    }

    pub(super) fn next_due(&self, now: Instant) -> Option<Duration> {
        self.parked.next_due(now)
    }

    /// Releases all messages that wait.
    pub(super) fn release_all(&mut self) {
        self.parked = ParkedByKey::new(PARKED);
    }
}
