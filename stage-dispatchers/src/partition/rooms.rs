//! How much more each partition can take.

/// The room of every partition, and the least of them at hand.
///
/// Room is demand plus free places in the queue, in events. Nobody knows where
/// the next events will go, so the least room bounds what may be asked for.
///
/// It is a tournament: every node of a complete binary tree has the least room
/// below it. A change goes up only as far as it changes who wins.
#[derive(Debug)]
pub(super) struct Rooms {
    /// The winner of all is at 1, those below `node` at `2 * node` and the one
    /// after. The partitions come last, from `first` on.
    nodes: Vec<u128>,
    first: usize,
}

impl Rooms {
    pub(super) fn new(partitions: usize, room: usize) -> Self {
        let first = partitions.next_power_of_two();
        // What there is no partition for has all the room in the world.
        let mut nodes = vec![u128::MAX; 2 * first];
        nodes[first..first + partitions].fill(room as u128);
        for node in (1..first).rev() {
            nodes[node] = nodes[2 * node].min(nodes[2 * node + 1]);
        }
        Self { nodes, first }
    }

    pub(super) fn get(&self, partition: usize) -> u128 {
        self.nodes[self.first + partition]
    }

    pub(super) fn set(&mut self, partition: usize, room: u128) {
        let mut node = self.first + partition;
        let mut least = room;
        while self.nodes[node] != least {
            self.nodes[node] = least;
            if node == 1 {
                return;
            }
            least = least.min(self.nodes[node ^ 1]);
            node /= 2;
        }
    }

    /// The least room of any partition.
    pub(super) fn least(&self) -> u128 {
        self.nodes[1]
    }

    /// The first partition without any room.
    pub(super) fn full(&self) -> Option<usize> {
        if self.least() > 0 {
            return None;
        }
        let mut node = 1;
        while node < self.first {
            node *= 2;
            node += usize::from(self.nodes[node] > 0);
        }
        Some(node - self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::Rooms;

    /// Not a power of two, one that is, and a tree of one node.
    #[test]
    fn the_least_and_the_first_full_are_those_of_a_search() {
        for partitions in [1, 2, 3, 5, 8, 13] {
            let mut random = fastrand::Rng::with_seed(partitions as u64);
            let mut plain = vec![2_u128; partitions];
            let mut rooms = Rooms::new(partitions, 2);
            for _ in 0..500 {
                assert_eq!(Some(rooms.least()), plain.iter().min().copied());
                assert_eq!(rooms.full(), plain.iter().position(|room| *room == 0));
                let (partition, room) = (random.usize(..partitions), random.u128(..4));
                plain[partition] = room;
                rooms.set(partition, room);
                assert_eq!(rooms.get(partition), room);
            }
        }
    }
}
