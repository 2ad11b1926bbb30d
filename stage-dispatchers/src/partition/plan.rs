//! [`Plan`]: the lanes of a dispatch's events, computed before any event is
//! moved. Used when there may not be room for all of them.

use std::vec;

use stage_core::DispatchError;

/// The target of an event.
pub(super) enum Target {
    /// The partition with this index.
    Partition(usize),
    /// The hash function dropped the event.
    Nowhere,
    /// The event cannot be delivered.
    Astray(Astray),
}

/// The reason why an event cannot be delivered.
#[derive(Debug)]
pub(super) enum Astray {
    /// The hash function returned this partition, which does not exist.
    Unknown(String),
    /// The hash function panicked with this message.
    Panicked(String),
}

impl Astray {
    /// Returns the error; `known` lists the existing partitions.
    pub(super) fn into_error(self, known: impl FnOnce() -> String) -> DispatchError {
        match self {
            Self::Unknown(partition) => DispatchError::UnknownPartition {
                partition,
                known: known(),
            },
            Self::Panicked(message) => DispatchError::Panicked {
                function: "the hash",
                message,
            },
        }
    }
}

/// The lanes of the leading events of a dispatch; reused for its allocations.
///
/// A *lane* is a queue that events are moved to: one per partition, at the
/// partition's index, then one for dropped events, and one for undeliverable
/// events (`astray`).
///
/// Counting first gives each lane one vector of the right size, and means that
/// no event has moved if the user's hash function panics.
#[derive(Debug)]
pub(super) struct Plan {
    partitions: usize,
    /// The lane of each planned event, followed by stale entries.
    lanes: Vec<u32>,
    planned: usize,
    /// The number of events by lane.
    counts: Vec<usize>,
    /// The reasons of the events that are `astray`, in order.
    reasons: Vec<Astray>,
    /// The lanes with a count above 0; filled by `close`.
    touched: Vec<usize>,
}

/// Counts planned events in a register and adds the count to `all` on drop,
/// also by a panic. A counter in memory would make each iteration wait for the
/// one before.
struct Planned<'a> {
    count: usize,
    all: &'a mut usize,
}

impl Drop for Planned<'_> {
    #[inline]
    fn drop(&mut self) {
        *self.all += self.count;
    }
}

impl Plan {
    pub(super) fn new(partitions: usize) -> Self {
        Self {
            partitions,
            lanes: Vec::new(),
            planned: 0,
            counts: vec![0; partitions + 2],
            reasons: Vec::new(),
            touched: Vec::new(),
        }
    }

    pub(super) fn clear(&mut self) {
        for lane in self.touched.drain(..) {
            self.counts[lane] = 0;
        }
        self.planned = 0;
        self.reasons.clear();
    }

    /// Plans events one after another. If `target` panics, the events before
    /// are planned.
    ///
    /// The loop is in here, rather than around a call for each event, so that
    /// it is compiled together with the hash function.
    pub(super) fn extend<E>(&mut self, events: &[E], target: impl Fn(&E) -> Target) {
        let end = self.planned + events.len();
        if self.lanes.len() < end {
            self.lanes.resize(end, 0);
        }
        let lanes = &mut self.lanes[self.planned..end];
        let counts = &mut self.counts[..];
        let mut planned = Planned {
            count: 0,
            all: &mut self.planned,
        };
        for (lane, event) in lanes.iter_mut().zip(events) {
            let to = match target(event) {
                Target::Partition(index) => index,
                Target::Nowhere => self.partitions,
                Target::Astray(why) => {
                    self.reasons.push(why);
                    self.partitions + 1
                }
            };
            counts[to] += 1;
            *lane = to as u32;
            planned.count += 1;
        }
    }

    /// Plans the event at which `target` has just panicked as `astray`.
    pub(super) fn push_panicked(&mut self, message: String) {
        let astray = self.note_astray(Astray::Panicked(message));
        self.counts[astray] += 1;
        self.lanes[self.planned] = astray as u32;
        self.planned += 1;
    }

    /// Records the reason of the next `astray` event, without planning it;
    /// returns its lane.
    #[cold]
    pub(super) fn note_astray(&mut self, why: Astray) -> usize {
        self.reasons.push(why);
        self.astray()
    }

    /// Removes the last planned event if it exceeds the `room` of its
    /// partition; returns `true` if it did.
    pub(super) fn pop_beyond(&mut self, room: impl Fn(usize) -> u128) -> bool {
        let Some(&lane) = self.lanes().last() else {
            return false;
        };
        let lane = lane as usize;
        let beyond = lane < self.partitions && self.counts[lane] as u128 > room(lane);
        if beyond {
            self.counts[lane] -= 1;
            self.planned -= 1;
        }
        beyond
    }

    /// Returns the number of planned events.
    pub(super) const fn len(&self) -> usize {
        self.planned
    }

    /// Returns the number of planned events that reach no partition.
    pub(super) fn dropped(&self) -> usize {
        self.counts[self.nowhere()] + self.counts[self.astray()]
    }

    pub(super) const fn nowhere(&self) -> usize {
        self.partitions
    }

    pub(super) const fn astray(&self) -> usize {
        self.partitions + 1
    }

    /// Ends planning: collects the lanes that get events. The cost is bounded
    /// by the number of events, however many partitions there are.
    pub(super) fn close(&mut self) {
        let lanes = self.counts.len();
        if lanes <= self.planned {
            let touched = (0..lanes).filter(|&lane| self.counts[lane] > 0);
            self.touched.extend(touched);
        } else {
            let lanes = self.lanes[..self.planned].iter();
            self.touched.extend(lanes.map(|&lane| lane as usize));
            self.touched.sort_unstable();
            self.touched.dedup();
        }
    }

    /// Returns the partition if all events go to the same one.
    pub(super) fn only_partition(&self) -> Option<usize> {
        match self.touched[..] {
            [lane] if lane < self.partitions => Some(lane),
            _ => None,
        }
    }

    /// Returns the lane of each planned event.
    pub(super) fn lanes(&self) -> &[u32] {
        &self.lanes[..self.planned]
    }

    /// Returns the lanes that get events and their counts, in the order of the
    /// lanes.
    pub(super) fn counts(&self) -> impl Iterator<Item = (usize, usize)> + use<'_> {
        self.touched.iter().map(|&lane| (lane, self.counts[lane]))
    }

    /// Takes the reasons of the `astray` events, in order.
    pub(super) fn take_reasons(&mut self) -> vec::Drain<'_, Astray> {
        self.reasons.drain(..)
    }
}
