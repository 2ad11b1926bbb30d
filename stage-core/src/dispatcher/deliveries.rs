//! [`Deliveries`]: the actions that a dispatcher requests from its producer.

use std::mem::{ManuallyDrop, take};

use super::DispatchError;
use crate::{Batch, Reason, SubscriptionId};

/// The actions that a dispatcher requests from its producer.
///
/// A dispatcher writes events to deliver, hand back, discard or reject; the
/// producer carries the actions out. Emptied buffers are kept here for reuse,
/// so that dispatching allocates nothing in the steady state.
#[derive(Debug)]
pub struct Deliveries<E> {
    pub(crate) sends: Vec<(SubscriptionId, Batch<E>)>,
    pub(crate) handed_back: Vec<Batch<E>>,
    /// Allocated for the first of them: most dispatchers request none.
    rare: Option<Box<Rare<E>>>,
    pub(crate) discarded: usize,
    pub(crate) requested: usize,
    /// The maximum number of events in a batch of an allotment; 0 for no limit.
    batch_limit: usize,
    /// Emptied buffers, at most [`SPARES`].
    spares: Vec<Vec<E>>,
}

/// The actions that most dispatchers never request.
#[derive(Debug)]
struct Rare<E> {
    rejected: Vec<Rejected<E>>,
    evicted: Vec<(SubscriptionId, Reason)>,
    shed: Vec<(SubscriptionId, usize)>,
}

// Not derived: a derive would ask the same of `E`.
impl<E> Default for Rare<E> {
    fn default() -> Self {
        Self {
            rejected: Vec::new(),
            evicted: Vec::new(),
            shed: Vec::new(),
        }
    }
}

impl<E> Rare<E> {
    fn is_empty(&self) -> bool {
        self.rejected.is_empty() && self.evicted.is_empty() && self.shed.is_empty()
    }
}

/// The maximum number of emptied buffers kept for reuse.
const SPARES: usize = 32;

/// An event that a dispatcher could not deliver, with the error.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rejected<E> {
    /// The event.
    pub event: E,
    /// The reason why the event was not delivered.
    pub error: DispatchError,
}

fn keep<E>(spares: &mut Vec<Vec<E>>, mut buffer: Vec<E>) {
    buffer.clear();
    if buffer.capacity() > 0 && spares.len() < SPARES {
        spares.push(buffer);
    }
}

