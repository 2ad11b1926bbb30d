//! The traits of the two halves of a stage, and the empty halves.
//!
//! A producer has no consumer half and a consumer has no producer half. An empty
//! half takes no room, and its methods compile to nothing, so that one event loop
//! serves all three kinds of stage.

use std::collections::{HashSet, VecDeque};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use stage_core::{
    Batch, DemandMode, Dispatcher, Failure, Gate, Info, Outcome, Peer, Reason, SubscribeError,
    SubscriptionId,
};
use tokio::time::Instant;

use super::consumer_half::{ConsumerHalf, ConsumerOptions, Next, Subscribing, Upstream};
use super::producer_half::{ProducerHalf, ProducerOptions};
use crate::link::ProducerEnd;
use crate::shared::StageShared;
use crate::stage_id::StageId;
use crate::subscription::Wired;

/// The consumer half of a stage. Implemented by [`ConsumerHalf`], whose methods of
/// the same names have the details, and as no-ops by [`NoConsumerHalf`].
pub(crate) trait Consuming<E>: Send + 'static {
    /// Makes a half without subscriptions.
    fn new(shared: &Arc<StageShared>, options: ConsumerOptions<E>) -> Self;

    /// Adds a subscription and returns its producer.
    fn insert(&mut self, wired: Wired<E>) -> Peer {
        wired.producer
    }

    /// Sets the mode of a subscription and starts to ask.
    fn open(&mut self, _id: SubscriptionId, _mode: DemandMode) {}

    /// Asks for more events on behalf of the user.
    fn ask(&mut self, _id: SubscriptionId, _demand: usize) {}

    /// Cancels a subscription; its end comes behind the events that have arrived.
    fn cancel(&mut self, _id: SubscriptionId, _reason: Reason, _replaced: bool) {}

    /// Defers `next` until `old` has ended; returns it if that is not needed.
    fn follow(&mut self, _old: SubscriptionId, next: Subscribing<E>) -> Result<(), Subscribing<E>> {
        Err(next)
    }

    /// Cancels the subscriptions to all producers but these.
    fn cancel_others(&mut self, _producers: &HashSet<StageId>) {}

    /// Fetches from the link whose notifications need no list.
    fn fetch_only(&mut self) {}

    /// Fetches the batches, and the end, of one link.
    fn fetch(&mut self, _id: SubscriptionId) {}

    /// Queues an info behind the input; returns it if there is no input.
    fn queue_info(&mut self, info: Info) -> Result<(), Info> {
        Err(info)
    }

    /// Whether the next input is a batch, or there is none.
    fn next_is_batch(&self) -> bool {
        true
    }

    /// Whether there is input that was not handled.
    fn has_input(&self) -> bool {
        false
    }

    /// Returns the next input. A batch becomes the current one.
    fn next(&mut self) -> Option<Next<'_, E>> {
        None
    }

    /// Returns how many events have arrived and were not handled.
    fn queued(&self) -> usize {
        0
    }

    /// Settles the current batch as handled and asks for more.
    fn handled(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Prepares the subscriptions for a new state and returns their producers.
    fn restarted(&mut self) -> Vec<Peer> {
        Vec::new()
    }

    /// Removes a subscription that has ended.
    fn remove(&mut self, _id: SubscriptionId) -> Option<Upstream<E>> {
        None
    }

    /// Notes that a permanent subscription has completed, or that a pooled one has ended.
    fn note_completed(&mut self) {}

    /// Whether a permanent subscription has completed or a pooled one has ended, and
    /// nothing is left.
    fn are_completed(&self) -> bool {
        false
    }

    /// Whether no subscription is left and all input is handled.
    fn is_empty(&self) -> bool {
        true
    }

    /// Settles the current batch after its handler failed; returns how many events
    /// go back to the queue.
    fn fail_batch(&mut self, _failure: Option<&Failure>) -> usize {
        0
    }

    /// Cancels all subscriptions and hands events back; returns how many are lost.
    fn end(&mut self, _outcome: &Outcome) -> usize {
        0
    }
}

/// The producer half of a stage. Implemented by [`ProducerHalf`], whose methods of
/// the same names have the details, and by [`NoProducerHalf`] as no-ops, except
/// that infos pass through it.
pub(crate) trait Producing<D: Dispatcher>: Send {
    /// Makes a half without subscribers.
    fn new(shared: &Arc<StageShared>, options: ProducerOptions<D>) -> Self;

    /// Whether the stage may emit: it has been asked for more, and its gate is open.
    fn has_unmet_demand(&self) -> bool {
        false
    }

    /// Whether the stage may handle input: it has been asked for more, or is eager,
    /// and its gate is open.
    fn may_emit(&self, _eager: bool) -> bool {
        true
    }

    /// Whether everything emitted has been sent.
    fn is_empty(&self) -> bool {
        true
    }

    /// Whether everything emitted has been sent and settled.
    fn is_drained(&mut self) -> bool {
        true
    }

