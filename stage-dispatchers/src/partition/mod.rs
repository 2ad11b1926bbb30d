//! Every event to the partition it hashes to.

mod build;
mod hash;
mod key;
mod lanes;
mod place;
mod plan;
mod slot;

use std::fmt::{self, Debug};
use std::hash::Hash;
use std::num::NonZeroUsize;

use foldhash::HashMap;
use stage_core::{
    Batch, Bottleneck, Deliveries, Dispatcher, SubscribeError, SubscriptionId, Supply,
};

pub use self::build::PartitionError;
use self::lanes::Targets;
use self::plan::Plan;
use self::slot::{Slot, Sums};
use crate::least::Least;
use crate::supply::{saturate, shortfall};
pub use key::PartitionKey;

/// Sends each event to the subscriber of the partition it hashes to.
///
/// A partition has one subscriber at a time. Events for a partition whose
/// subscriber is slow, or absent, wait in a queue of its own, up to
/// [`queue_bound`](Partition::queue_bound); until then the other partitions go
/// on. While a subscriber waits, upstream is asked for as many events as that
/// has asked for, for each partition: what comes may be for any of them, and is
/// handed on in large batches then. At the bound the dispatcher asks upstream for
/// nothing more, because what comes could be for that partition: nothing is
/// discarded for it, and [`blocked`](Partition::blocked) names it.
///
/// | partitions | hash | made by |
/// |---|---|---|
/// | `0..n` | a stable one over the event | [`new`](Partition::new) |
/// | `0..n` | a stable one over a part of the event | [`by_key`](Partition::by_key) |
/// | `0..n` | yours, which names the number | [`by_index`](Partition::by_index) |
/// | named | yours, which names the partition | [`by_name`](Partition::by_name) |
///
/// The stable hash sends a key to the same partition in every run of a
/// program. It follows from how the standard library hashes the type, the
/// byte order and the word size: do not store what it says.
///
/// An event for which your hash says `None` is dropped, counted as discarded,
/// and asked for again. One that it sends to a partition that does not exist
/// is reported as rejected, and the producer lives.
///
/// A subscriber that cancels has its partition until it has handled, or given
/// back, what it was delivered: so the events of a partition stay in order. Then
/// the events queued for it go back to the producer, in front of everything
/// newer, and come again for the next one.
///
/// ```
/// use std::num::NonZeroUsize;
/// use stage_core::{Batch, Deliveries, Dispatcher, SubscriptionId};
/// use stage_dispatchers::{Partition, PartitionKey};
///
/// let odd = SubscriptionId::new(1);
/// let mut out = Deliveries::new();
/// let mut parts = Partition::by_index(2, |n: &usize| Some(n % 2))?;
/// parts.subscribe(odd, PartitionKey(1))?;
/// parts.ask(odd, NonZeroUsize::new(4).unwrap(), &mut out);
///
/// parts.dispatch(Batch::from(vec![1, 2, 3, 4]), &mut out);
/// assert_eq!(out.take_sends().next().unwrap().1[..], [1, 3]);
/// assert_eq!(parts.queued(&0), Some(2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Source: `GenStage.PartitionDispatcher`. There the queues have no bound,
/// a partition's queued events hide the demand of the others (its issue 282)
/// and are dropped when the subscriber cancels, and an unknown partition
/// crashes the producer.
pub struct Partition<E, K = usize> {
    slots: Vec<Slot<K, E>>,
    /// By lane of the plan, the events of the dispatch under way.
    incoming: Vec<Vec<E>>,
    index: HashMap<K, usize>,
    owners: HashMap<SubscriptionId, usize>,
    /// Former owners that still handle what they were delivered. Nobody else
    /// has their partition meanwhile.
    leaving: HashMap<SubscriptionId, usize>,
    targets: Box<dyn Targets<E>>,
    bound: usize,
    /// How many more events each partition can take: demand plus free places
    /// in the queue. Nobody knows where the next events will go, so the least
    /// room bounds what may be asked for.
    rooms: Least,
    sums: Sums,
    /// Events that upstream was asked for and that have not been dispatched.
    waiting: u128,
    plan: Plan,
}

impl<E, K: Eq + Hash + Debug> Partition<E, K> {
    /// How many events wait for one partition; `None` when there is no such
    /// partition.
    #[must_use]
    pub fn queued(&self, partition: &K) -> Option<usize> {
        self.index
            .get(partition)
            .map(|&index| self.slots[index].queued())
    }

    /// A partition whose queue is at its bound and whose subscriber has no
    /// demand. As long as there is one, nothing is asked of upstream.
    #[must_use]
    pub fn blocked(&self) -> Option<&K> {
        self.full().map(|slot| &slot.key)
    }

    /// What upstream owes beyond the demand there is for it.
    ///
    /// Queued events count: the asks they will answer need nothing new.
    fn pending(&self) -> u128 {
        (self.waiting + self.sums.queued).saturating_sub(self.sums.demand)
    }

