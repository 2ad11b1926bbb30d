//! The producer half of a stage: its dispatcher, and the links to its consumers.
//!
//! An event waits in at most three places on its way to a link: in the buffer of
//! the handler that emits it, in the buffer of the `ProducerSide` while no consumer
//! has asked for it, and in the dispatcher if that keeps events, such as a
//! partition whose consumer is slow. Once it is on a link, it is in flight until
//! the consumer has settled it.
//!
//! A consumer leaves in two steps. It cancels, and the dispatcher sends it nothing
//! more; later it has settled what it was sent, and what it hands back goes to the
//! other subscribers, or waits in front of the buffer.

mod end;
mod leaving;
mod losses;
mod returned;
mod silence;

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use stage_core::{
    Bottleneck, Bound, Budget, Dispatcher, Gate, Info, Outbox, Outcome, Overflow, Peer,
    ProducerSide, SubscribeError, SubscriptionId,
};

use self::losses::Hooks;
use self::returned::HandedBack;
use crate::dead_letter::Hook;
use crate::link::links::Links;
use crate::link::{ConsumerSignal, ProducerEnd};
use crate::shared::StageShared;
use crate::shed::ShedHook;

/// The options of a builder for the producer half.
pub(crate) struct ProducerOptions<D: Dispatcher> {
    pub(crate) dispatcher: D,
    /// The bound of the buffer.
    pub(crate) buffer: Bound<D::Event>,
    /// The budget that the buffer shares.
    pub(crate) budget: Option<Budget>,
    pub(crate) on_overflow: Overflow,
    /// The gate at the start.
    pub(crate) gate: Gate,
    /// The hook for events that the dispatcher could send to no subscriber.
    pub(crate) rejected: Option<Hook<D::Event>>,
    /// The hook for events that the buffer shed.
    pub(crate) shed: Option<ShedHook<D::Event>>,
}

impl<D: Dispatcher> ProducerOptions<D> {
    /// Makes options with an open gate and without hooks.
    pub(crate) fn new(dispatcher: D, buffer: Bound<D::Event>) -> Self {
        Self {
            dispatcher,
            buffer,
            budget: None,
            on_overflow: Overflow::default(),
            gate: Gate::default(),
            rejected: None,
            shed: None,
        }
    }

    /// Replaces the dispatcher by one of another type.
    pub(crate) fn with_dispatcher<D2>(self, dispatcher: D2) -> ProducerOptions<D2>
    where
        D2: Dispatcher<Event = D::Event>,
    {
        ProducerOptions {
            dispatcher,
            buffer: self.buffer,
            budget: self.budget,
            on_overflow: self.on_overflow,
            gate: self.gate,
            rejected: self.rejected,
            shed: self.shed,
        }
    }
}

impl<D: Dispatcher> fmt::Debug for ProducerOptions<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProducerOptions")
            .field("buffer", &self.buffer)
            .field("budget", &self.budget)
            .field("on_overflow", &self.on_overflow)
            .field("gate", &self.gate)
            .finish_non_exhaustive()
    }
}

/// The half of a stage that emits events.
///
/// The protocol, [`ProducerSide`], decides and writes its decisions to the
/// [`Outbox`]. This type carries them out: it sends batches over links, counts,
/// and calls hooks.
pub(crate) struct ProducerHalf<D: Dispatcher> {
    shared: Arc<StageShared>,
    side: ProducerSide<D, Info>,
    /// Decisions of `side`. [`apply_outbox`](Self::apply_outbox) carries them out
    /// at once, except for infos, which wait here for their callback.
    outbox: Outbox<D::Event, Info>,
    links: Links<Subscriber<D::Event>>,
    /// The most events that were emitted at once: the capacity to look for in the
    /// next buffer.
    emitted: usize,
    /// Callbacks to run, if there are any.
    pending_callbacks: Option<Box<PendingCallbacks<D::Event>>>,
    /// The user's hooks, if there are any.
    hooks: Option<Box<Hooks<D::Event>>>,
    /// Events that a full buffer discarded and that no hook has seen.
    overflowed: u64,
    /// Links that may have events in flight, while the stage waits for all of them
    /// to be settled; `None` before it waits.
    in_flight: Option<Vec<SubscriptionId>>,
    /// What is noted of single subscriptions; allocated for the first note.
    notes: Option<Box<Notes>>,
    /// A bottleneck is published, so that a later `None` has to be, too.
    stuck: bool,
    /// [`end_links`](Self::end_links) was called: the stage has completed and goes on
    /// without consumers.
    ended_links: bool,
    /// [`end`](Self::end) was called.
    ended: bool,
}

