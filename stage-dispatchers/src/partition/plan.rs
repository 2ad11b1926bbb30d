//! Where the events of a dispatch go, worked out before one is moved: for when
//! not all of them may find room.

use std::vec;

use stage_core::DispatchError;

/// Where an event goes.
pub(super) enum Target {
    /// To the partition with this index.
    Partition(usize),
    /// The hash dropped it.
    Nowhere,
    /// It cannot go anywhere.
    Astray(Astray),
}

/// Why an event cannot go anywhere.
#[derive(Debug)]
pub(super) enum Astray {
    /// The hash named this partition, which does not exist.
    Unknown(String),
    /// The hash panicked, with this message.
    Panicked(String),
}

impl Astray {
    /// `known` are the partitions there are.
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

/// The lanes of the leading events of a dispatch, kept between dispatches for
/// its allocations.
///
/// A *lane* is where an event is moved to: every partition has the one with its
/// index; what goes nowhere has one behind these, and what goes astray the last.
///
/// Knowing the counts first gives each lane one vector of the right size; and
/// should the user's hash panic, no event has moved.
#[derive(Debug)]
pub(super) struct Plan {
    partitions: usize,
    /// By event, as far as it is planned; behind these are old ones.
    lanes: Vec<u32>,
    planned: usize,
    /// By lane; 0 where none goes.
    counts: Vec<usize>,
    /// Why, for those that go astray.
    reasons: Vec<Astray>,
    /// The lanes with a count above 0, once the plan is closed.
    touched: Vec<usize>,
}

/// Counts the events that are planned in a register, and adds them up even if
/// the next one panics. In memory, each would wait for the one before.
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

    /// Plans events one after the other. Should `target` panic, the events
    /// before are planned.
    ///
    /// The loop is here, and not around a call for each event, so that it is
    /// compiled together with the hash.
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

    /// Plans that the event goes astray at which `target` has just panicked.
    pub(super) fn push_panicked(&mut self, message: String) {
        let astray = self.note_astray(Astray::Panicked(message));
        self.counts[astray] += 1;
        self.lanes[self.planned] = astray as u32;
        self.planned += 1;
    }

    /// Why the next event goes astray, which is not planned; returns its lane.
    #[cold]
    pub(super) fn note_astray(&mut self, why: Astray) -> usize {
        self.reasons.push(why);
        self.astray()
    }

    /// Takes the last one back if it goes to a partition that then gets more
    /// than its `room`; returns whether it did.
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

    /// How many events are planned.
    pub(super) const fn len(&self) -> usize {
        self.planned
    }

    /// How many of them reach no partition.
    pub(super) fn dropped(&self) -> usize {
        self.counts[self.nowhere()] + self.counts[self.astray()]
    }

    pub(super) const fn nowhere(&self) -> usize {
        self.partitions
    }

    pub(super) const fn astray(&self) -> usize {
        self.partitions + 1
    }

    /// Ends the planning: finds the lanes that get events. It costs no more
    /// than the events do, however many partitions there are.
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

    /// The partition, when all events go to the same one.
    pub(super) fn only_partition(&self) -> Option<usize> {
        match self.touched[..] {
            [lane] if lane < self.partitions => Some(lane),
            _ => None,
        }
    }

    /// The lane of each event.
    pub(super) fn lanes(&self) -> &[u32] {
        &self.lanes[..self.planned]
    }

    /// The lanes that get events and how many, in the order of their numbers.
    pub(super) fn counts(&self) -> impl Iterator<Item = (usize, usize)> + use<'_> {
        self.touched.iter().map(|&lane| (lane, self.counts[lane]))
    }

    /// Takes the reasons of those that go astray, in their order.
    pub(super) fn take_reasons(&mut self) -> vec::Drain<'_, Astray> {
        self.reasons.drain(..)
    }
}