    /// Whether there is no subscriber.
    fn is_deserted(&self) -> bool {
        true
    }

    /// Returns the consumers, in the order in which they subscribed.
    fn consumers(&self) -> Vec<Peer> {
        Vec::new()
    }

    /// Publishes demand and bottleneck; returns the one consumer to wait for.
    fn publish_state(&mut self) -> Option<SubscriptionId> {
        None
    }

    /// Whether `handle_demand` is to be called.
    fn has_due_demand(&self) -> bool {
        false
    }

    /// Returns the demand for the next call of `handle_demand`.
    fn next_demand(&mut self) -> Option<NonZeroUsize> {
        None
    }

    /// Makes unmet demand due again.
    fn wake(&mut self) {}

    /// Dispatches emitted events and replaces them by an empty buffer.
    fn emit(&mut self, _emitted: &mut Vec<D::Event>) {}

    /// Queues an info behind the events in the buffer.
    fn info(&mut self, info: Info);

    /// Opens or closes the gate.
    fn set_gate(&mut self, _gate: Gate) {}

    /// Asks the dispatcher for demand before the first step.
    fn start(&mut self) {}

    /// Ends the subscription of a consumer.
    fn evict(&mut self, _id: SubscriptionId, _reason: Reason) {}

    /// Evicts a consumer once it has not asked for the time `silence`.
    fn evict_after(&mut self, _id: SubscriptionId, _silence: Duration) {}

    /// Whether a consumer may have to be evicted for its silence.
    fn watches_silence(&self) -> bool {
        false
    }

    /// Notes who is silent, and returns when to evict the first.
    fn next_eviction(&mut self, _completing: bool) -> Option<Instant> {
        None
    }

    /// Evicts who has been silent for too long.
    fn evict_silent(&mut self, _completing: bool) {}

    /// Changes the route of a consumer.
    fn reroute(&mut self, id: SubscriptionId, _route: D::Route) -> Result<(), SubscribeError> {
        Err(SubscribeError::NotSubscribed { id })
    }

    /// Adds a subscriber; returns its end of the link if it is refused.
    fn subscribe(
        &mut self,
        _peer: Peer,
        _route: D::Route,
        _end: ProducerEnd<D::Event>,
    ) -> Result<(), (SubscribeError, ProducerEnd<D::Event>)> {
        Ok(())
    }

    /// Whether `handle_cancel` or `handle_info` is to be called.
    fn has_pending_callbacks(&self) -> bool;

    /// Returns the next events to call `handle_returned` with.
    fn next_returned(&mut self) -> Option<(SubscriptionId, &mut Batch<D::Event>)> {
        None
    }

    /// Buffers what `handle_returned` has left, in front.
    fn hand_back(&mut self) {}

    /// Takes the next consumer to call `handle_cancel` for.
    fn next_cancelled(&mut self) -> Option<(Peer, Outcome)> {
        None
    }

    /// Takes the next info to call `handle_info` with.
    fn next_info(&mut self) -> Option<Info>;

    /// Fetches from the link whose notifications need no list.
    fn fetch_only(&mut self) {}

    /// Fetches the demand, the buffers and the cancellation of one link.
    fn fetch(&mut self, _id: SubscriptionId) {}

    /// Ends the subscriptions as completed, and takes no more; the stage goes on.
    fn end_links(&mut self) {}

    /// Whether [`end_links`](Self::end_links) was called.
    fn has_ended_links(&self) -> bool {
        false
    }

    /// Discards what was emitted after [`end_links`](Self::end_links).
    fn shed_unread(&mut self) {}

    /// Ends all subscriptions with the outcome of the stage.
    fn end(&mut self, _outcome: &Outcome) {}

    /// Counts the events that a dispatcher had when it panicked as discarded.
    fn write_off(&mut self) {}
}

/// The consumer half of a producer: none.
pub(crate) struct NoConsumerHalf;

/// The producer half of a consumer. It sends no events, but infos pass through it
/// on their way to `handle_info`, as they pass through the buffer of a producer.
pub(crate) struct NoProducerHalf {
    /// Allocated for the first info.
    #[expect(
        clippy::box_collection,
        reason = "a stage would have room for a queue that most of them never need"
    )]
    infos: Option<Box<VecDeque<Info>>>,
}

/// Implements trait methods by the inherent methods of the same names.
macro_rules! same {
    ($half:ident: $(fn $name:ident($me:ty $(, $arg:ident: $type:ty)*) -> $result:ty;)*) => {
        $(
            #[inline]
            fn $name(self: $me $(, $arg: $type)*) -> $result {
                $half::$name(self $(, $arg)*)
            }
        )*
    };
}

