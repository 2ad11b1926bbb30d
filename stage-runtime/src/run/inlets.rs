//! A stage's half as a consumer: the links to its producers, and what has
//! arrived over them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;
use stage_core::{Batch, DemandMode, DemandWindow, Info, Outcome, Peer, Reason, SubscriptionId};

use crate::identity::Identity;
use crate::link::{Arrived, ConsumerEnd, Ended};
use crate::subscription::Wired;

pub(crate) struct Inlets<E> {
    identity: Arc<Identity>,
    links: HashMap<SubscriptionId, Inlet<E>, RandomState>,
    /// In the order of arrival, over all links.
    queue: VecDeque<Input<E>>,
    /// The batch that the handler has now. It is here and not in the handler's
    /// future, so that it outlives that one however it ends.
    in_hand: Option<(SubscriptionId, Batch<E>)>,
    completed: bool,
}

/// What a consumer deals with, in order.
pub(crate) enum Input<E> {
    Events(SubscriptionId, Batch<E>),
    Ended(SubscriptionId, Ended),
    Info(Info),
}

pub(crate) struct Inlet<E> {
    pub(crate) peer: Peer,
    /// Whoever made the subscription is told how it went, so that a refusal
    /// need not end the stage.
    pub(crate) answered: bool,
    /// Another subscription has taken the place of this one, so that its end
    /// does not end the stage.
    pub(crate) replaced: bool,
    end: ConsumerEnd<E>,
    window: DemandWindow,
    mode: DemandMode,
    open: bool,
}

impl<E> Inlets<E> {
    pub(crate) fn new(identity: Arc<Identity>) -> Self {
        Self {
            identity,
            links: HashMap::default(),
            queue: VecDeque::new(),
            in_hand: None,
            completed: false,
        }
    }

    /// Adds a subscription that asks for nothing before it is
    /// [`open`](Inlets::open)ed; returns its producer.
    pub(crate) fn insert(&mut self, wired: Wired<E>) -> Peer {
        let producer = wired.producer.clone();
        let inlet = Inlet {
            window: DemandWindow::new(wired.producer.demand),
            mode: DemandMode::Manual,
            answered: wired.answered,
            replaced: false,
            end: wired.end,
            open: true,
            peer: wired.producer,
        };
        self.links.insert(producer.subscription, inlet);
        producer
    }

    /// Starts to ask, if the stage does not do so itself.
    pub(crate) fn open(&mut self, id: SubscriptionId, mode: DemandMode) {
        if let Some(inlet) = self.links.get_mut(&id) {
            inlet.mode = mode;
            if mode == DemandMode::Automatic && inlet.open {
                inlet.end.ask(inlet.window.open());
            }
        }
    }

    /// Asks for more by hand.
    pub(crate) fn ask(&mut self, id: SubscriptionId, demand: usize) {
        if let Some(inlet) = self.links.get_mut(&id).filter(|inlet| inlet.open) {
            inlet.window.asked(demand);
            inlet.end.ask(demand);
        }
    }

    /// Cancels a subscription. What has arrived is still handled, then comes
    /// its end.
    pub(crate) fn cancel(&mut self, id: SubscriptionId, reason: Reason, replaced: bool) {
        let Some(inlet) = self.links.get_mut(&id) else {
            return;
        };
        // Its end may be waiting in the queue already.
        inlet.replaced |= replaced;
        if !std::mem::replace(&mut inlet.open, false) {
            return;
        }
        let outcome = Outcome::Cancelled(reason);
        inlet.end.cancel(outcome.clone(), Vec::new());
        let arrived = inlet.end.fetch().batches;
        self.queue
            .extend(arrived.into_iter().map(|batch| Input::Events(id, batch)));
        self.queue
            .push_back(Input::Ended(id, Ended::Outcome(outcome)));
    }

    /// Takes in what producers have sent.
    pub(crate) fn fetch_all(&mut self) {
        while let Some(id) = self.identity.station.next_producer_news() {
            // A link that was cancelled has been fetched for the last time.
            let Some(inlet) = self.links.get_mut(&id).filter(|inlet| inlet.open) else {
                continue;
            };
            let Arrived { batches, ended } = inlet.end.fetch();
            self.queue
                .extend(batches.into_iter().map(|batch| Input::Events(id, batch)));
            if let Some(ended) = ended {
                inlet.open = false;
                self.queue.push_back(Input::Ended(id, ended));
            }
        }
    }

