//! The consumer half of a stage: the links to its producers, and what has arrived
//! over them.
//!
//! A batch is fetched from its link into one queue over all links, so that input is
//! handled in the order of arrival. From there:
//!
//! 1. [`next`](ConsumerHalf::next) makes it the current batch and lends it to the
//!    handler. It stays in front of the queue.
//! 2. [`handled`](ConsumerHalf::handled) removes it, settles its events, asks for
//!    more and returns the buffer to the producer.
//! 3. If the handler fails, [`fail_batch`](ConsumerHalf::fail_batch) settles the
//!    events that it had reached and leaves the rest in front of the queue, for the
//!    next state of the stage.
//! 4. If the stage ends, [`end`](ConsumerHalf::end) hands everything in the queue
//!    back to the producers.
//!
//! The end of a subscription and infos go through the same queue, so that they keep
//! their place behind the events that arrived before them.

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
use crate::link::{ConsumerEnd, Ended, InFlightBytes, Input};
use crate::reply::SubscribeReply;
use crate::shared::StageShared;
use crate::stage_id::StageId;
use crate::subscription::{Subscription, Wired};

/// The options of a builder for the consumer half.
pub(crate) struct ConsumerOptions<E> {
    /// Copies each batch before its handler gets it: `retain_taken`.
    pub(crate) keep: Option<CloneBatch<E>>,
    /// The hook for events whose handler failed.
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

/// The half of a stage that takes events.
///
/// It decides how much to ask for, cuts batches to the batch limit, and settles
/// every event it was delivered: handled, handed back, dead-lettered or lost.
pub(crate) struct ConsumerHalf<E> {
    shared: Arc<StageShared>,
    options: ConsumerOptions<E>,
    links: Links<Upstream<E>>,
    /// Input in the order of arrival, over all links. While a handler runs, its
    /// batch is in front.
    queue: VecDeque<Input<E>>,
    /// The record of the batch in front, while a handler has it.
    current: Option<CurrentBatch<E>>,
    /// How many parts [`cut_front`](Self::cut_front) last cut off a batch that
    /// exceeded the limit.
    parts: usize,
    /// Emptied buffers of such parts, to cut the next batch into.
    spares: Vec<Vec<E>>,
    /// A permanent subscription has completed, or a pooled one has ended.
    completed: bool,
}

/// The most emptied buffers in [`ConsumerHalf::spares`].
const SPARES: usize = 8;

/// The next input of a consumer.
pub(crate) enum Next<'a, E> {
    /// A batch, which is the current one from now on.
    Events(SubscriptionId, &'a mut Batch<E>),
    /// A subscription has ended, and all events that came over it are handled.
    Ended(SubscriptionId, Ended),
    /// An info whose turn has come.
    Info(Info),
}

/// A subscription to be made, and the reply to its caller.
pub(crate) type Subscribing<E> = (Subscription<E>, SubscribeReply);

/// The consumer's view of one subscription.
pub(crate) struct Upstream<E> {
    /// The producer, as handlers see it.
    pub(crate) peer: Peer,
    /// A caller waits for the result of the subscription, so a refusal does not
    /// end the stage.
    pub(crate) answered: bool,
    /// A resubscription has replaced this subscription, so its end does not end
    /// the stage.
    pub(crate) replaced: bool,
    /// The replacement, if it is to be made when this subscription has ended.
    pub(crate) next: Option<Box<Subscribing<E>>>,
    producer: StageId,
    end: ConsumerEnd<E>,
    /// Decides how much to ask for.
    window: DemandWindow,
    mode: DemandMode,
    /// What few subscriptions need.
    rare: Option<Box<RareUpstream<E>>>,
    /// Neither end has let go of the link: the consumer may ask.
    open: bool,
}

/// The part of an [`Upstream`] that few subscriptions need.
struct RareUpstream<E> {
    /// Manual demand that was pending at the last restart. The demand of the new
    /// state is netted against it.
    asked_before: usize,
    /// Cuts the demand, if the subscription sets `max_bytes`.
    bytes: Option<Box<InFlightBytes<E>>>,
}

impl<E> ConsumerHalf<E> {
    /// Makes a half without subscriptions.
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

