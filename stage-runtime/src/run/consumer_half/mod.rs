//! A stage's half as a consumer: the links to its producers, and what has
//! arrived over them.

mod end;

use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use stage_core::{
    Batch, DemandMode, DemandWindow, Failure, Info, Outcome, Peer, Reason, SubscriptionId,
    panic_message,
};

use super::current_batch::CurrentBatch;
use crate::dead_letter::{CloneBatch, Hook};
use crate::link::links::Links;
use crate::link::{ConsumerEnd, Ended, Input};
use crate::reply::SubscribeReply;
use crate::shared::StageShared;
use crate::stage_id::StageId;
use crate::subscription::{Subscription, Wired};

/// How a consumer is built.
pub(crate) struct ConsumerOptions<E> {
    /// Copies a batch before its handler takes from it.
    pub(crate) keep: Option<CloneBatch<E>>,
    /// Called with what a handler failed on.
    pub(crate) dead_letters: Option<Hook<E>>,
}

impl<E> Default for ConsumerOptions<E> {
    fn default() -> Self {
        Self {
            keep: None,
            dead_letters: None,
        }
    }
}

pub(crate) struct ConsumerHalf<E> {
    shared: Arc<StageShared>,
    options: ConsumerOptions<E>,
    links: Links<Upstream<E>>,
    /// In the order of arrival, over all links. The batch in hand is in front.
    queue: VecDeque<Input<E>>,
    current: Option<CurrentBatch<E>>,
    /// Into how many parts the last batch that was too long was cut, besides
    /// the first.
    parts: usize,
    /// Emptied buffers of such parts.
    spares: Vec<Vec<E>>,
    completed: bool,
}

/// Emptied buffers of parts that are kept.
const SPARES: usize = 8;

/// What a consumer deals with next.
pub(crate) enum Next<'a, E> {
    /// A batch, which is in hand now.
    Events(SubscriptionId, &'a mut Batch<E>),
    Ended(SubscriptionId, Ended),
    Info(Info),
}

/// A subscription that is to be made, and who is told how it went.
pub(crate) type Subscribing<E> = (Subscription<E>, SubscribeReply);

pub(crate) struct Upstream<E> {
    pub(crate) peer: Peer,
    /// Whoever made the subscription is told how it went, so that a refusal
    /// need not end the stage.
    pub(crate) answered: bool,
    /// Another subscription has taken the place of this one, so that its end
    /// does not end the stage.
    pub(crate) replaced: bool,
    /// That one, if it is made only when this one has ended.
    pub(crate) next: Option<Box<Subscribing<E>>>,
    /// The number of the stage it subscribes to.
    producer: StageId,
    end: ConsumerEnd<E>,
    window: DemandWindow,
    mode: DemandMode,
    /// Demand that a state of the stage which has failed had asked for by hand;
    /// what the next one asks for is netted against it.
    asked_before: usize,
    open: bool,
}

impl<E> ConsumerHalf<E> {
    pub(crate) fn new(shared: Arc<StageShared>, options: ConsumerOptions<E>) -> Self {
        Self {
            shared,
            options,
            links: Links::default(),
            queue: VecDeque::new(),
            current: None,
            parts: 0,
            spares: Vec::new(),
            completed: false,
        }
    }

    /// Adds a subscription that asks for nothing before it is
    /// [`open`](ConsumerHalf::open)ed; returns its producer.
    pub(crate) fn insert(&mut self, wired: Wired<E>) -> Peer {
        let producer = wired.producer.clone();
        let upstream = Upstream {
            window: DemandWindow::new(wired.producer.demand),
            mode: DemandMode::Manual,
            asked_before: 0,
            answered: wired.answered,
            replaced: false,
            next: None,
            producer: wired.producer_id,
            end: wired.end,
            open: true,
            peer: wired.producer,
        };
        let id = producer.subscription;
        self.links
            .insert(id, upstream, |upstream, only| upstream.end.set_only(only));
        producer
    }

