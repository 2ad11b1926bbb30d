//! What a dispatcher wants done.

use std::mem::{ManuallyDrop, take};

use super::DispatchError;
use crate::{Batch, SubscriptionId};

/// What a dispatcher wants done; filled by it, carried out by the producer.
#[derive(Debug)]
pub struct Deliveries<E> {
    pub(crate) sends: Vec<(SubscriptionId, Batch<E>)>,
    pub(crate) handed_back: Vec<Batch<E>>,
    pub(crate) rejected: Vec<Rejected<E>>,
    pub(crate) discarded: usize,
    pub(crate) requested: usize,
    /// The most events that a share has in one batch; 0 for all of it.
    batch_limit: usize,
    /// Emptied buffers.
    spares: Vec<Vec<E>>,
}

/// Emptied buffers that are kept.
const SPARES: usize = 32;

/// An event that a dispatcher could send nowhere, and why.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rejected<E> {
    /// The event.
    pub event: E,
    /// Why it went nowhere.
    pub error: DispatchError,
}

fn keep<E>(spares: &mut Vec<Vec<E>>, mut buffer: Vec<E>) {
    buffer.clear();
    if buffer.capacity() > 0 && spares.len() < SPARES {
        spares.push(buffer);
    }
}

impl<E> Deliveries<E> {
    /// Nothing to do yet; allocates nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            sends: Vec::new(),
            handed_back: Vec::new(),
            rejected: Vec::new(),
            discarded: 0,
            requested: 0,
            batch_limit: 0,
            spares: Vec::new(),
        }
    }

    /// An empty buffer for `count` events: of the emptied ones the last, if it has
    /// room for them and for at most as many again; or else the smallest with room,
    /// or the largest; a new one if there is none.
    ///
    /// A dispatcher that fills it and delivers it allocates nothing in the long
    /// run.
    #[must_use]
    #[inline]
    pub fn spare(&mut self, count: usize) -> Vec<E> {
        // Most producers emit as many every time.
        match self.spares.last() {
            Some(last) if (count..=count.saturating_mul(2)).contains(&last.capacity()) => {
                self.spares.pop().unwrap_or_default()
            }
            None => Vec::new(),
            Some(_) => self.best_spare(count),
        }
    }

    #[inline(never)]
    fn best_spare(&mut self, count: usize) -> Vec<E> {
        let room = |at: &usize| self.spares[*at].capacity();
        // From the back: of buffers that are as good, the one that was emptied
        // last is most likely still in a cache.
        let places = || (0..self.spares.len()).rev();
        let fits = places().filter(|at| room(at) >= count).min_by_key(room);
        match fits.or_else(|| places().max_by_key(room)) {
            Some(at) => self.spares.swap_remove(at),
            None => Vec::new(),
        }
    }

    /// Keeps an emptied buffer, to be filled again; drops what is left in it.
    pub fn recycle(&mut self, buffer: Vec<E>) {
        keep(&mut self.spares, buffer);
    }

    /// Sends `events` to a subscriber; an empty batch is not sent.
    #[inline(always)]
    pub fn deliver(&mut self, to: SubscriptionId, events: Batch<E>) {
        // A batch that was made just now can go from registers to its place, unless
        // there is somebody who needs it in memory: its destructor, should this
        // panic, or a function that it is passed to. So there is none, and what is
        // passed is taken out.
        let mut events = ManuallyDrop::new(events);
        if events.is_empty() || self.sends.len() == self.sends.capacity() {
            self.deliver_cold(to, take(&mut events));
        } else {
            self.sends.push((to, ManuallyDrop::into_inner(events)));
        }
    }

    #[cold]
    #[inline(never)]
    fn deliver_cold(&mut self, to: SubscriptionId, events: Batch<E>) {
        if !events.is_empty() {
            // One is the rule; a vector would start with room for four.
            if self.sends.capacity() == 0 {
                self.sends.reserve_exact(1);
            }
            self.sends.push((to, events));
        }
    }

    /// A subscriber's handler takes at most `events` at once, at least 1. Shares are
    /// delivered in batches of the most that was ever said here, so that nobody has to
    /// cut them again; as one batch each, if nothing was.
    pub fn raise_batch_limit(&mut self, events: usize) {
        self.batch_limit = self.batch_limit.max(events).max(1);
    }

    /// Sends each subscriber as many `events` as it is to have, in this order;
    /// returns what is left. Each event is moved once at the most.
    ///
    /// ```
    /// use stage_core::{Batch, Deliveries, SubscriptionId};
    ///
    /// let (a, b) = (SubscriptionId::new(1), SubscriptionId::new(2));
    /// let mut out = Deliveries::new();
    /// let left = out.deliver_shares(Batch::from(vec![1, 2, 3, 4]), &[(a, 1), (b, 2)]);
    /// let sent: Vec<_> = out.take_sends().map(|(to, batch)| (to, batch.into_vec())).collect();
    /// assert_eq!(sent, [(a, vec![1]), (b, vec![2, 3])]);
    /// assert_eq!(left[..], [4]);
    /// ```
    #[must_use = "what is left was sent to nobody"]
    pub fn deliver_shares(
        &mut self,
        mut events: Batch<E>,
        shares: &[(SubscriptionId, usize)],
    ) -> Batch<E> {
        // Sums of counts may be beyond `usize`.
        let mut end: u128 = shares.iter().map(|&(_, count)| count as u128).sum();
        let mut front = events.split_to(usize::try_from(end).unwrap_or(usize::MAX));
        let sent = self.sends.len();
        // From the back, which is why each event is moved only once.
        for &(to, count) in shares.iter().rev() {
            end -= count as u128;
            let start = usize::try_from(end).unwrap_or(usize::MAX);
            let piece = match self.batch_limit {
                0 => count.max(1),
                piece => piece.min(count).max(1),
            };
            while front.len() > start {
                let at = start + (front.len() - start - 1) / piece * piece;
                let part = if at == 0 {
                    take(&mut front)
                } else {
                    front.split_off_with(at, || self.spare(piece))
                };
                self.deliver(to, part);
            }
        }
        self.sends[sent..].reverse();
        events
    }

    /// Gives `events` back to the producer, which puts them in front of its
    /// buffer, ahead of everything newer.
    pub fn hand_back(&mut self, events: Batch<E>) {
        if !events.is_empty() {
            self.handed_back.push(events);
        }
    }

    /// Counts events that the user's policy dropped.
    pub const fn discard(&mut self, count: usize) {
        self.discarded = self.discarded.saturating_add(count);
    }

    /// Reports an event that could be sent nowhere.
    pub fn reject(&mut self, event: E, error: DispatchError) {
        self.rejected.push(Rejected { event, error });
    }

    /// Asks upstream for `demand` more events, beyond what the call returns:
    /// the credit of events that used up demand and reached nobody.
    pub const fn request(&mut self, demand: usize) {
        self.requested = self.requested.saturating_add(demand);
    }

    /// Whether there is something to send.
    #[must_use]
    #[inline]
    pub const fn has_sends(&self) -> bool {
        !self.sends.is_empty()
    }

    /// Whether an event was rejected, or discarded by the user's policy.
    #[must_use]
    #[inline]
    pub const fn has_losses(&self) -> bool {
        self.discarded > 0 || !self.rejected.is_empty()
    }

    /// Takes the deliveries, in the order in which they were written.
    #[inline]
    pub fn take_sends(&mut self) -> std::vec::Drain<'_, (SubscriptionId, Batch<E>)> {
        self.sends.drain(..)
    }

    /// Has `send` carry the deliveries out, in the order in which they were
    /// written. It takes each batch out of its place; what it leaves there is
    /// dropped. The buffers that it empties and returns are
    /// [recycled](Deliveries::recycle).
    ///
    /// ```
    /// use stage_core::{Batch, Deliveries, SubscriptionId};
    ///
    /// let only = SubscriptionId::new(1);
    /// let mut out = Deliveries::new();
    /// out.deliver(only, Batch::from(vec![1, 2]));
    /// out.send_all(|to, events| {
    ///     assert_eq!((to, &events[..]), (only, &[1, 2][..]));
    ///     std::mem::take(events).recycle()
    /// });
    /// assert!(!out.has_sends());
    /// ```
    // A batch that was written just now is better left where it is until it can
    // go to its place: to read a part of it that was written in two goes has the
    // processor wait for both.
    #[inline(always)]
    pub fn send_all(
        &mut self,
        mut send: impl FnMut(SubscriptionId, &mut Batch<E>) -> Option<Vec<E>>,
    ) {
        for (to, events) in &mut self.sends {
            if let Some(emptied) = send(*to, events) {
                keep(&mut self.spares, emptied);
            }
        }
        self.sends.clear();
    }

    /// Takes the batches that were handed back, oldest first.
    pub fn take_handed_back(&mut self) -> std::vec::Drain<'_, Batch<E>> {
        self.handed_back.drain(..)
    }

    /// Takes the events that could be sent nowhere.
    #[inline]
    pub fn take_rejected(&mut self) -> std::vec::Drain<'_, Rejected<E>> {
        self.rejected.drain(..)
    }

    /// Takes the count of events that the user's policy dropped.
    #[inline]
    pub const fn take_discarded(&mut self) -> usize {
        std::mem::replace(&mut self.discarded, 0)
    }

    /// Takes the extra demand for upstream, in events.
    #[inline]
    pub const fn take_requested(&mut self) -> usize {
        std::mem::replace(&mut self.requested, 0)
    }
}

impl<E> Default for Deliveries<E> {
    fn default() -> Self {
        Self::new()
    }
}