    /// Adds a subscription, which asks for nothing before
    /// [`open`](ConsumerHalf::open). Returns its producer.
    pub(crate) fn insert(&mut self, wired: Wired<E>) -> Peer {
        let producer = wired.producer.clone();
        let upstream = Upstream {
            window: DemandWindow::new(wired.producer.demand),
            mode: DemandMode::Manual,
            rare: wired.bytes.map(|bytes| {
                Box::new(RareUpstream {
                    asked_before: 0,
                    bytes: Some(bytes),
                })
            }),
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

    /// Sets the mode of a subscription and, in automatic mode, asks for
    /// `max_demand` events.
    pub(crate) fn open(&mut self, id: SubscriptionId, mode: DemandMode) {
        if let Some(upstream) = self.links.get_mut(id) {
            upstream.mode = mode;
            upstream.end.set_manual(mode == DemandMode::Manual);
            if mode == DemandMode::Automatic && upstream.open {
                let demand = match upstream.windows() {
                    (window, Some(bytes)) => bytes.open(window),
                    (window, None) => window.open(),
                };
                upstream.end.ask(demand);
            }
        }
    }

    /// Asks for `demand` more events on behalf of the user. The part that the
    /// stage had asked for before a restart is not asked for twice.
    pub(crate) fn ask(&mut self, id: SubscriptionId, demand: usize) {
        if let Some(upstream) = self.links.get_mut(id).filter(|upstream| upstream.open) {
            let asked_before = upstream.rare.as_mut().map_or(0, |rare| {
                let netted = rare.asked_before.min(demand);
                rare.asked_before -= netted;
                netted
            });
            upstream.window.asked(demand - asked_before);
            upstream.end.ask(demand - asked_before);
        }
    }

    /// Cancels a subscription. Queues its end behind the events that have arrived,
    /// which are still handled.
    pub(crate) fn cancel(&mut self, id: SubscriptionId, reason: Reason, replaced: bool) {
        let Some(upstream) = self.links.get_mut(id) else {
            return;
        };
        // Also of a subscription that is not open: its end may be in the queue, and
        // must not end the stage.
        upstream.replaced |= replaced;
        if !std::mem::replace(&mut upstream.open, false) {
            return;
        }
        let outcome = Outcome::Cancelled(reason);
        let before = self.queue.len();
        upstream.end.leave(outcome.clone(), &mut self.queue);
        upstream.weigh(&self.queue, before);
        upstream.note_ended();
        self.queue
            .push_back(Input::Ended(id, Ended::Outcome(outcome)));
    }

    /// Defers `next` until the subscription `old`, which was cancelled for it, has
    /// ended, if both are to the same producer: the producer may refuse a route,
    /// such as a partition, while `old` still has it. Returns `next` if it is to be
    /// made at once.
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

    /// Cancels the subscriptions to all producers but `producers`. The events that
    /// have arrived are still handled, and the cancellation does not end the stage.
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

    /// Fetches from the link whose notifications need no list; see
    /// [`Links::only`].
    pub(crate) fn fetch_only(&mut self) {
        if let Some(id) = self.links.only() {
            self.fetch(id);
        }
    }

    /// Fetches the batches that a producer has sent, and the end of its link.
    pub(crate) fn fetch(&mut self, id: SubscriptionId) {
        // Not from a cancelled link: `cancel` has fetched for the last time, and
        // the queue of the link now carries events back.
        let Some(upstream) = self.links.get_mut(id).filter(|upstream| upstream.open) else {
            return;
        };
        let before = self.queue.len();
        let ended = upstream.end.fetch(&mut self.queue);
        upstream.weigh(&self.queue, before);
        if let Some(ended) = ended {
            upstream.open = false;
            upstream.note_ended();
            self.queue.push_back(Input::Ended(id, ended));
        }
    }

    /// Queues `info` behind the input that has arrived. Returns it if the queue is
    /// empty, so that it is due now.
    pub(crate) fn queue_info(&mut self, info: Info) -> Result<(), Info> {
        if self.queue.is_empty() {
            return Err(info);
        }
        self.queue.push_back(Input::Info(info));
        Ok(())
    }

    /// Whether the next input is a batch, or there is none.
    pub(crate) fn next_is_batch(&self) -> bool {
        matches!(self.queue.front(), None | Some(Input::Events(..)))
    }

    /// Whether there is input that was not handled.
    pub(crate) fn has_input(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Returns the next input. A batch has at most as many events as the batch
    /// limit of its link; it stays in front of the queue and becomes the current
    /// one.
    pub(crate) fn next(&mut self) -> Option<Next<'_, E>> {
        let (id, len) = match self.queue.front()? {
            Input::Events(id, batch) => (*id, batch.len()),
            _ => return self.next_other(),
        };
        if let Some(upstream) = self.links.get(id) {
            let limit = upstream.peer.demand.batch_limit();
            let has_rare = upstream.rare.is_some();
            if len > limit {
                self.cut_front(id, limit);
            }
            if has_rare {
                self.weigh_front(id);
            }
        }
        let Some(Input::Events(_, batch)) = self.queue.front_mut() else {
            return None;
        };
        self.current = Some(CurrentBatch::new(id, batch, self.options.keep));
        Some(Next::Events(id, batch))
    }

    /// Takes the next input if it is not a batch.
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

    /// Weighs the batch in front if its subscription limits bytes.
    #[cold]
    fn weigh_front(&mut self, id: SubscriptionId) {
        if let Some(bytes) = self.links.get_mut(id).and_then(Upstream::bytes)
            && let Some(Input::Events(_, batch)) = self.queue.front()
        {
            bytes.begin(batch);
        }
    }

    /// Cuts the batch in front into parts of at most `limit` events.
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

    /// Takes the batch in front. Returns an empty one if the next input is not a
    /// batch.
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

    /// Returns how many events have arrived and were not handled.
    pub(crate) fn queued(&self) -> usize {
        // The queue is empty whenever a stage parks for events: skip the iterator.
        if self.queue.is_empty() {
            return 0;
        }
        self.queue.iter().map(Input::len).sum()
    }

    /// Settles the current batch as handled: asks for more once the pending demand
    /// has sunk to `min_demand`, and returns the emptied buffer to the producer.
    ///
    /// # Errors
    ///
    /// The failure of the stage, if dropping an event that the handler had left in
    /// the batch panicked. That event counts as handled.
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
        let demand = if upstream.rare.is_some() {
            upstream.handled_rare(count)
        } else if upstream.mode == DemandMode::Manual {
            upstream.window.release(count);
            0
        } else {
            upstream.window.handled(count)
        };
        let demand = if upstream.open { demand } else { 0 };
        // The buffer of a part is kept for the next batch that has to be cut; any
        // other goes back to the producer.
        if self.spares.len() < self.parts.min(SPARES)
            && let limit = upstream.peer.demand.batch_limit()
            && let Some(part) = spare.take_if(|spare| spare.capacity() <= limit)
        {
            self.spares.push(part);
        }
        upstream.end.handled(count, spare, demand);
        result
    }

    /// Drops the events that a handler has left in its batch, and returns the
    /// buffer. Fails if one of them panics.
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

    /// Prepares the subscriptions for the new state of a restarted stage, and
    /// returns their producers in the order of subscription. Pending demand stays.
    pub(crate) fn restarted(&mut self) -> Vec<Peer> {
        let mut producers = Vec::with_capacity(self.links.len());
        for upstream in self.links.values_mut() {
            upstream.note_asked();
            producers.push(upstream.peer.clone());
        }
        producers.sort_unstable_by_key(|producer| producer.subscription);
        producers
    }

    /// Removes a subscription that has ended.
    pub(crate) fn remove(&mut self, id: SubscriptionId) -> Option<Upstream<E>> {
        self.links.remove(id)
    }

    /// Notes that a permanent subscription has completed, or that a pooled one has ended.
    pub(crate) fn note_completed(&mut self) {
        self.completed = true;
    }

    /// Whether a subscription has ended of which [`note_completed`](Self::note_completed)
    /// was told, no other is left, and all input is handled.
    pub(crate) fn are_completed(&self) -> bool {
        self.completed && self.is_empty()
    }

    /// Whether no subscription is left and all input is handled.
    pub(crate) fn is_empty(&self) -> bool {
        self.links.is_empty() && self.queue.is_empty()
    }
}

impl<E> Upstream<E> {
    fn bytes(&mut self) -> Option<&mut InFlightBytes<E>> {
        self.windows().1
    }