    /// Keeps `info` behind what has arrived; gives it back if there is nothing
    /// to wait for.
    pub(crate) fn queue_info(&mut self, info: Info) -> Result<(), Info> {
        if self.queue.is_empty() {
            return Err(info);
        }
        self.queue.push_back(Input::Info(info));
        Ok(())
    }

    /// Whether the next thing to deal with is a batch, or there is nothing.
    pub(crate) fn next_is_batch(&self) -> bool {
        matches!(self.queue.front(), None | Some(Input::Events(..)))
    }

    /// Whether something has arrived that was not dealt with.
    pub(crate) fn has_input(&self) -> bool {
        !self.queue.is_empty()
    }

    /// The next thing to deal with; a batch at most as long as the handler is
    /// to get.
    pub(crate) fn next(&mut self) -> Option<Input<E>> {
        if let Some(Input::Events(id, batch)) = self.queue.front_mut() {
            let id = *id;
            if let Some(inlet) = self.links.get(&id) {
                let limit = inlet.peer.demand.batch_limit();
                if batch.len() > limit {
                    return Some(Input::Events(id, batch.split_to(limit)));
                }
            }
        }
        self.queue.pop_front()
    }

    /// Puts a batch into the handler's hands.
    pub(crate) fn take_in_hand(&mut self, id: SubscriptionId, batch: Batch<E>) -> &mut Batch<E> {
        &mut self.in_hand.insert((id, batch)).1
    }

    /// The batch in hand, which had `count` events, has been handled: asks
    /// again if it is time to, and sends the emptied batch back up.
    pub(crate) fn handled(&mut self, count: usize) {
        let Some((id, batch)) = self.in_hand.take() else {
            return;
        };
        let Some(inlet) = self.links.get_mut(&id) else {
            return;
        };
        if let Some(buffer) = batch.recycle() {
            inlet.end.recycle(buffer);
        }
        if inlet.mode == DemandMode::Manual {
            inlet.window.settled(count);
        } else {
            let demand = inlet.window.handled(count);
            if inlet.open {
                inlet.end.ask(demand);
            }
        }
    }

    /// Removes a subscription that has ended.
    pub(crate) fn remove(&mut self, id: SubscriptionId) -> Option<Inlet<E>> {
        self.links.remove(&id)
    }

    /// Notes that a permanent subscription has completed.
    pub(crate) fn note_completed(&mut self) {
        self.completed = true;
    }

    /// Whether everything there is has been handled: a permanent subscription
    /// has completed and no other is left.
    pub(crate) fn are_completed(&self) -> bool {
        self.completed && self.links.is_empty() && self.queue.is_empty()
    }

    /// Cancels all subscriptions because the stage has ended, and gives back
    /// what had arrived and was not handled. Returns how many events are lost
    /// because their producer is gone.
    pub(crate) fn end(&mut self, outcome: &Outcome) -> usize {
        let mut unhandled: HashMap<SubscriptionId, Vec<Batch<E>>, RandomState> = HashMap::default();
        let queued = self.queue.drain(..).filter_map(|input| match input {
            Input::Events(id, batch) => Some((id, batch)),
            Input::Ended(..) | Input::Info(_) => None,
        });
        for (id, batch) in self.in_hand.take().into_iter().chain(queued) {
            unhandled.entry(id).or_default().push(batch);
        }
        let mut lost = 0;
        for (id, inlet) in self.links.drain() {
            let unhandled = unhandled.remove(&id).unwrap_or_default();
            lost += inlet.end.cancel(outcome.clone(), unhandled);
        }
        lost + unhandled.values().flatten().map(Batch::len).sum::<usize>()
    }
}

/// A task that is dropped, by its runtime for one, gives back what it had.
impl<E> Drop for Inlets<E> {
    fn drop(&mut self) {
        let outcome = Outcome::Cancelled("the consumer's task was dropped".into());
        let lost = self.end(&outcome);
        self.identity.counters.discarded.add(lost);
    }
}