impl<E: Send + 'static> Consuming<E> for ConsumerHalf<E> {
    fn new(shared: &Arc<StageShared>, options: ConsumerOptions<E>) -> Self {
        Self::new(Arc::clone(shared), options)
    }

    #[inline]
    fn next(&mut self) -> Option<Next<'_, E>> {
        Self::next(self)
    }

    same! { ConsumerHalf:
        fn insert(&mut Self, wired: Wired<E>) -> Peer;
        fn open(&mut Self, id: SubscriptionId, mode: DemandMode) -> ();
        fn ask(&mut Self, id: SubscriptionId, demand: usize) -> ();
        fn cancel(&mut Self, id: SubscriptionId, reason: Reason, replaced: bool) -> ();
        fn follow(&mut Self, old: SubscriptionId, next: Subscribing<E>) -> Result<(), Subscribing<E>>;
        fn cancel_others(&mut Self, producers: &HashSet<StageId>) -> ();
        fn fetch_only(&mut Self) -> ();
        fn fetch(&mut Self, id: SubscriptionId) -> ();
        fn queue_info(&mut Self, info: Info) -> Result<(), Info>;
        fn next_is_batch(&Self) -> bool;
        fn has_input(&Self) -> bool;
        fn queued(&Self) -> usize;
        fn handled(&mut Self) -> Result<(), Failure>;
        fn restarted(&mut Self) -> Vec<Peer>;
        fn remove(&mut Self, id: SubscriptionId) -> Option<Upstream<E>>;
        fn note_completed(&mut Self) -> ();
        fn are_completed(&Self) -> bool;
        fn is_empty(&Self) -> bool;
        fn fail_batch(&mut Self, failure: Option<&Failure>) -> usize;
        fn end(&mut Self, outcome: &Outcome) -> usize;
    }
}

impl<E> Consuming<E> for NoConsumerHalf {
    fn new(_: &Arc<StageShared>, _: ConsumerOptions<E>) -> Self {
        Self
    }
}

impl<D: Dispatcher> Producing<D> for ProducerHalf<D>
where
    D::Event: Send + 'static,
{
    fn new(shared: &Arc<StageShared>, options: ProducerOptions<D>) -> Self {
        Self::new(Arc::clone(shared), options)
    }

    #[inline]
    fn subscribe(
        &mut self,
        peer: Peer,
        route: D::Route,
        end: ProducerEnd<D::Event>,
    ) -> Result<(), (SubscribeError, ProducerEnd<D::Event>)> {
        Self::subscribe(self, peer, route, end)
    }

    fn next_returned(&mut self) -> Option<(SubscriptionId, &mut Batch<D::Event>)> {
        Self::next_returned(self)
    }

    same! { ProducerHalf:
        fn has_unmet_demand(&Self) -> bool;
        fn may_emit(&Self, eager: bool) -> bool;
        fn is_empty(&Self) -> bool;
        fn is_drained(&mut Self) -> bool;
        fn is_deserted(&Self) -> bool;
        fn consumers(&Self) -> Vec<Peer>;
        fn publish_state(&mut Self) -> Option<SubscriptionId>;
        fn has_due_demand(&Self) -> bool;
        fn next_demand(&mut Self) -> Option<NonZeroUsize>;
        fn wake(&mut Self) -> ();
        fn emit(&mut Self, emitted: &mut Vec<D::Event>) -> ();
        fn info(&mut Self, info: Info) -> ();
        fn set_gate(&mut Self, gate: Gate) -> ();
        fn start(&mut Self) -> ();
        fn evict(&mut Self, id: SubscriptionId, reason: Reason) -> ();
        fn evict_after(&mut Self, id: SubscriptionId, silence: Duration) -> ();
        fn watches_silence(&Self) -> bool;
        fn next_eviction(&mut Self, completing: bool) -> Option<Instant>;
        fn evict_silent(&mut Self, completing: bool) -> ();
        fn reroute(&mut Self, id: SubscriptionId, route: D::Route) -> Result<(), SubscribeError>;
        fn has_pending_callbacks(&Self) -> bool;
        fn hand_back(&mut Self) -> ();
        fn next_cancelled(&mut Self) -> Option<(Peer, Outcome)>;
        fn next_info(&mut Self) -> Option<Info>;
        fn fetch_only(&mut Self) -> ();
        fn fetch(&mut Self, id: SubscriptionId) -> ();
        fn end_links(&mut Self) -> ();
        fn has_ended_links(&Self) -> bool;
        fn shed_unread(&mut Self) -> ();
        fn end(&mut Self, outcome: &Outcome) -> ();
        fn write_off(&mut Self) -> ();
    }
}

impl<D: Dispatcher> Producing<D> for NoProducerHalf {
    fn new(_: &Arc<StageShared>, _: ProducerOptions<D>) -> Self {
        Self { infos: None }
    }

    fn info(&mut self, info: Info) {
        self.infos.get_or_insert_default().push_back(info);
    }

    fn has_pending_callbacks(&self) -> bool {
        self.infos.is_some()
    }

    fn next_info(&mut self) -> Option<Info> {
        let info = self.infos.as_mut()?.pop_front();
        if info.is_none() {
            self.infos = None;
        }
        info
    }
}
