//! The two halves of a stage: what it takes over links, and what it sends over
//! them. A stage that has only one of them has no room for the other.

use std::collections::{HashSet, VecDeque};
use std::num::NonZeroUsize;
use std::sync::Arc;

use stage_core::{
    DemandMode, Dispatcher, Failure, Gate, Info, Outcome, Peer, Reason, SubscribeError,
    SubscriptionId,
};

use super::consumer_half::{ConsumerHalf, ConsumerOptions, Next, Subscribing, Upstream};
use super::producer_half::{ProducerHalf, ProducerOptions};
use crate::link::ProducerEnd;
use crate::shared::StageShared;
use crate::stage_id::StageId;
use crate::subscription::Wired;

/// A stage's half as a consumer: [`ConsumerHalf`], which says what the methods do, or
/// none, which has nothing and never will: what the methods do by default.
pub(crate) trait Consuming<E>: Send + 'static {
    fn new(shared: &Arc<StageShared>, options: ConsumerOptions<E>) -> Self;

    fn insert(&mut self, wired: Wired<E>) -> Peer {
        wired.producer
    }

    fn open(&mut self, _id: SubscriptionId, _mode: DemandMode) {}

    fn ask(&mut self, _id: SubscriptionId, _demand: usize) {}

    fn cancel(&mut self, _id: SubscriptionId, _reason: Reason, _replaced: bool) {}

    fn follow(&mut self, _old: SubscriptionId, next: Subscribing<E>) -> Result<(), Subscribing<E>> {
        Err(next)
    }

    fn cancel_others(&mut self, _producers: &HashSet<StageId>) {}

    fn fetch_only(&mut self) {}

    fn fetch(&mut self, _id: SubscriptionId) {}

    fn queue_info(&mut self, info: Info) -> Result<(), Info> {
        Err(info)
    }

    fn next_is_batch(&self) -> bool {
        true
    }

    fn has_input(&self) -> bool {
        false
    }

    fn next(&mut self) -> Option<Next<'_, E>> {
        None
    }

    fn queued(&self) -> usize {
        0
    }

    fn handled(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn restarted(&mut self) -> Vec<Peer> {
        Vec::new()
    }

    fn remove(&mut self, _id: SubscriptionId) -> Option<Upstream<E>> {
        None
    }

    fn note_completed(&mut self) {}

    fn are_completed(&self) -> bool {
        false
    }

    fn is_empty(&self) -> bool {
        true
    }

    fn fail_batch(&mut self, _failure: Option<&Failure>) -> usize {
        0
    }

    fn end(&mut self, _outcome: &Outcome) -> usize {
        0
    }
}

/// A stage's half as a producer: [`ProducerHalf`], which says what the methods do, or
/// none, which only hands infos on: that is what the others do by default.
pub(crate) trait Producing<D: Dispatcher>: Send {
    fn new(shared: &Arc<StageShared>, options: ProducerOptions<D>) -> Self;

    fn has_unmet_demand(&self) -> bool {
        false
    }

    fn is_empty(&self) -> bool {
        true
    }

    fn is_drained(&mut self) -> bool {
        true
    }

    fn is_deserted(&self) -> bool {
        true
    }

    fn consumers(&self) -> Vec<Peer> {
        Vec::new()
    }

    fn publish_state(&mut self) -> Option<SubscriptionId> {
        None
    }

    fn has_due_demand(&self) -> bool {
        false
    }

    fn next_demand(&mut self) -> Option<NonZeroUsize> {
        None
    }

    fn wake(&mut self) {}

    fn emit(&mut self, _emitted: &mut Vec<D::Event>) {}

    fn info(&mut self, info: Info);

    fn set_gate(&mut self, _gate: Gate) {}

    fn subscribe(
        &mut self,
        _peer: Peer,
        _route: D::Route,
        _end: ProducerEnd<D::Event>,
    ) -> Result<(), (SubscribeError, ProducerEnd<D::Event>)> {
        Ok(())
    }

    fn has_pending_callbacks(&self) -> bool;

    fn next_cancelled(&mut self) -> Option<(Peer, Outcome)> {
        None
    }

    fn next_info(&mut self) -> Option<Info>;

    fn fetch_only(&mut self) {}

    fn fetch(&mut self, _id: SubscriptionId) {}

    fn end(&mut self, _outcome: &Outcome) {}

    fn write_off(&mut self) {}
}

/// A producer takes nothing.
pub(crate) struct NoConsumerHalf;

/// A consumer sends nothing, but its infos go where a producer's go through the
/// buffer.
pub(crate) struct NoProducerHalf {
    /// Made for the first.
    #[expect(
        clippy::box_collection,
        reason = "a stage would have room for a queue that most of them never need"
    )]
    infos: Option<Box<VecDeque<Info>>>,
}

/// Writes methods that do what the ones of the same name do that the type has.
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

    same! { ProducerHalf:
        fn has_unmet_demand(&Self) -> bool;
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
        fn has_pending_callbacks(&Self) -> bool;
        fn next_cancelled(&mut Self) -> Option<(Peer, Outcome)>;
        fn next_info(&mut Self) -> Option<Info>;
        fn fetch_only(&mut Self) -> ();
        fn fetch(&mut Self, id: SubscriptionId) -> ();
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
