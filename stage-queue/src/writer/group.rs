//! [`Group`]: the commands of one transaction.

use std::path::Path;
use std::sync::Arc;

use super::TopicState;
use crate::error::{StoreError, StoreErrorKind};
use crate::node::Node;
use crate::store::{Store, TopicRow};

/// What a command finds within its transaction.
pub(crate) struct Group<'a> {
    pub(crate) store: &'a mut dyn Store,
    /// The time, taken after the lock on the file: nothing can have waited since.
    pub(crate) now: i64,
    pub(super) path: &'a Path,
    pub(super) timeout_ms: i64,
    pub(super) leases: &'a mut Leases,
    pub(super) woken: &'a mut Woken,
}

/// The leases of this node.
#[derive(Debug, Default)]
pub(super) struct Leases {
    /// None until something is leased.
    pub(super) owner: Option<i64>,
    /// Holds the lock that tells others that this process is alive.
    pub(super) node: Option<Node>,
    /// The number of the next lease.
    pub(super) epoch: u32,
}

/// Topics that have got something to lease, and when.
#[derive(Debug, Default)]
pub(super) struct Woken {
    pub(super) at: Vec<(i64, i64)>,
    /// When the next message of a topic is due, as a lease has seen it.
    pub(super) due: Vec<(i64, Option<i64>)>,
    /// Topics that were used for the first time.
    pub(super) known: Vec<(Arc<TopicState>, TopicRow)>,
}

impl Group<'_> {
    /// Finds the row of a topic, and creates it when it is used first.
    pub(crate) fn topic(&mut self, topic: &Arc<TopicState>) -> Result<TopicRow, StoreError> {
        if let Some(row) = topic.row.get() {
            return Ok(*row);
        }
        let row = match self
            .woken
            .known
            .iter()
            .find(|(known, _)| Arc::ptr_eq(known, topic))
        {
            Some((_, row)) => *row,
            None => {
                let row = self.store.topic(&topic.name, topic.options().ordered)?;
                self.woken.known.push((Arc::clone(topic), row));
                row
            }
        };
        Ok(row)
    }

    /// Notes that a topic has something to lease at this time.
    pub(crate) fn ready(&mut self, topic: i64, at: i64) {
        // Mostly the same as the one before.
        if self.woken.at.last() != Some(&(topic, at)) {
            self.woken.at.push((topic, at));
        }
    }

    /// Notes when the next message of a topic becomes ready, as the store knows it.
    pub(crate) fn due(&mut self, topic: i64, next: Option<i64>) {
        self.woken.due.push((topic, next));
    }

    /// The owner of the leases of this node; none if it has leased nothing yet.
    pub(crate) fn owner(&self) -> Option<i64> {
        self.leases.owner
    }

    /// The owner of the leases of this node, registered with the first lease.
    pub(crate) fn register(&mut self) -> Result<i64, StoreError> {
        if let Some(owner) = self.leases.owner {
            return Ok(owner);
        }
        let node = match &self.leases.node {
            Some(node) => node,
            None => {
                let node = Node::new(self.path).map_err(|error| {
                    let text = format!("cannot create a lock file beside the queue: {error}");
                    StoreError::new(StoreErrorKind::Failed, text)
                })?;
                self.leases.node.insert(node)
            }
        };
        let owner = self.store.register(&node.name, self.timeout_ms)?;
        self.leases.owner = Some(owner);
        Ok(owner)
    }

    /// The number of a new lease.
    pub(crate) fn next_epoch(&mut self) -> u32 {
        self.leases.epoch = self.leases.epoch.wrapping_add(1);
        self.leases.epoch
    }
}