impl<E> Deliveries<E> {
    /// Returns an empty set of deliveries; does not allocate.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            sends: Vec::new(),
            handed_back: Vec::new(),
            rare: None,
            discarded: 0,
            requested: 0,
            batch_limit: 0,
            spares: Vec::new(),
        }
    }

    /// Returns an empty buffer for `count` events, reused if possible.
    ///
    /// The buffer recycled last is preferred if its capacity is between `count`
    /// and twice `count`; then the smallest buffer with a capacity of at least
    /// `count`; then the largest. Without any, the returned vector has no
    /// allocation.
    ///
    /// A dispatcher that fills and delivers this buffer does not allocate in
    /// the steady state.
    #[must_use]
    #[inline]
    pub fn spare(&mut self, count: usize) -> Vec<E> {
        // Producers usually emit the same number of events each time.
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
        // From the back: among equally good buffers, the one that was emptied
        // last is the most likely to be in a cache.
        let places = || (0..self.spares.len()).rev();
        let fits = places().filter(|at| room(at) >= count).min_by_key(room);
        match fits.or_else(|| places().max_by_key(room)) {
            Some(at) => self.spares.swap_remove(at),
            None => Vec::new(),
        }
    }

    /// Keeps `buffer` for reuse; drops any events left in it.
    pub fn recycle(&mut self, buffer: Vec<E>) {
        keep(&mut self.spares, buffer);
    }

    /// Sends `events` to a subscriber. An empty batch is ignored.
    #[inline(always)]
    pub fn deliver(&mut self, to: SubscriptionId, events: Batch<E>) {
        // `ManuallyDrop` lets a batch that was just built be stored straight
        // from registers. It would be written to the stack first if a
        // destructor had to run on a panic, or if it were passed to a function
        // by reference; so there is no destructor, and `take` moves the batch
        // out for the cold path.
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
            // One delivery is the usual case; `push` would reserve room for
            // four.
            if self.sends.capacity() == 0 {
                self.sends.reserve_exact(1);
            }
            self.sends.push((to, events));
        }
    }

    /// Raises the batch limit to `events`, at least 1; a lower limit is
    /// ignored.
    ///
    /// [`deliver_shares`](Self::deliver_shares) splits each allotment into
    /// batches of at most this many events. A dispatcher calls this with the
    /// number of events that a subscriber's handler takes at once, so that the
    /// runtime need not split the batches again. Without a limit, each
    /// allotment is delivered as one batch.
    pub fn raise_batch_limit(&mut self, events: usize) {
        self.batch_limit = self.batch_limit.max(events).max(1);
    }

    /// Sends each subscriber its allotment, a number of `events`, in the given
    /// order; returns the events left. Moves each event at most once.
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
        // The sum of the allotments may exceed `usize::MAX`.
        let mut end: u128 = shares.iter().map(|&(_, count)| count as u128).sum();
        let mut front = events.split_to(usize::try_from(end).unwrap_or(usize::MAX));
        let sent = self.sends.len();
        // From the back, so that each event is moved only once.
        for &(to, count) in shares.iter().rev() {
            end -= count as u128;
            let start = usize::try_from(end).unwrap_or(usize::MAX);
            let limit = match self.batch_limit {
                0 => count.max(1),
                limit => limit.min(count).max(1),
            };
            while front.len() > start {
                let at = start + (front.len() - start - 1) / limit * limit;
                let part = if at == 0 {
                    take(&mut front)
                } else {
                    front.split_off_with(at, || self.spare(limit))
                };
                self.deliver(to, part);
            }
        }
        self.sends[sent..].reverse();
        events
    }

    /// Returns `events` to the producer, which puts them at the front of its
    /// buffer, ahead of everything newer.
    pub fn hand_back(&mut self, events: Batch<E>) {
        if !events.is_empty() {
            self.handed_back.push(events);
        }
    }

    /// Counts `count` events that the user's policy dropped.
    pub const fn discard(&mut self, count: usize) {
        self.discarded = self.discarded.saturating_add(count);
    }

    /// Counts `count` events that were dropped for one subscriber, because its
    /// queue in the dispatcher is full. They count as
    /// [discarded](Self::discard), and under the name of the subscriber: a
    /// snapshot shows who sheds.
    pub fn shed(&mut self, by: SubscriptionId, count: usize) {
        if count > 0 {
            self.discard(count);
            self.rare.get_or_insert_default().shed.push((by, count));
        }
    }

    /// Ends the subscription of a subscriber, which may go on as its
    /// [`CancelMode`](crate::CancelMode) says.
    ///
    /// The subscription ends as [`Cancelled`](crate::Outcome::Cancelled) with
    /// `reason`, after the events that the subscriber was delivered. When the
    /// call of the dispatcher has returned, the producer calls
    /// [`cancel`](super::Dispatcher::cancel), and later
    /// [`take_back`](super::Dispatcher::take_back), as for a subscriber that
    /// cancels. An `id` that is unknown or cancelled already is ignored.
    ///
    /// ```
    /// use stage_core::{Deliveries, SubscriptionId};
    ///
    /// let slow = SubscriptionId::new(1);
    /// let mut out = Deliveries::<u64>::new();
    /// out.evict(slow, "it is too slow");
    /// let evicted: Vec<_> = out.take_evicted().collect();
    /// assert_eq!(evicted, [(slow, "it is too slow".into())]);
    /// ```
    pub fn evict(&mut self, id: SubscriptionId, reason: impl Into<Reason>) {
        let rare = self.rare.get_or_insert_default();
        rare.evicted.push((id, reason.into()));
    }

    /// Reports an event that could not be delivered.
    pub fn reject(&mut self, event: E, error: DispatchError) {
        let rare = self.rare.get_or_insert_default();
        rare.rejected.push(Rejected { event, error });
    }

    /// Asks upstream for `demand` more events, in addition to the return value
    /// of the call: the credit of events that used up demand and reached no
    /// subscriber.
    pub const fn request(&mut self, demand: usize) {
        self.requested = self.requested.saturating_add(demand);
    }

    /// Returns `true` if there are events to send.
    #[must_use]
    #[inline]
    pub const fn has_sends(&self) -> bool {
        !self.sends.is_empty()
    }

    /// Returns `true` if an event was rejected, or discarded by the user's
    /// policy, or if a subscriber is to be evicted.
    #[must_use]
    #[inline]
    pub fn has_losses(&self) -> bool {
        self.discarded > 0 || self.rare.as_ref().is_some_and(|rare| !rare.is_empty())
    }

    /// Takes the deliveries, in the order in which they were written.
    #[inline]
    pub fn take_sends(&mut self) -> std::vec::Drain<'_, (SubscriptionId, Batch<E>)> {
        self.sends.drain(..)
    }

    /// Calls `send` for each delivery, in the order in which they were written.
    ///
    /// `send` moves the batch out of the reference, with [`std::mem::take`] for
    /// example; events left in it are dropped. A buffer that `send` returns is
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
    // By reference: moving a batch that was just written would load it in wider
    // units than it was stored in, which defeats store-to-load forwarding.
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

    /// Takes the events that could not be delivered.
    pub fn take_rejected(&mut self) -> impl Iterator<Item = Rejected<E>> {
        let rare = self.rare.iter_mut();
        rare.flat_map(|rare| rare.rejected.drain(..))
    }

    /// Takes the subscribers to evict, with the reasons.
    pub fn take_evicted(&mut self) -> impl Iterator<Item = (SubscriptionId, Reason)> {
        let rare = self.rare.iter_mut();
        rare.flat_map(|rare| rare.evicted.drain(..))
    }

    /// Takes the numbers of events that were dropped for subscribers. They are
    /// part of [`take_discarded`](Self::take_discarded) as well.
    pub fn take_shed(&mut self) -> impl Iterator<Item = (SubscriptionId, usize)> {
        let rare = self.rare.iter_mut();
        rare.flat_map(|rare| rare.shed.drain(..))
    }

    /// Takes the number of events that the user's policy dropped.
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