    /// Returns the window of events, and that of bytes if they are limited.
    fn windows(&mut self) -> (&mut DemandWindow, Option<&mut InFlightBytes<E>>) {
        let rare = self.rare.as_mut();
        let bytes = rare.and_then(|rare| rare.bytes.as_deref_mut());
        (&mut self.window, bytes)
    }

    /// Notes that nothing more arrives over this link.
    fn note_ended(&mut self) {
        if let Some(bytes) = self.bytes() {
            bytes.ended();
        }
    }

    /// Weighs the input in `queue` behind the first `before`, which has just arrived
    /// over this link, if its bytes are limited.
    #[inline]
    fn weigh(&mut self, queue: &VecDeque<Input<E>>, before: usize) {
        if let Some(bytes) = self.bytes() {
            bytes.arrived(queue.iter().skip(before));
        }
    }

    /// Records `count` events of the current batch as handled. Returns the demand to
    /// send.
    #[cold]
    fn handled_rare(&mut self, count: usize) -> usize {
        if self.mode == DemandMode::Manual || !self.open {
            self.release(count, &[]);
            return 0;
        }
        match self.windows() {
            (window, Some(bytes)) => {
                bytes.settled(count, &[]);
                bytes.handled(count, window)
            }
            (window, None) => window.handled(count),
        }
    }

    /// Records `count` events of the current batch as gone, of which `left` is left.
    fn release(&mut self, count: usize, left: &[E]) {
        self.window.release(count);
        if let Some(bytes) = self.bytes() {
            bytes.settled(count, left);
        }
    }

    /// Notes how much was asked for and not handled, for a new state of the stage.
    fn note_asked(&mut self) {
        let pending = self.window.pending();
        match &mut self.rare {
            Some(rare) => rare.asked_before = pending,
            None if pending > 0 => {
                self.rare = Some(Box::new(RareUpstream {
                    asked_before: pending,
                    bytes: None,
                }));
            }
            None => (),
        }
    }
}
