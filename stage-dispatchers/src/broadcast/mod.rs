//! [`Broadcast`]: sends every event to all subscribers.

mod marks;
mod selector;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;

use stage_core::{
    Batch, Bottleneck, Deliveries, DispatchError, Dispatcher, SharedBatch, SubscribeError,
    SubscriptionId, Supply,
};

use self::marks::Marks;
pub use self::selector::Selector;
use crate::supply::{saturate, shortfall};

/// Sends each event to all subscribers, at the pace of the slowest.
///
/// No subscriber gets more than it asked for, so an event leaves only when all
/// subscribers have demand for it. A subscriber may give a [`Selector`]; an
/// event that the selector refuses costs it no demand.
///
/// Events are shared, not copied: subscribers that get the same events read the
/// same memory. Only a selector that accepts part of a batch copies the events
/// it accepts. For a single subscriber events are not even shared.
///
/// A subscriber gets the events that leave after it has subscribed. If all of
/// them must get the first event, wire the pipeline with a closed
/// [`Gate`](stage_core::Gate).
///
/// ```
/// use std::num::NonZeroUsize;
/// use stage_core::{Batch, Deliveries, Dispatcher, SubscriptionId};
/// use stage_dispatchers::{Broadcast, Selector};
///
/// let (all, even) = (SubscriptionId::new(1), SubscriptionId::new(2));
/// let three = NonZeroUsize::new(3).unwrap();
/// let mut out = Deliveries::new();
/// let mut topics = Broadcast::new();
/// topics.subscribe(all, Selector::all()).unwrap();
/// topics.subscribe(even, Selector::new(|n: &u64| n % 2 == 0)).unwrap();
/// assert_eq!(topics.ask(all, three, &mut out), 0); // the other has not asked
/// assert_eq!(topics.ask(even, three, &mut out), 3);
///
/// topics.dispatch(Batch::from(vec![1, 2, 3]), &mut out);
/// let sent: Vec<_> = out.take_sends().map(|(to, batch)| (to, batch.into_vec())).collect();
/// assert_eq!(sent, [(all, vec![1, 2, 3]), (even, vec![2])]);
/// ```
///
/// Source: `GenStage.BroadcastDispatcher`. There, a second subscription of the
/// same consumer is logged and ignored; here a consumer may have several, each
/// with its own selector.
pub struct Broadcast<E> {
    members: BTreeMap<SubscriptionId, Member<E>>,
    marks: Marks,
    /// Events that upstream was asked for and that have not been dispatched.
    requested: u128,
}

struct Member<E> {
    /// Its place in `Marks`.
    place: usize,
    selector: Selector<E>,
}

impl<E> Broadcast<E> {
    /// Returns a dispatcher without subscribers.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            members: BTreeMap::new(),
            marks: Marks::new(),
            requested: 0,
        }
    }

    /// Returns the part of the common demand that upstream has not been asked
    /// for, and records it as requested.
    fn request(&mut self) -> usize {
        let missing = self.marks.open().saturating_sub(self.requested);
        self.requested += missing;
        saturate(missing)
    }
}

impl<E: Clone + Send + Sync + 'static> Broadcast<E> {
    fn only_member_for_all(&self) -> Option<SubscriptionId> {
        let (&id, member) = self.members.first_key_value()?;
        (self.members.len() == 1 && member.selector.is_all()).then_some(id)
    }

    fn share(&mut self, events: Batch<E>, out: &mut Deliveries<E>) {
        let events = SharedBatch::from(events);
        for (&id, member) in &self.members {
            if member.selector.is_all() {
                out.deliver(id, Batch::from(events.clone()));
                continue;
            }
            let (kept, failed) = member.selector.select_all(&events);
            for (event, message) in failed {
                let function = "a selector";
                out.reject(event, DispatchError::Panicked { function, message });
            }
            let refused = events.len() - kept.len();
            if refused > 0 {
                self.marks.raise(member.place, refused);
            }
            out.deliver(id, kept);
        }
    }
}

impl<E: Clone + Send + Sync + 'static> Dispatcher for Broadcast<E> {
    type Event = E;
    type Route = Selector<E>;

    fn subscribe(
        &mut self,
        id: SubscriptionId,
        selector: Selector<E>,
    ) -> Result<usize, SubscribeError> {
        if self.members.contains_key(&id) {
            return Err(SubscribeError::AlreadySubscribed { id });
        }
        let place = self.marks.insert(id);
        self.members.insert(id, Member { place, selector });
        Ok(0)
    }

    fn cancel(&mut self, id: SubscriptionId, _out: &mut Deliveries<E>) -> usize {
        let Some(member) = self.members.remove(&id) else {
            return 0;
        };
        self.marks.remove(member.place);
        // The subscriber may have been the slowest, which held back the others.
        self.request()
    }

    fn ask(&mut self, id: SubscriptionId, demand: NonZeroUsize, _out: &mut Deliveries<E>) -> usize {
        let Some(member) = self.members.get(&id) else {
            return 0;
        };
        self.marks.raise(member.place, demand.get());
        self.request()
    }

    fn dispatch(&mut self, mut events: Batch<E>, out: &mut Deliveries<E>) -> Batch<E> {
        let open = saturate(self.marks.open());
        if open == 0 || events.is_empty() {
            return events;
        }
        let now = events.split_to(open);
        self.marks.advance(now.len());
        self.requested = self.requested.saturating_sub(now.len() as u128);
        match self.only_member_for_all() {
            Some(id) => out.deliver(id, now),
            None => self.share(now, out),
        }
        out.request(self.request());
        events
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

    /// Replaces the selector.
    fn reroute(
        &mut self,
        id: SubscriptionId,
        selector: Selector<E>,
        _out: &mut Deliveries<E>,
    ) -> Result<usize, SubscribeError> {
        let Some(member) = self.members.get_mut(&id) else {
            return Err(SubscribeError::NotSubscribed { id });
        };
        member.selector = selector;
        Ok(0)
    }

    fn bottleneck(&self) -> Option<Bottleneck> {
        Some(Bottleneck::new(Some(self.marks.slowest()?), 0))
    }

    fn at_rest(&mut self, supply: Supply) -> usize {
        let open = self.marks.open();
        let buffered = open.min(supply.buffered as u128);
        let demand = buffered + shortfall(open - buffered, supply.owed) as u128;
        self.requested = supply.owed as u128 + demand;
        saturate(demand)
    }
}

impl<E> Default for Broadcast<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> fmt::Debug for Broadcast<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast")
            .field("marks", &self.marks)
            .field("requested", &self.requested)
            .finish_non_exhaustive()
    }
}
