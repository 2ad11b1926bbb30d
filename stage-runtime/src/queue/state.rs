//! What is under the lock of a queue.

use std::collections::VecDeque;
use std::task::Waker;

use stage_core::{Bound, Reason, SubscriptionId};

use super::QueueCounts;
use super::room::Room;

/// Events whose room a queue keeps when it is emptied; a larger buffer, left over
/// from a burst, is given back.
const KEPT_CAPACITY: usize = 16 * 1024;

/// How far a queue has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    /// Nothing more comes; what is there is still delivered.
    Finished,
    /// The source ends as cancelled, for this reason.
    Detached(Reason),
    /// The source is gone.
    Gone,
}

/// What a source is to do after it took events.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// There are more, or more may come.
    Wait,
    /// That was all.
    Complete,
    /// It was let go.
    Stop(Reason),
}

/// The state of a queue. No method runs code of the user's but the weigher, and that
/// before it changes anything.
pub(super) struct State<E> {
    bound: Bound<E>,
    pub(super) events: VecDeque<E>,
    pub(super) room: Room,
    pub(super) phase: Phase,
    /// The waker of the stage that reads.
    pub(super) reader: Option<Waker>,
    /// The reader found fewer events than it was asked for, and waits.
    pub(super) reader_waits: bool,
    pub(super) inlets: usize,
    pub(super) readers: usize,
    /// The subscriptions of the consumers.
    pub(super) consumers: Vec<SubscriptionId>,
    /// The weight of the events.
    weight: usize,
    pushed: u64,
    delivered: u64,
    shed: u64,
}

impl<E> State<E> {
    pub(super) const fn new(bound: Bound<E>, limit: Option<usize>) -> Self {
        Self {
            bound,
            events: VecDeque::new(),
            room: Room::new(limit),
            phase: Phase::Open,
            reader: None,
            reader_waits: false,
            inlets: 1,
            readers: 1,
            consumers: Vec::new(),
            weight: 0,
            pushed: 0,
            delivered: 0,
            shed: 0,
        }
    }

    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Stores an event that has its room. Returns whether the reader is to be woken.
    #[inline]
    pub(super) fn store(&mut self, event: E, weight: usize) -> bool {
        self.events.push_back(event);
        self.weight = self.weight.saturating_add(weight);
        self.pushed += 1;
        std::mem::take(&mut self.reader_waits)
    }

    /// Counts an event that is shed instead of being stored.
    pub(super) const fn shed_newest(&mut self) {
        self.pushed += 1;
        self.shed += 1;
    }

    /// Sheds the oldest events until `weight` fits.
    pub(super) fn shed_oldest(&mut self, weight: usize) -> Vec<E> {
        let mut shed = Vec::new();
        while !self.room.fits(weight) {
            let Some(oldest) = self.events.front() else {
                break;
            };
            let freed = match self.events.len() {
                1 => self.weight,
                _ => weight_of(&self.bound, oldest),
            };
            shed.extend(self.events.pop_front());
            self.shed += 1;
            let nobody = self.freed(freed);
            debug_assert!(nobody.is_empty(), "nobody waits in a queue that sheds");
        }
        shed
    }

    /// Moves up to `demand` events to `out`. Returns the wakers of those who have room
    /// now, and what the source is to do.
    pub(super) fn take(&mut self, demand: usize, out: &mut Vec<E>) -> (Vec<Waker>, Next) {
        let count = demand.min(self.events.len());
        let granted = if count == 0 {
            Vec::new()
        } else if count == self.events.len() {
            self.take_all(out);
            self.freed(self.weight)
        } else {
            let taken = self.events.range(..count);
            let freed = match self.bound {
                Bound::Bytes { .. } => taken.fold(0_usize, |sum, event| {
                    sum.saturating_add(weight_of(&self.bound, event))
                }),
                _ => count,
            };
            out.extend(self.events.drain(..count));
            self.freed(freed)
        };
        self.delivered += count as u64;
        self.reader_waits = count < demand;
        (granted, self.next())
    }

    fn take_all(&mut self, out: &mut Vec<E>) {
        if self.events.capacity() > KEPT_CAPACITY {
            out.extend(std::mem::take(&mut self.events));
        } else if out.is_empty() {
            // Exchanges the buffers, so that the lock is held as short for many events
            // as for one. Costs a move of the events if the front is not at the start.
            let emptied = VecDeque::from(std::mem::take(out));
            *out = Vec::from(std::mem::replace(&mut self.events, emptied));
        } else {
            out.extend(self.events.drain(..));
        }
    }

    /// Removes the queued events, and counts them as shed.
    pub(super) fn shed_all(&mut self) -> (VecDeque<E>, Vec<Waker>) {
        let events = std::mem::take(&mut self.events);
        self.shed += events.len() as u64;
        (events, self.freed(self.weight))
    }

    /// Gives the room of events that have left back: not more than the events had, even
    /// if the weigher says another number now than when they were stored.
    fn freed(&mut self, weight: usize) -> Vec<Waker> {
        let weight = weight.min(self.weight);
        self.weight -= weight;
        self.room.release(weight)
    }

    /// What the source is to do when it has taken what there is.
    pub(super) fn next(&self) -> Next {
        match &self.phase {
            Phase::Open => Next::Wait,
            Phase::Detached(reason) => Next::Stop(reason.clone()),
            Phase::Finished | Phase::Gone if self.events.is_empty() => Next::Complete,
            Phase::Finished | Phase::Gone => Next::Wait,
        }
    }

    pub(super) fn counts(&self) -> QueueCounts {
        QueueCounts {
            len: self.events.len(),
            bytes: match self.bound {
                Bound::Bytes { .. } => self.weight,
                _ => 0,
            },
            pushed: self.pushed,
            delivered: self.delivered,
            shed: self.shed,
            waiting: self.room.waiting(),
        }
    }

    pub(super) const fn shed(&self) -> u64 {
        self.shed
    }
}

/// An event weighs at least 1: events of no weight would fill the memory.
#[inline]
pub(super) fn weight_of<E>(bound: &Bound<E>, event: &E) -> usize {
    bound.weight_of(event).max(1)
}