    /// Starts to ask, if the stage does not do so itself.
    pub(crate) fn open(&mut self, id: SubscriptionId, mode: DemandMode) {
        if let Some(upstream) = self.links.get_mut(id) {
            upstream.mode = mode;
            upstream.end.set_manual(mode == DemandMode::Manual);
            if mode == DemandMode::Automatic && upstream.open {
                upstream.end.ask(upstream.window.open());
            }
        }
    }

    /// Asks for more by hand.
    pub(crate) fn ask(&mut self, id: SubscriptionId, demand: usize) {
        if let Some(upstream) = self.links.get_mut(id).filter(|upstream| upstream.open) {
            let asked_before = upstream.asked_before.min(demand);
            upstream.asked_before -= asked_before;
            upstream.window.asked(demand - asked_before);
            upstream.end.ask(demand - asked_before);
        }
    }

    /// Cancels a subscription. What has arrived is still handled, then comes
    /// its end.
    pub(crate) fn cancel(&mut self, id: SubscriptionId, reason: Reason, replaced: bool) {
        let Some(upstream) = self.links.get_mut(id) else {
            return;
        };
        // Its end may be waiting in the queue already.
        upstream.replaced |= replaced;
        if !std::mem::replace(&mut upstream.open, false) {
            return;
        }
        let outcome = Outcome::Cancelled(reason);
        upstream.end.leave(outcome.clone(), &mut self.queue);
        self.queue
            .push_back(Input::Ended(id, Ended::Outcome(outcome)));
    }

    /// Has `next` be made when the subscription `old`, which was cancelled for it,
    /// has ended: to the same producer, which may give it to nobody before that,
    /// such as a partition. Returns it if it is to be made at once.
    pub(crate) fn follow(
        &mut self,
        old: SubscriptionId,
        next: Subscribing<E>,
    ) -> Result<(), Subscribing<E>>
    where
        E: Send + 'static,
    {
        match self.links.get_mut(old) {
            Some(old) if old.next.is_none() && old.producer == next.0.producer_id() => {
                old.next = Some(Box::new(next));
                Ok(())
            }
            _ => Err(next),
        }
    }

    /// Cancels the subscriptions to all producers but `producers`; what has
    /// arrived is still handled, and none of them ends the stage.
    pub(crate) fn cancel_others(&mut self, producers: &HashSet<StageId>) {
        let others: Vec<_> = self
            .links
            .iter()
            .filter(|(_, upstream)| !producers.contains(&upstream.producer))
            .map(|(id, _)| id)
            .collect();
        for id in others {
            self.cancel(id, "the consumer drains".into(), true);
        }
    }

    /// Fetches from the link that is not listed.
    pub(crate) fn fetch_only(&mut self) {
        if let Some(id) = self.links.only() {
            self.fetch(id);
        }
    }

    /// Takes in what a producer has sent.
    pub(crate) fn fetch(&mut self, id: SubscriptionId) {
        // A link that was cancelled has been fetched for the last time.
        let Some(upstream) = self.links.get_mut(id).filter(|upstream| upstream.open) else {
            return;
        };
        if let Some(ended) = upstream.end.fetch(&mut self.queue) {
            upstream.open = false;
            self.queue.push_back(Input::Ended(id, ended));
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

    /// The next thing to deal with. A batch, at most as long as the handler is
    /// to get, is in the handler's hands from then on.
    pub(crate) fn next(&mut self) -> Option<Next<'_, E>> {
        let (id, len) = match self.queue.front()? {
            Input::Events(id, batch) => (*id, batch.len()),
            _ => return self.next_other(),
        };
        if let Some(upstream) = self.links.get(id) {
            let limit = upstream.peer.demand.batch_limit();
            if len > limit {
                self.cut_front(id, limit);
            }
        }
        let Some(Input::Events(_, batch)) = self.queue.front_mut() else {
            return None;
        };
        self.current = Some(CurrentBatch::new(id, batch, self.options.keep));
        Some(Next::Events(id, batch))
    }

    #[inline(never)]
    fn next_other(&mut self) -> Option<Next<'_, E>> {
        match self.queue.pop_front()? {
            Input::Ended(id, ended) => Some(Next::Ended(id, ended)),
            Input::Info(info) => Some(Next::Info(info)),
            events => {
                self.queue.push_front(events);
                None
            }
        }
    }

