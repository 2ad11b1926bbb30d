//! [`Least`]: the minimum of many numbers that change one at a time.

/// Numbers at places `0..`, with their minimum always at hand.
///
/// A tournament tree: every node of a complete binary tree stores the least
/// number below it. A change propagates up only as far as it changes a minimum.
#[derive(Debug, Default)]
pub(crate) struct Least {
    /// The root is at 1, the children of `node` at `2 * node` and
    /// `2 * node + 1`. The leaves are the numbers, from `first` on.
    nodes: Vec<u128>,
    first: usize,
    len: usize,
}

impl Least {
    pub(crate) const fn new() -> Self {
        Self {
            nodes: Vec::new(),
            first: 0,
            len: 0,
        }
    }

    /// Adds a number; returns its place.
    pub(crate) fn push(&mut self, number: u128) -> usize {
        let place = self.len;
        if place == self.first {
            self.grow();
        }
        self.len += 1;
        self.set(place, number);
        place
    }

    fn grow(&mut self) {
        let first = (self.len + 1).next_power_of_two();
        // A place without a number is never the minimum.
        let mut nodes = vec![u128::MAX; 2 * first];
        nodes[first..first + self.len].copy_from_slice(self.all());
        for node in (1..first).rev() {
            nodes[node] = nodes[2 * node].min(nodes[2 * node + 1]);
        }
        (self.nodes, self.first) = (nodes, first);
    }

    pub(crate) fn all(&self) -> &[u128] {
        &self.nodes[self.first..self.first + self.len]
    }

    pub(crate) fn set(&mut self, place: usize, number: u128) {
        let mut node = self.first + place;
        let mut least = number;
        while self.nodes[node] != least {
            self.nodes[node] = least;
            if node == 1 {
                return;
            }
            least = least.min(self.nodes[node ^ 1]);
            node /= 2;
        }
    }

    /// Returns the least number; `u128::MAX` if there is none.
    pub(crate) fn least(&self) -> u128 {
        self.nodes.get(1).copied().unwrap_or(u128::MAX)
    }

    /// Returns the last place with the least number.
    pub(crate) fn place(&self) -> usize {
        let mut node = 1;
        while node < self.first {
            node = 2 * node + 1;
            node -= usize::from(self.nodes[node] > self.least());
        }
        node - self.first
    }
}

impl FromIterator<u128> for Least {
    fn from_iter<T: IntoIterator<Item = u128>>(numbers: T) -> Self {
        let mut least = Self::new();
        for number in numbers {
            least.push(number);
        }
        least
    }
}

#[cfg(test)]
mod tests {
    use super::Least;

    /// Numbers of places that are and are not powers of two, and a tree of one
    /// node.
    #[test]
    fn the_least_and_its_last_place_are_those_of_a_search() {
        assert_eq!(Least::new().least(), u128::MAX);
        for places in [1, 2, 3, 5, 8, 13] {
            let mut random = fastrand::Rng::with_seed(places as u64);
            let mut plain = vec![2_u128; places];
            let mut least: Least = plain.iter().copied().collect();
            for _ in 0..500 {
                let winner = *plain.iter().min().unwrap();
                assert_eq!(least.least(), winner);
                assert_eq!(
                    Some(least.place()),
                    plain.iter().rposition(|n| *n == winner)
                );
                let (place, number) = (random.usize(..places), random.u128(..4));
                plain[place] = number;
                least.set(place, number);
                assert_eq!(least.all(), plain);
            }
        }
    }
}
