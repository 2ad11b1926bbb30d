//! Where the events of a dispatch go, worked out before one is moved.

use std::vec;

/// Where an event goes.
#[derive(Debug)]
pub(super) enum Target<K> {
    /// To the partition with this index.
    Partition(usize),
    /// The hash dropped it.
    Nowhere,
    /// The hash named a partition that does not exist.
    Unknown(K),
    /// The hash panicked, with this message.
    Panicked(String),
}

/// The targets of the leading events of a dispatch, kept between dispatches
/// for its allocations.
///
/// Knowing the counts first gives each partition one vector of the right size;
/// and should the user's hash panic, no event has moved.
#[derive(Debug)]
pub(super) struct Plan<K> {
    targets: Vec<Target<K>>,
    /// By partition; 0 where none goes.
    counts: Vec<usize>,
    /// The partitions with a count above 0.
    touched: Vec<usize>,
    dropped: usize,
}

impl<K> Plan<K> {
    pub(super) fn new(partitions: usize) -> Self {
        Self {
            targets: Vec::new(),
            counts: vec![0; partitions],
            touched: Vec::new(),
            dropped: 0,
        }
    }

    pub(super) fn clear(&mut self) {
        self.targets.clear();
        for index in self.touched.drain(..) {
            self.counts[index] = 0;
        }
        self.dropped = 0;
    }

    pub(super) fn push(&mut self, target: Target<K>) {
        match target {
            Target::Partition(index) => {
                if self.counts[index] == 0 {
                    self.touched.push(index);
                }
                self.counts[index] += 1;
            }
            Target::Nowhere | Target::Unknown(_) | Target::Panicked(_) => self.dropped += 1,
        }
        self.targets.push(target);
    }

    /// How many events go to a partition.
    pub(super) fn count(&self, partition: usize) -> usize {
        self.counts[partition]
    }

    /// How many events are planned.
    pub(super) const fn len(&self) -> usize {
        self.targets.len()
    }

    /// How many of them reach no partition.
    pub(super) const fn dropped(&self) -> usize {
        self.dropped
    }

    /// The partition, when all events go to the same one.
    pub(super) fn only_partition(&self) -> Option<usize> {
        match self.touched[..] {
            [index] if self.dropped == 0 => Some(index),
            _ => None,
        }
    }

    /// The partitions that get events and how many, in the order of their
    /// numbers.
    pub(super) fn partitions(&mut self) -> impl Iterator<Item = (usize, usize)> + use<'_, K> {
        self.touched.sort_unstable();
        self.touched
            .iter()
            .map(|&index| (index, self.counts[index]))
    }

    /// Takes the targets, in the order of the events.
    pub(super) fn take_targets(&mut self) -> vec::Drain<'_, Target<K>> {
        self.targets.drain(..)
    }
}

/// A plan for no partition at all.
impl<K> Default for Plan<K> {
    fn default() -> Self {
        Self::new(0)
    }
}
