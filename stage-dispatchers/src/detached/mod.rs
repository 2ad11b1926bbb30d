//! [`Detached`]: sends every event to all subscribers, each at its own pace.

mod member;
mod route;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;

use stage_core::{
    Batch, Bottleneck, Deliveries, DispatchError, Dispatcher, SharedBatch, SubscribeError,
    SubscriptionId, Supply,
};

use self::member::Member;
pub use self::route::SubscriberQueue;
use crate::least::Least;
use crate::supply::{saturate, shortfall};

/// Sends each event to all subscribers, each at its own pace.
///
/// Every subscriber has a queue of its own in the dispatcher, with a bound and a
/// policy for when it is full: its [`SubscriberQueue`]. A slow subscriber fills
/// its queue, and then loses events, or its subscription; the others and the
/// producer go on. Only a subscriber with [`WhenFull::Wait`](stage_core::WhenFull)
/// holds all others up.
///
/// The producer runs at its own pace: it is asked for 1000 events at a time, as
/// long as no queue with `Wait` is full. Without subscribers it is asked for
/// nothing, unless the dispatcher is [`hot`](Self::hot).
///
/// Events are shared as by [`Broadcast`](crate::Broadcast): the queues refer to
/// the same memory. A queue keeps the whole batch of an event alive, so the
/// memory of a queue is bounded by its events times the size of a batch, if it
/// keeps one event of each.
///
/// # Accounts
///
/// An event counts once for each subscriber that it is for. So `held`, and the
/// `buffered` and `discarded` of the producer's statistics, count copies. Events
/// that a full queue drops are in the `shed` of the subscriber's link too.
///
/// ```
/// use std::num::NonZeroUsize;
/// use stage_core::{Batch, Bound, Deliveries, Dispatcher, SubscriptionId};
/// use stage_dispatchers::{Detached, SubscriberQueue};
///
/// let (fast, slow) = (SubscriptionId::new(1), SubscriptionId::new(2));
/// let mut out = Deliveries::new();
/// let mut prices = Detached::new();
/// prices.subscribe(fast, SubscriberQueue::new())?;
/// prices.subscribe(slow, SubscriberQueue::new().bound(Bound::Events(1)))?;
/// prices.ask(fast, NonZeroUsize::new(10).unwrap(), &mut out);
/// prices.dispatch(Batch::from(vec![1, 2, 3]), &mut out);
/// prices.ask(slow, NonZeroUsize::new(10).unwrap(), &mut out);
///
/// let sent: Vec<_> = out.take_sends().map(|(to, batch)| (to, batch.into_vec())).collect();
/// assert_eq!(sent, [(fast, vec![1, 2, 3]), (slow, vec![3])]);
/// assert_eq!(out.take_discarded(), 2);
/// # Ok::<(), stage_core::SubscribeError>(())
/// ```
///
/// Source: the operator `onBackpressureBuffer` of Reactor behind a multicast
/// source gives each subscriber such a queue. Nothing in GenStage corresponds.
pub struct Detached<E> {
    members: BTreeMap<SubscriptionId, Member<E>>,
    /// The room of each subscriber for which the others wait; greater than any
    /// number for the others, and for a place without a subscriber.
    rooms: Least,
    /// The subscriber of each place.
    ids: Vec<SubscriptionId>,
    vacant: Vec<usize>,
    /// Events in queues, each counted once for each queue.
    held: usize,
    /// The subscribers for which the others wait and whose bound is in bytes.
    in_bytes: usize,
    hot: bool,
}

/// The events that upstream is asked for at a time: the default `max_demand`.
const ROUND: u128 = 1_000;

/// The room of a subscriber for which nobody waits.
const ENDLESS: u128 = u128::MAX;

impl<E> Detached<E> {
    /// Returns a dispatcher without subscribers.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            members: BTreeMap::new(),
            rooms: Least::new(),
            ids: Vec::new(),
            vacant: Vec::new(),
            held: 0,
            in_bytes: 0,
            hot: false,
        }
    }

    /// Makes the producer run without subscribers too, from its start. Events that
    /// nobody is subscribed to are discarded, and counted.
    #[must_use]
    pub const fn hot(mut self) -> Self {
        self.hot = true;
        self
    }

    /// Returns the number of events queued for a subscriber; `None` if it is
    /// unknown.
    #[must_use]
    pub fn queued(&self, id: SubscriptionId) -> Option<usize> {
        self.members.get(&id).map(|member| member.queued)
    }

    /// Returns the number of events that nobody has to wait with.
    fn room(&self) -> u128 {
        if self.members.is_empty() && !self.hot {
            0
        } else {
            self.rooms.least()
        }
    }

    fn take_place(&mut self, id: SubscriptionId) -> usize {
        if let Some(place) = self.vacant.pop() {
            self.ids[place] = id;
            return place;
        }
        self.ids.push(id);
        self.rooms.push(ENDLESS)
    }

    /// Calls `change` with a subscriber, and updates what depends on it. Returns
    /// `false` if it is unknown.
    fn update(&mut self, id: SubscriptionId, change: impl FnOnce(&mut Member<E>)) -> bool {
        let Some(member) = self.members.get_mut(&id) else {
            return false;
        };
        self.held -= member.queued;
        change(member);
        self.held += member.queued;
        self.rooms.set(member.place, member.room());
        true
    }
}