    /// Cuts what the handler may not get at once off the batch in front, into
    /// parts behind it that it may.
    #[inline(never)]
    fn cut_front(&mut self, id: SubscriptionId, limit: usize) {
        self.parts = 0;
        while let Some(Input::Events(_, batch)) = self.queue.front_mut()
            && let Some(part) = batch.cut(limit, || self.spares.pop().unwrap_or_default())
        {
            self.queue.insert(1, Input::Events(id, part));
            self.parts += 1;
        }
    }

    /// Takes the batch in front, if it is one that is there.
    fn take_front(&mut self) -> Batch<E> {
        match self.queue.pop_front() {
            Some(Input::Events(_, batch)) => batch,
            Some(other) => {
                self.queue.push_front(other);
                Batch::new()
            }
            None => Batch::new(),
        }
    }

    /// Events that have arrived and were not handled.
    pub(crate) fn queued(&self) -> usize {
        // The rule, and an iterator is not needed to see it.
        if self.queue.is_empty() {
            return 0;
        }
        self.queue.iter().map(Input::len).sum()
    }

    /// The batch in hand has been handled: asks again if it is time to, and
    /// sends the emptied batch back up.
    ///
    /// # Errors
    ///
    /// The failure of the stage, if an event that its handler had left in the
    /// batch panicked when it was dropped. It counts as handled.
    pub(crate) fn handled(&mut self) -> Result<(), Failure> {
        let Some(CurrentBatch { link, count, .. }) = self.current.take() else {
            return Ok(());
        };
        let batch = self.take_front();
        let (mut spare, result) = if batch.is_empty() {
            (batch.recycle(), Ok(()))
        } else {
            self.drop_rest(batch)
        };
        let Some(upstream) = self.links.get_mut(link) else {
            return result;
        };
        let demand = if upstream.mode == DemandMode::Manual {
            upstream.window.release(count);
            0
        } else {
            upstream.window.handled(count)
        };
        let demand = if upstream.open { demand } else { 0 };
        // The buffer of a part is for the next batch that has to be cut, any other
        // belongs to the producer.
        if self.spares.len() < self.parts.min(SPARES)
            && let limit = upstream.peer.demand.batch_limit()
            && let Some(part) = spare.take_if(|spare| spare.capacity() <= limit)
        {
            self.spares.push(part);
        }
        upstream.end.handled(count, spare, demand);
        result
    }

    /// Drops what a handler has left in its batch.
    fn drop_rest(&self, batch: Batch<E>) -> (Option<Vec<E>>, Result<(), Failure>) {
        match catch_unwind(AssertUnwindSafe(|| batch.recycle())) {
            Ok(spare) => (spare, Ok(())),
            Err(panic) => {
                let message = panic_message(panic.as_ref());
                let failure = Failure::panic(Arc::clone(&self.shared.name), message);
                (None, Err(failure))
            }
        }
    }

    /// The stage starts over: its subscriptions go on, and what it had asked
    /// for stays asked.
    pub(crate) fn restarted(&mut self) -> Vec<Peer> {
        let mut producers = Vec::with_capacity(self.links.len());
        for upstream in self.links.values_mut() {
            upstream.asked_before = upstream.window.pending();
            producers.push(upstream.peer.clone());
        }
        producers.sort_unstable_by_key(|producer| producer.subscription);
        producers
    }

    /// Removes a subscription that has ended.
    pub(crate) fn remove(&mut self, id: SubscriptionId) -> Option<Upstream<E>> {
        self.links.remove(id)
    }

    /// Notes that a permanent subscription has completed.
    pub(crate) fn note_completed(&mut self) {
        self.completed = true;
    }

    /// Whether everything there is has been handled: a permanent subscription
    /// has completed and no other is left.
    pub(crate) fn are_completed(&self) -> bool {
        self.completed && self.is_empty()
    }

    /// Whether no subscription is left and everything was handled.
    pub(crate) fn is_empty(&self) -> bool {
        self.links.is_empty() && self.queue.is_empty()
    }
}
