//! Consumers that leave, or are evicted, and routes that change: until the consumer has
//! settled what it was delivered, what belonged to it alone is given to no other.

use stage_core::{Batch, Dispatcher, Outcome, Reason, SubscribeError, SubscriptionId};

use super::returned::HandedBack;
use super::{Notes, ProducerHalf, Subscriber};
use crate::link::Ended;

/// Subscriptions whose route has changed, each with the number of events that had been
/// delivered then.
pub(super) type Rerouted = Vec<(SubscriptionId, u64)>;

impl<D: Dispatcher> ProducerHalf<D> {
    /// Removes a consumer that has cancelled from the dispatcher. Its link stays
    /// until it has settled what it was sent.
    pub(super) fn cancel(&mut self, id: SubscriptionId) {
        if let Some(subscriber) = self.links.get_mut(id)
            && !std::mem::replace(&mut subscriber.leaving, true)
        {
            self.side.cancel(id, &mut self.outbox);
            self.apply_outbox();
        }
    }

    /// Ends the subscription of a consumer that has cancelled and settled what it
    /// was sent. What it hands back goes in front of the buffer.
    pub(super) fn remove(&mut self, id: SubscriptionId, outcome: Outcome) {
        if let Some(Subscriber { peer, end, .. }) = self.links.remove(id) {
            let unhandled = end.take_unhandled();
            let count = unhandled.iter().map(Batch::len).sum();
            self.shared.counters.handed_back.add(count);
            end.end(Ended::Outcome(outcome.clone()));
            let returned = self.side.take_returned(id, unhandled, &mut self.outbox);
            let pending_callbacks = self.pending_callbacks.get_or_insert_default();
            pending_callbacks.cancelled.push_back((peer, outcome));
            pending_callbacks.returned = returned.map(|returned| HandedBack::new(id, returned));
            self.apply_outbox();
        }
    }

    /// Ends the subscription of a consumer, after the events that it was sent. The
    /// dispatcher sends it nothing more; its link stays until it has left. A consumer
    /// that is unknown, or leaves already, is ignored.
    pub(crate) fn evict(&mut self, id: SubscriptionId, reason: Reason) {
        let Some(subscriber) = self.links.get(id).filter(|subscriber| !subscriber.leaving) else {
            return;
        };
        tracing::debug!(consumer = %subscriber.peer.stage, %id, %reason, "evicted");
        subscriber.end.evict(Outcome::Cancelled(reason));
        self.cancel(id);
    }

    /// Changes the route of a consumer. Its demand stays, and so do the events that it
    /// was sent.
    pub(crate) fn reroute(
        &mut self,
        id: SubscriptionId,
        route: D::Route,
    ) -> Result<(), SubscribeError> {
        let subscriber = self.links.get(id).filter(|subscriber| !subscriber.leaving);
        let Some(subscriber) = subscriber else {
            return Err(SubscribeError::NotSubscribed { id });
        };
        // Before the dispatcher delivers by the new route.
        let delivered = subscriber.end.delivered();
        self.side.reroute(id, route, &mut self.outbox)?;
        let rerouted = &mut self.notes.get_or_insert_default().rerouted;
        rerouted.retain(|(other, _)| *other != id);
        rerouted.push((id, delivered));
        self.apply_outbox();
        self.settle_reroute(id);
        Ok(())
    }

    /// Tells the dispatcher that a consumer has settled what it was delivered by its old
    /// route, once it has.
    #[cold]
    pub(super) fn settle_reroute(&mut self, id: SubscriptionId) {
        let Some(notes) = &mut self.notes else {
            return;
        };
        let rerouted = &mut notes.rerouted;
        let Some(at) = rerouted.iter().position(|(other, _)| *other == id) else {
            return;
        };
        let drains = self.in_flight.is_some();
        // Of a consumer that leaves, the dispatcher takes back everything at once.
        let stays = self.links.get(id).filter(|subscriber| !subscriber.leaving);
        let settled = stays.map(|stays| stays.end.has_settled(rerouted[at].1, drains));
        if settled == Some(false) {
            return;
        }
        rerouted.swap_remove(at);
        Notes::tidy(&mut self.notes);
        if settled.is_some() {
            self.side.take_back(id, Vec::new(), &mut self.outbox);
            self.apply_outbox();
        }
    }
}