impl<E: Clone + Send + Sync + 'static> Detached<E> {
    /// Returns how many of `events`, from the first, nobody has to wait with. If it
    /// is 0, the subscriber for which the others wait has no room from now on.
    fn accepted(&mut self, events: &[E]) -> usize {
        let mut accepted = saturate(self.room()).min(events.len());
        if self.in_bytes == 0 {
            return accepted;
        }
        let waits = self
            .members
            .values()
            .filter(|member| member.route.waits_in_bytes());
        for member in waits {
            let fits = member.accepts(&events[..accepted]);
            if fits == 0 && accepted > 0 && member.is_blocked_by(&events[0]) {
                self.rooms.set(member.place, 0);
                return 0;
            }
            accepted = accepted.min(fits.max(1));
        }
        accepted
    }

    fn offer(&mut self, events: Batch<E>, out: &mut Deliveries<E>) {
        if self.members.len() == 1
            && let Some((&id, member)) = self.members.first_key_value()
            && member.route.selector.is_all()
        {
            self.update(id, |member| member.offer(id, events, out));
            return;
        }
        let events = SharedBatch::from(events);
        for (&id, member) in &mut self.members {
            let (kept, failed) = member.route.selector.select_all(&events);
            for (event, message) in failed {
                let function = "a selector";
                out.reject(event, DispatchError::Panicked { function, message });
            }
            if !kept.is_empty() {
                self.held -= member.queued;
                member.offer(id, kept, out);
                self.held += member.queued;
                self.rooms.set(member.place, member.room());
            }
        }
    }
}

impl<E: Clone + Send + Sync + 'static> Dispatcher for Detached<E> {
    type Event = E;
    type Route = SubscriberQueue<E>;

    fn subscribe(
        &mut self,
        id: SubscriptionId,
        route: SubscriberQueue<E>,
    ) -> Result<usize, SubscribeError> {
        if self.members.contains_key(&id) {
            return Err(SubscribeError::AlreadySubscribed { id });
        }
        self.in_bytes += usize::from(route.waits_in_bytes());
        let member = Member::new(self.take_place(id), route);
        self.rooms.set(member.place, member.room());
        self.members.insert(id, member);
        Ok(0)
    }

    /// Discards what is queued for the subscriber, because the others have it.
    fn cancel(&mut self, id: SubscriptionId, out: &mut Deliveries<E>) -> usize {
        if let Some(member) = self.members.remove(&id) {
            self.in_bytes -= usize::from(member.route.waits_in_bytes());
            self.rooms.set(member.place, ENDLESS);
            self.vacant.push(member.place);
            self.held -= member.queued;
            out.discard(member.queued);
        }
        0
    }

    fn ask(&mut self, id: SubscriptionId, demand: NonZeroUsize, out: &mut Deliveries<E>) -> usize {
        self.update(id, |member| member.ask(id, demand.get(), out));
        0
    }

    fn dispatch(&mut self, mut events: Batch<E>, out: &mut Deliveries<E>) -> Batch<E> {
        if self.members.is_empty() {
            if self.hot {
                out.discard(events.len());
                events = Batch::new();
            }
            return events;
        }
        while !events.is_empty() {
            let accepted = self.accepted(&events);
            if accepted == 0 {
                break;
            }
            self.offer(events.split_to(accepted), out);
        }
        events
    }

    fn at_rest(&mut self, supply: Supply) -> usize {
        let open = self.room().min(ROUND.max(supply.buffered as u128));
        let buffered = open.min(supply.buffered as u128);
        saturate(buffered).saturating_add(shortfall(open - buffered, supply.owed))
    }

    /// Discards the events, because the other subscribers have received them.
    fn take_back(
        &mut self,
        _id: SubscriptionId,
        unhandled: Vec<Batch<E>>,
        out: &mut Deliveries<E>,
    ) -> usize {
        out.discard(unhandled.iter().map(Batch::len).sum());
        0
    }

    fn reroute(
        &mut self,
        id: SubscriptionId,
        route: SubscriberQueue<E>,
        out: &mut Deliveries<E>,
    ) -> Result<usize, SubscribeError> {
        let Some(member) = self.members.get(&id) else {
            return Err(SubscribeError::NotSubscribed { id });
        };
        self.in_bytes -= usize::from(member.route.waits_in_bytes());
        self.in_bytes += usize::from(route.waits_in_bytes());
        self.update(id, |member| member.reroute(id, route, out));
        Ok(0)
    }

    fn bottleneck(&self) -> Option<Bottleneck> {
        if self.rooms.least() > 0 {
            return None;
        }
        let id = self.ids[self.rooms.place()];
        let queued = self.queued(id).unwrap_or_default();
        Some(Bottleneck::new(Some(id), queued).with_part(format!("the queue of {id}")))
    }

    fn held(&self) -> usize {
        self.held
    }

    /// Takes what is queued, one subscriber after the other. An event that several
    /// queues hold comes as often, as it counts in `held`.
    fn take_held(&mut self) -> Vec<Batch<E>> {
        self.held = 0;
        let members = self.members.values_mut();
        members.flat_map(Member::take_queue).collect()
    }
}

impl<E> Default for Detached<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> fmt::Debug for Detached<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detached")
            .field("subscribers", &self.members.len())
            .field("held", &self.held)
            .field("hot", &self.hot)
            .finish_non_exhaustive()
    }
}