/// The reason for events that a user's dispatcher addressed to an unknown id.
const STRAY: &str = "the dispatcher delivered to nobody it knows";

/// Callbacks that the event loop has to run.
struct PendingCallbacks<E> {
    /// What a consumer has handed back, for `handle_returned`.
    returned: Option<HandedBack<E>>,
    /// Links to fetch from when that is done: their asks must not be served from
    /// the buffer before older events are back in it.
    deferred: Vec<SubscriptionId>,
    /// Consumers that cancelled, for `handle_cancel`.
    cancelled: VecDeque<(Peer, Outcome)>,
    /// Infos whose turn has come, for `handle_info`.
    infos: VecDeque<Info>,
}

impl<E> PendingCallbacks<E> {
    /// Whether none is left, apart from infos.
    fn are_done(&self) -> bool {
        self.returned.is_none() && self.deferred.is_empty() && self.cancelled.is_empty()
    }
}

// Not derived: a derive would ask the same of `E`.
impl<E> Default for PendingCallbacks<E> {
    fn default() -> Self {
        Self {
            returned: None,
            deferred: Vec::new(),
            cancelled: VecDeque::new(),
            infos: VecDeque::new(),
        }
    }
}

/// Notes on some of the subscriptions, of which most stages have none.
#[derive(Default)]
struct Notes {
    /// Whose route has changed, until they have settled what they were delivered by the old
    /// one.
    rerouted: leaving::Rerouted,
    /// Who is to be evicted if they do not ask.
    watched: Vec<silence::Watched>,
}

impl Notes {
    /// Frees `notes` if there is none left.
    fn tidy(notes: &mut Option<Box<Self>>) {
        notes.take_if(|notes| notes.rerouted.is_empty() && notes.watched.is_empty());
    }
}

/// The producer's view of one subscription.
struct Subscriber<E> {
    /// The consumer, as handlers see it.
    peer: Peer,
    end: ProducerEnd<E>,
    /// The consumer has cancelled and gets nothing more.
    leaving: bool,
}

impl<D: Dispatcher> ProducerHalf<D> {
    /// Makes a half without subscribers.
    pub(crate) fn new(shared: Arc<StageShared>, options: ProducerOptions<D>) -> Self {
        let ProducerOptions {
            dispatcher,
            buffer,
            budget,
            on_overflow,
            gate,
            rejected,
            shed,
        } = options;
        shared
            .gate_closed
            .store(gate == Gate::Closed, Ordering::Relaxed);
        let mut side = ProducerSide::new(dispatcher, buffer, on_overflow, gate);
        if shed.is_some() {
            side.keep_shed();
        }
        if let Some(budget) = &budget {
            side.share(budget);
        }
        Self {
            shared,
            side,
            outbox: Outbox::new(),
            links: Links::default(),
            emitted: 0,
            pending_callbacks: None,
            hooks: Hooks::new(rejected, shed),
            overflowed: 0,
            in_flight: None,
            notes: None,
            stuck: false,
            ended_links: false,
            ended: false,
        }
    }

    /// Asks the dispatcher for demand before the first step.
    pub(crate) fn start(&mut self) {
        self.side.start(&mut self.outbox);
        self.apply_outbox();
    }

    /// Whether the gate is open and consumers have asked for events that were not
    /// emitted yet.
    pub(crate) fn has_unmet_demand(&self) -> bool {
        self.side.unmet() > 0 && self.side.gate() == Gate::Open
    }

    /// Whether the stage may handle input: consumers have asked for more, or it is
    /// eager, and its gate is open.
    pub(crate) fn may_emit(&self, eager: bool) -> bool {
        (self.side.unmet() > 0 || eager) && self.side.gate() == Gate::Open
    }

