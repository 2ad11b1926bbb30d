//! [`Partition`]: sends every event to the partition that it hashes to.

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
/// subscriber is slow or absent wait in the partition's own queue, up to
/// [`queue_bound`](Partition::queue_bound) events; until then the other
/// partitions continue. At the bound the dispatcher stops asking upstream,
/// because the next event may be for the full partition: it discards nothing,
/// and [`blocked`](Partition::blocked) returns that partition.
///
/// While a subscriber waits, upstream is asked for the subscriber's last ask
/// times the number of partitions: the next event may be for any of them, and
/// large requests keep batches large.
///
/// | partitions | hash function | created by |
/// |---|---|---|
/// | `0..n` | stable hash of the event | [`new`](Partition::new) |
/// | `0..n` | stable hash of a part of the event | [`by_key`](Partition::by_key) |
/// | `0..n` | user-defined, returns a number | [`by_index`](Partition::by_index) |
/// | named | user-defined, returns a name | [`by_name`](Partition::by_name) |
///
/// The stable hash sends a key to the same partition in every run of a program.
/// It depends on how the standard library hashes the type, on the byte order
/// and on the word size: do not store its results.
///
/// An event for which a user-defined hash function returns `None` is dropped,
/// counted as discarded, and asked for again. An event sent to a partition that
/// does not exist is reported as rejected; the producer continues.
///
/// A subscriber that cancels keeps its partition until it has handled or handed
/// back the events it was delivered, so that the events of a partition stay in
/// order. The events queued for the partition then go back to the front of the
/// producer's buffer and are dispatched again to the partition's next
/// subscriber.
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
/// Source: `GenStage.PartitionDispatcher`. There, the queues have no bound; a
/// partition's queued events hide the demand of the others (its issue 282) and
/// are dropped when the subscriber cancels; and an unknown partition crashes
/// the producer.
pub struct Partition<E, K = usize> {
    slots: Vec<Slot<K, E>>,
    /// The events of the current dispatch, by lane of the plan.
    incoming: Vec<Vec<E>>,
    index: HashMap<K, usize>,
    owners: HashMap<SubscriptionId, usize>,
    /// Partitions whose former owners are still handling delivered events, because
    /// they have cancelled or changed their partition. They are not assigned to
    /// another subscriber yet.
    leaving: HashMap<SubscriptionId, Vec<usize>>,
    targets: Box<dyn Targets<E>>,
    bound: usize,
    /// The number of events that each partition can accept: demand plus free
    /// places in the queue. The partition of the next event is unknown, so the
    /// least room bounds the demand for upstream.
    rooms: Least,
    sums: Sums,
    /// Events that upstream was asked for and that have not been dispatched.
    waiting: u128,
    plan: Plan,
}

impl<E, K: Eq + Hash + Debug> Partition<E, K> {
    /// Returns the number of events queued for a partition; `None` for an
    /// unknown partition.
    #[must_use]
    pub fn queued(&self, partition: &K) -> Option<usize> {
        self.index
            .get(partition)
            .map(|&index| self.slots[index].queued())
    }

    /// Returns a partition whose queue is at its bound and whose subscriber has
    /// no demand. While there is one, nothing is asked of upstream.
    #[must_use]
    pub fn blocked(&self) -> Option<&K> {
        self.full().map(|slot| &slot.key)
    }

    /// Returns the number of events that upstream owes beyond the demand for
    /// them.
    ///
    /// Queued events count: the asks that they will answer need no new events.
    fn pending(&self) -> u128 {
        (self.waiting + self.sums.queued).saturating_sub(self.sums.demand)
    }

    /// Returns the number of events that upstream should owe while subscribers
    /// wait: their average ask times the number of partitions, at most the
    /// least room.
    ///
    /// The next event may be for any partition. Using the missing events
    /// instead of the last ask would work, but requests, and with them batches,
    /// would get ever smaller.
    fn wanted(&self) -> u128 {
        let asks = self.sums.asks * self.slots.len() as u128;
        let wanted = asks.div_ceil(self.sums.waiting.max(1) as u128);
        wanted.min(self.rooms.least())
    }

    /// Returns a partition without room, if there is one.
    fn full(&self) -> Option<&Slot<K, E>> {
        (self.rooms.least() == 0).then(|| &self.slots[self.rooms.place()])
    }

    /// Returns the index of a partition.
    fn find(&self, partition: &K) -> Result<usize, SubscribeError> {
        let index = self.index.get(partition).copied();
        index.ok_or_else(|| SubscribeError::UnknownPartition {
            partition: format!("{partition:?}"),
            known: names(&self.slots),
        })
    }

    /// Checks that a partition has no subscriber.
    fn check_free(&self, index: usize) -> Result<(), SubscribeError> {
        let slot = &self.slots[index];
        match slot.owner {
            None => Ok(()),
            Some(owner) => Err(SubscribeError::PartitionTaken {
                partition: format!("{:?}", slot.key),
                owner,
            }),
        }
    }

    fn update_room(&mut self, index: usize) {
        self.rooms.set(index, self.slots[index].room(self.bound));
    }
}

/// Returns the names of the partitions, for error messages.
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
        let index = self.find(&partition)?;
        self.check_free(index)?;
        self.slots[index].owner = Some(id);
        self.owners.insert(id, index);
        Ok(0)
    }

    fn cancel(&mut self, id: SubscriptionId, _out: &mut Deliveries<E>) -> usize {
        if let Some(index) = self.owners.remove(&id) {
            self.leaving.entry(id).or_default().push(index);
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
        let mut count = 0;
        for index in self.leaving.remove(&id).unwrap_or_default() {
            let queued = self.slots[index].vacate(&mut self.sums);
            self.update_room(index);
            count += queued.len();
            out.hand_back(queued);
        }
        // These events will be dispatched again.
        self.waiting += count as u128;
        count
    }

    /// Moves the subscriber to another partition, which must be free. The demand
    /// goes with it; the queue of the old partition does not.
    fn reroute(
        &mut self,
        id: SubscriptionId,
        PartitionKey(partition): PartitionKey<K>,
        out: &mut Deliveries<E>,
    ) -> Result<usize, SubscribeError> {
        let Some(&old) = self.owners.get(&id) else {
            return Err(SubscribeError::NotSubscribed { id });
        };
        let new = self.find(&partition)?;
        if new == old {
            return Ok(0);
        }
        // It may go back to one that it has just left.
        if self.slots[new].owner != Some(id) {
            self.check_free(new)?;
        }
        let leaving = self.leaving.entry(id).or_default();
        leaving.retain(|index| *index != new);
        leaving.push(old);
        self.owners.insert(id, new);
        let demand = self.slots[old].demand();
        self.slots[old].set_demand(0, &mut self.sums);
        self.slots[new].owner = Some(id);
        if demand > 0 {
            self.slots[new].ask(demand, &mut self.sums, out);
        }
        self.update_room(old);
        self.update_room(new);
        Ok(0)
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
        // Dropped events that were not asked for need no replacement.
        out.request(dropped.saturating_sub(saturate(beyond_asked)));
        events
    }

    fn at_rest(&mut self, supply: Supply) -> usize {
        // Buffered events are dispatched whatever the room, as they need not be
        // for the full partition. Events to come might be.
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

    fn take_held(&mut self) -> Vec<Batch<E>> {
        let sums = &mut self.sums;
        let slots = self.slots.iter_mut();
        slots.map(|slot| slot.vacate(sums)).collect()
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
