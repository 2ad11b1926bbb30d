//! The constructors and options of [`Partition`].

use std::fmt::Debug;
use std::hash::Hash;

use foldhash::{HashMap, HashMapExt};
use thiserror::Error;

use super::Partition;
use super::hash::stable;
use super::plan::{Astray, Plan, Target};
use super::slot::{Slot, Sums};

const DEFAULT_BOUND: usize = 10_000;

/// An error of invalid partitions.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PartitionError {
    /// No partitions were given, so no event could go anywhere.
    #[error("there are 0 partitions, so no event could go anywhere; give at least 1")]
    NoPartitions,
    /// Two partitions had the same name.
    #[error("partition {partition} is given twice; name every partition once")]
    Duplicate {
        /// The repeated name.
        partition: String,
    },
    /// More partitions were given than a dispatcher supports.
    #[error(
        "there are more than {max} partitions; a partition is for one subscriber, \
         so give at most {max} and hash more keys onto each"
    )]
    TooMany {
        /// The maximum number of partitions.
        max: usize,
    },
}

impl<E> Partition<E> {
    /// The maximum number of partitions.
    pub const MAX_PARTITIONS: usize = 65_536;

    /// Returns partitions `0..partitions`, assigned by a stable hash of the
    /// event.
    ///
    /// # Errors
    ///
    /// [`PartitionError`] if `partitions` is 0 or more than
    /// [`MAX_PARTITIONS`](Partition::MAX_PARTITIONS).
    ///
    /// ```
    /// # use stage_dispatchers::{Partition, PartitionError};
    /// let words: Partition<String> = Partition::new(4)?.queue_bound(100);
    /// assert!(Partition::<String>::new(0).is_err());
    /// # Ok::<(), PartitionError>(())
    /// ```
    pub fn new(partitions: usize) -> Result<Self, PartitionError>
    where
        E: Hash,
    {
        Self::numbered(partitions, move |event| {
            Target::Partition(stable(event, partitions))
        })
    }

    /// Returns partitions `0..partitions`, assigned by a stable hash of the
    /// value that `key` returns: events with the same key go to the same
    /// partition.
    ///
    /// # Errors
    ///
    /// As for [`new`](Partition::new).
    ///
    /// ```
    /// # use stage_dispatchers::{Partition, PartitionError};
    /// struct Order {
    ///     customer: u64,
    /// }
    /// let orders = Partition::by_key(8, |order: &Order| order.customer)?;
    /// # Ok::<(), PartitionError>(())
    /// ```
    pub fn by_key<Q: Hash>(
        partitions: usize,
        key: impl Fn(&E) -> Q + Send + 'static,
    ) -> Result<Self, PartitionError> {
        Self::numbered(partitions, move |event| {
            Target::Partition(stable(&key(event), partitions))
        })
    }

    /// Returns partitions `0..partitions`, assigned by the number that `hash`
    /// returns; `None` drops the event.
    ///
    /// # Errors
    ///
    /// As for [`new`](Partition::new).
    ///
    /// ```
    /// # use stage_dispatchers::{Partition, PartitionError};
    /// let parts = Partition::by_index(2, |n: &usize| (*n != 0).then_some(n % 2))?;
    /// # Ok::<(), PartitionError>(())
    /// ```
    pub fn by_index(
        partitions: usize,
        hash: impl Fn(&E) -> Option<usize> + Send + 'static,
    ) -> Result<Self, PartitionError> {
        Self::numbered(partitions, move |event| match hash(event) {
            Some(index) if index < partitions => Target::Partition(index),
            Some(index) => unknown(&index),
            None => Target::Nowhere,
        })
    }

    fn numbered(
        partitions: usize,
        target: impl Fn(&E) -> Target + Send + 'static,
    ) -> Result<Self, PartitionError> {
        Ok(Self::build(index(0..partitions)?, target))
    }
}

impl<E, K: Eq + Hash + Clone + Debug> Partition<E, K> {
    /// Returns partitions with names, assigned by the name that `hash` returns;
    /// `None` drops the event.
    ///
    /// # Errors
    ///
    /// [`PartitionError`] if `partitions` is empty, has more than
    /// [`MAX_PARTITIONS`](Partition::MAX_PARTITIONS) names, or has one twice.
    ///
    /// ```
    /// # use stage_dispatchers::{Partition, PartitionError};
    /// let parity = |n: &u64| Some(if n % 2 == 0 { "even" } else { "odd" });
    /// let parts = Partition::by_name(["odd", "even"], parity)?;
    /// # Ok::<(), PartitionError>(())
    /// ```
    pub fn by_name(
        partitions: impl IntoIterator<Item = K>,
        hash: impl Fn(&E) -> Option<K> + Send + 'static,
    ) -> Result<Self, PartitionError>
    where
        K: Send + 'static,
    {
        let index = index(partitions)?;
        let by_name = index.clone();
        Ok(Self::build(index, move |event| match hash(event) {
            Some(key) => match by_name.get(&key) {
                Some(&index) => Target::Partition(index),
                None => unknown(&key),
            },
            None => Target::Nowhere,
        }))
    }

    /// Sets the maximum number of events queued for each partition. 10,000 by
    /// default.
    ///
    /// With 0, upstream is asked for events only while every partition has
    /// demand.
    #[must_use]
    pub fn queue_bound(mut self, events: usize) -> Self {
        self.bound = events;
        for index in 0..self.slots.len() {
            self.update_room(index);
        }
        self
    }

    fn build(index: HashMap<K, usize>, target: impl Fn(&E) -> Target + Send + 'static) -> Self {
        let mut keys: Vec<(usize, K)> = index.iter().map(|(key, at)| (*at, key.clone())).collect();
        keys.sort_unstable_by_key(|(at, _)| *at);
        let plan = Plan::new(index.len());
        Self {
            slots: keys.into_iter().map(|(_, key)| Slot::new(key)).collect(),
            rooms: std::iter::repeat_n(DEFAULT_BOUND as u128, index.len()).collect(),
            incoming: (0..=plan.astray()).map(|_| Vec::new()).collect(),
            plan,
            index,
            owners: HashMap::new(),
            leaving: HashMap::new(),
            targets: Box::new(target),
            bound: DEFAULT_BOUND,
            sums: Sums::default(),
            waiting: 0,
        }
    }
}

#[cold]
fn unknown<K: Debug>(partition: &K) -> Target {
    Target::Astray(Astray::Unknown(format!("{partition:?}")))
}

/// Numbers the partitions in the order given.
fn index<K: Eq + Hash + Debug>(
    partitions: impl IntoIterator<Item = K>,
) -> Result<HashMap<K, usize>, PartitionError> {
    const MAX: usize = Partition::<()>::MAX_PARTITIONS;
    let mut index = HashMap::new();
    for key in partitions {
        if index.len() == MAX {
            return Err(PartitionError::TooMany { max: MAX });
        }
        if index.contains_key(&key) {
            return Err(PartitionError::Duplicate {
                partition: format!("{key:?}"),
            });
        }
        index.insert(key, index.len());
    }
    if index.is_empty() {
        return Err(PartitionError::NoPartitions);
    }
    Ok(index)
}