    /// Whether everything emitted has been sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.side.is_drained() && !self.has_returned()
    }

    /// Whether everything emitted has been sent and settled, so that no consumer
    /// can hand anything back. If not, the stage is notified when the last link is
    /// settled.
    pub(crate) fn is_drained(&mut self) -> bool {
        if !self.is_empty() {
            return false;
        }
        let links = &self.links;
        let in_flight = self
            .in_flight
            .get_or_insert_with(|| links.iter().map(|(id, _)| id).collect());
        // One link at a time: `flush` notifies the stage when that one is settled,
        // and the loop goes on from there.
        while let Some(id) = in_flight.last() {
            if links.get(*id).is_some_and(|link| !link.end.flush()) {
                return false;
            }
            in_flight.pop();
        }
        true
    }

    /// Whether there is no subscriber.
    pub(crate) fn is_deserted(&self) -> bool {
        self.links.is_empty()
    }

    /// Returns the consumers, in the order in which they subscribed.
    pub(crate) fn consumers(&self) -> Vec<Peer> {
        let mut consumers: Vec<_> = self
            .links
            .iter()
            .map(|(_, link)| link.peer.clone())
            .collect();
        consumers.sort_unstable_by_key(|consumer| consumer.subscription);
        consumers
    }

    /// Publishes the unmet demand and the bottleneck, for snapshots. Returns the
    /// consumer without whose ask nothing can be sent, if there is one.
    pub(crate) fn publish_state(&mut self) -> Option<SubscriptionId> {
        // The demand of consumers that are gone is nobody's.
        let unmet = if self.ended_links {
            0
        } else {
            self.side.unmet()
        };
        self.shared.counters.unmet.set(unmet);
        let bottleneck = self.side.bottleneck();
        let awaited = bottleneck.as_ref().and_then(Bottleneck::awaited);
        let stuck = bottleneck.is_some();
        if stuck || self.stuck {
            self.shared.set_bottleneck(bottleneck);
        }
        self.stuck = stuck;
        awaited
    }

    /// Whether `handle_demand` is to be called: there is unmet demand, and it has
    /// risen or the stage was woken since the last call.
    pub(crate) fn has_due_demand(&self) -> bool {
        self.side.has_due_demand()
    }

    /// Returns the demand for the next call of `handle_demand`.
    pub(crate) fn next_demand(&mut self) -> Option<NonZeroUsize> {
        self.side.next_demand()
    }

    /// Makes unmet demand due again: the source may have events by now.
    pub(crate) fn wake(&mut self) {
        self.side.wake();
    }

    /// Dispatches the events that a handler emitted and replaces them by an empty,
    /// recycled buffer.
    #[inline(never)]
    pub(crate) fn emit(&mut self, emitted: &mut Vec<D::Event>) {
        self.emitted = self.emitted.max(emitted.len());
        let counters = &self.shared.counters;
        counters.events_out.add(emitted.len());
        counters.batches_out.add(1);
        let spare = self.outbox.deliveries.spare(self.emitted);
        let events = std::mem::replace(emitted, spare);
        self.side.emit(events, &mut self.outbox);
        self.apply_outbox();
    }

    /// Queues an info behind the events in the buffer.
    pub(crate) fn info(&mut self, info: Info) {
        if self.ended_links {
            // The events in the buffer are discarded, and the info would be with them.
            self.outbox.infos.push(info);
        } else {
            self.side.info(info, &mut self.outbox);
        }
    }

    /// Opens or closes the gate. Opening it sends what has been asked for.
    pub(crate) fn set_gate(&mut self, gate: Gate) {
        self.shared
            .gate_closed
            .store(gate == Gate::Closed, Ordering::Relaxed);
        self.side.set_gate(gate, &mut self.outbox);
        self.apply_outbox();
    }

    /// Adds a subscriber. Returns its end of the link if the dispatcher refuses
    /// the route.
    pub(crate) fn subscribe(
        &mut self,
        peer: Peer,
        route: D::Route,
        mut end: ProducerEnd<D::Event>,
    ) -> Result<(), (SubscribeError, ProducerEnd<D::Event>)>
    where
        D::Event: Send + 'static,
    {
        let id = peer.subscription;
        if let Err(error) = self.side.subscribe(id, route, &mut self.outbox) {
            return Err((error, end));
        }
        end.accept();
        self.shared.consumer_links.insert(end.view());
        let limit = peer.demand.batch_limit();
        self.outbox.deliveries.raise_batch_limit(limit);
        let subscriber = Subscriber {
            peer,
            end,
            leaving: false,
        };
        self.links.insert(id, subscriber, |subscriber, only| {
            subscriber.end.set_only(only);
        });
        self.in_flight = None;
        self.apply_outbox();
        // The consumer may have asked before its subscription arrived here; that
        // notification named a link that the stage did not know.
        self.fetch(id);
        Ok(())
    }

    /// Whether `handle_cancel` or `handle_info` is to be called.
    pub(crate) fn has_pending_callbacks(&self) -> bool {
        self.pending_callbacks.is_some() || !self.outbox.infos.is_empty()
    }

    /// Takes the next consumer to call `handle_cancel` for.
    pub(crate) fn next_cancelled(&mut self) -> Option<(Peer, Outcome)> {
        self.pending_callbacks.as_mut()?.cancelled.pop_front()
    }

    /// Takes the next info whose turn has come. Frees the list once it is empty.
    pub(crate) fn next_info(&mut self) -> Option<Info> {
        if !self.outbox.infos.is_empty() {
            let pending_callbacks = self.pending_callbacks.get_or_insert_default();
            pending_callbacks.infos.extend(self.outbox.infos.drain(..));
        }
        let pending_callbacks = self.pending_callbacks.as_mut()?;
        let info = pending_callbacks.infos.pop_front();
        if info.is_none() && pending_callbacks.are_done() {
            self.pending_callbacks = None;
        }
        info
    }

    /// Fetches from the link whose notifications need no list; see
    /// [`Links::only`].
    pub(crate) fn fetch_only(&mut self) {
        if let Some(id) = self.links.only() {
            self.fetch(id);
        }
    }

    /// Fetches the demand, the emptied buffers and the cancellation of a consumer.
    pub(crate) fn fetch(&mut self, id: SubscriptionId) {
        // A link can be notified before its subscription has arrived, and after it
        // was removed.
        let Some(subscriber) = self.links.get(id) else {
            return;
        };
        if let Some(pending) = &mut self.pending_callbacks
            && pending.returned.is_some()
        {
            pending.deferred.push(id);
            return;
        }
        let deliveries = &mut self.outbox.deliveries;
        match subscriber.end.fetch(|spare| deliveries.recycle(spare)) {
            ConsumerSignal::Demand(demand) => {
                // A consumer that was evicted may ask until it learns of that.
                if let Some(demand) = NonZeroUsize::new(demand)
                    && !subscriber.leaving
                {
                    self.side.ask(id, demand, &mut self.outbox);
                    self.apply_outbox();
                }
            }
            ConsumerSignal::Leaving => self.cancel(id),
            ConsumerSignal::Left(outcome) => {
                self.cancel(id);
                self.remove(id, outcome);
            }
        }
        if self.notes.is_some() {
            self.settle_reroute(id);
        }
    }

    /// Carries out what the protocol has written to the outbox.
    #[inline(always)]
    fn apply_outbox(&mut self) {
        if self.outbox.deliveries.has_sends() {
            self.send();
        }
        if self.outbox.has_losses() {
            self.count_losses();
        }
        let waiting = self.side.buffered() + self.side.held();
        self.shared.counters.buffered.set(waiting);
        if let Some(shown) = &self.shared.buffered_bytes {
            shown.set(self.side.buffered_bytes().unwrap_or_default());
        }
    }

    /// Sends the deliveries over their links.
    #[inline(always)]
    fn send(&mut self) {
        let (mut sent, mut strays) = (0, 0);
        let links = &self.links;
        self.outbox.deliveries.send_all(|id, batch| {
            let Some(subscriber) = links.get(id) else {
                strays += batch.len();
                return None;
            };
            sent += batch.len();
            subscriber.end.send(batch)
        });
        self.shared.counters.delivered.add(sent);
        if sent > 0 {
            self.in_flight = None;
        }
        self.discard(strays, STRAY);
    }
}
