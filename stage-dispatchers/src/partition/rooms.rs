//! How much more each partition can take.

use std::collections::BTreeSet;

/// The room of every partition, and the least of them at hand.
///
/// Room is demand plus free places in the queue, in events. Nobody knows where
/// the next events will go, so the least room bounds what may be asked for.
#[derive(Debug)]
pub(super) struct Rooms {
    rooms: Vec<u128>,
    ordered: BTreeSet<(u128, usize)>,
}

impl Rooms {
    pub(super) fn new(partitions: usize, room: usize) -> Self {
        let room = room as u128;
        Self {
            rooms: vec![room; partitions],
            ordered: (0..partitions).map(|index| (room, index)).collect(),
        }
    }

    pub(super) fn get(&self, partition: usize) -> u128 {
        self.rooms[partition]
    }

    pub(super) fn set(&mut self, partition: usize, room: u128) {
        let before = std::mem::replace(&mut self.rooms[partition], room);
        if before != room {
            self.ordered.remove(&(before, partition));
            self.ordered.insert((room, partition));
        }
    }

    /// The least room of any partition.
    pub(super) fn least(&self) -> u128 {
        self.ordered.first().map_or(0, |(room, _)| *room)
    }

    /// A partition without any room.
    pub(super) fn full(&self) -> Option<usize> {
        let &(room, partition) = self.ordered.first()?;
        (room == 0).then_some(partition)
    }
}