    /// What upstream should owe while somebody waits.
    ///
    /// The next event may be for any partition, so it takes as many as one of
    /// those who wait has asked for, for each partition. What one lacks and not
    /// what it has asked for would do as well, but ever less would be asked for,
    /// and brought, in ever smaller batches.
    fn wanted(&self) -> u128 {
        let asks = self.sums.asks * self.slots.len() as u128;
        let wanted = asks.div_ceil(self.sums.waiting.max(1) as u128);
        wanted.min(self.rooms.least())
    }

    /// The first partition without any room.
    fn full(&self) -> Option<&Slot<K, E>> {
        (self.rooms.least() == 0).then(|| &self.slots[self.rooms.place()])
    }

    fn update_room(&mut self, index: usize) {
        self.rooms.set(index, self.slots[index].room(self.bound));
    }
}

/// The partitions there are, for error messages.
fn names<K: Debug, E>(slots: &[Slot<K, E>]) -> String {
    const SHOWN: usize = 16;
    let mut names: Vec<String> = slots
        .iter()
        .take(SHOWN)
        .map(|slot| format!("{:?}", slot.key))
        .collect();
    if slots.len() > SHOWN {
        names.push(format!("and {} more", slots.len() - SHOWN));
    }
    names.join(", ")
}

impl<E: Send, K: Eq + Hash + Clone + Debug + Send> Dispatcher for Partition<E, K> {
    type Event = E;
    type Route = PartitionKey<K>;

    fn subscribe(
        &mut self,
        id: SubscriptionId,
        PartitionKey(partition): PartitionKey<K>,
    ) -> Result<usize, SubscribeError> {
        if self.owners.contains_key(&id) || self.leaving.contains_key(&id) {
            return Err(SubscribeError::AlreadySubscribed { id });
        }
        let Some(&index) = self.index.get(&partition) else {
            return Err(SubscribeError::UnknownPartition {
                partition: format!("{partition:?}"),
                known: names(&self.slots),
            });
        };
        if let Some(owner) = self.slots[index].owner {
            return Err(SubscribeError::PartitionTaken {
                partition: format!("{partition:?}"),
                owner,
            });
        }
        self.slots[index].owner = Some(id);
        self.owners.insert(id, index);
        Ok(0)
    }

    fn cancel(&mut self, id: SubscriptionId, _out: &mut Deliveries<E>) -> usize {
        if let Some(index) = self.owners.remove(&id) {
            self.leaving.insert(id, index);
            self.slots[index].set_demand(0, &mut self.sums);
            self.update_room(index);
        }
        0
    }

    fn take_back(
        &mut self,
        id: SubscriptionId,
        unhandled: Vec<Batch<E>>,
        out: &mut Deliveries<E>,
    ) -> usize {
        for events in unhandled {
            out.hand_back(events);
        }
        let Some(index) = self.leaving.remove(&id) else {
            return 0;
        };
        let queued = self.slots[index].vacate(&mut self.sums);
        self.update_room(index);
        let count = queued.len();
        // They come through here again.
        self.waiting += count as u128;
        out.hand_back(queued);
        count
    }

    fn ask(&mut self, id: SubscriptionId, demand: NonZeroUsize, out: &mut Deliveries<E>) -> usize {
        let Some(&index) = self.owners.get(&id) else {
            return 0;
        };
        let unasked = (demand.get() as u128).saturating_sub(self.pending());
        self.slots[index].ask(demand.get(), &mut self.sums, out);
        self.update_room(index);
        let request = unasked.min(self.rooms.least().saturating_sub(self.waiting));
        self.waiting += request;
        saturate(request)
    }

    fn dispatch(&mut self, mut events: Batch<E>, out: &mut Deliveries<E>) -> Batch<E> {
        if self.may_sort(events.len()) {
            let count = events.len();
            let dropped = self.sort(events, out);
            self.waiting -= (count - dropped) as u128;
            out.request(dropped);
            return Batch::new();
        }
        let beyond_asked = (events.len() as u128).saturating_sub(self.waiting);
        self.plan(&events);
        if self.plan.len() == 0 {
            return events;
        }
        let dropped = self.plan.dropped();
        self.waiting -= (self.plan.len() - dropped) as u128;
        let now = events.split_to(self.plan.len());
        self.place(now, out);
        // Dropped events that nobody had asked for leave nothing to make up.
        out.request(dropped.saturating_sub(saturate(beyond_asked)));
        events
    }

    fn at_rest(&mut self, supply: Supply) -> usize {
        // What is buffered is tried whatever the room: it need not be for the
        // partition that is full. What is not there yet might be.
        let buffered = self.sums.demand.min(supply.buffered as u128);
        let extra = shortfall(self.wanted().saturating_sub(buffered), supply.owed);
        let demand = buffered + extra as u128;
        self.waiting = supply.owed as u128 + demand;
        saturate(demand)
    }

    fn bottleneck(&self) -> Option<Bottleneck> {
        let slot = self.full()?;
        let part = format!("partition {:?}", slot.key);
        Some(Bottleneck::new(slot.owner, slot.queued()).with_part(part))
    }

    fn held(&self) -> usize {
        saturate(self.sums.queued)
    }
}

impl<E, K: Debug> Debug for Partition<E, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partition")
            .field("slots", &self.slots)
            .field("bound", &self.bound)
            .field("waiting", &self.waiting)
            .field("sums", &self.sums)
            .finish_non_exhaustive()
    }
}
