//! [`Counts`]: the number of occurrences of each identifier, and its memory
//! use.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use foldhash::fast::RandomState;

/// Identifiers with their numbers of occurrences.
///
/// The plain loop uses the same type, so that a comparison measures the
/// pipeline and not the hash map.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Counts {
    words: HashMap<Box<str>, u64, RandomState>,
}

impl Counts {
    /// Adds one occurrence of `word`; allocates for the first only.
    #[inline]
    pub(crate) fn add(&mut self, word: &str) {
        match self.words.get_mut(word) {
            Some(count) => *count += 1,
            None => {
                self.words.insert(word.into(), 1);
            }
        }
    }

    /// Returns the number of distinct identifiers.
    pub(crate) fn distinct(&self) -> usize {
        self.words.len()
    }

    /// Returns the number of occurrences of all identifiers.
    pub(crate) fn total(&self) -> u64 {
        self.words.values().sum()
    }

    /// Returns `true` if `whole` contains all identifiers in here, with the
    /// same counts.
    pub(crate) fn is_part_of(&self, whole: &Self) -> bool {
        let same = |(word, count)| whole.words.get(word) == Some(count);
        self.words.iter().all(same)
    }

    /// Returns the `limit` most frequent identifiers, the most frequent first,
    /// ties in alphabetical order.
    pub(crate) fn top(&self, limit: usize) -> Vec<(&str, u64)> {
        top(
            self.words.iter().map(|(word, count)| (&**word, *count)),
            limit,
        )
    }

    /// Returns the approximate memory use, in bytes.
    pub(crate) fn memory(&self) -> usize {
        /// Returns the size of a small allocation, with overhead and rounding;
        /// most allocators round up to 16 bytes and add a word.
        const fn block(len: usize) -> usize {
            (len + 8).next_multiple_of(16)
        }
        // The table is filled to at most seven eighths and has a control byte
        // per slot.
        let slots = (self.words.capacity() / 7 * 8).next_power_of_two();
        let slot = size_of::<(Box<str>, u64)>() + 1;
        slots * slot
            + self
                .words
                .keys()
                .map(|word| block(word.len()))
                .sum::<usize>()
    }

    /// Adds the counts of `other`.
    #[cfg(test)]
    pub(crate) fn absorb(&mut self, other: Self) {
        for (word, count) in other.words {
            *self.words.entry(word).or_default() += count;
        }
    }
}

/// Returns the `limit` greatest of `words`, sorted.
///
/// Partitions own disjoint identifiers, so the overall top is among their tops:
/// this function merges those too.
pub(crate) fn top<'a>(
    words: impl IntoIterator<Item = (&'a str, u64)>,
    limit: usize,
) -> Vec<(&'a str, u64)> {
    // A heap with the least of the best on top: memory use depends on the
    // limit, not on the number of words.
    let mut best = BinaryHeap::new();
    for (word, count) in words {
        best.push((Reverse(count), word));
        if best.len() > limit {
            best.pop();
        }
    }
    best.into_sorted_vec()
        .into_iter()
        .map(|(Reverse(count), word)| (word, count))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(text: &str) -> Counts {
        let mut counts = Counts::default();
        for word in text.split_whitespace() {
            counts.add(word);
        }
        counts
    }

    #[test]
    fn words_add_up() {
        let mut counts = counts("a b a");
        counts.add("c");
        assert_eq!((counts.distinct(), counts.total()), (3, 4));
        assert_eq!(counts.top(9), [("a", 2), ("b", 1), ("c", 1)]);
    }

    #[test]
    fn the_top_is_sorted_by_count_and_then_by_name() {
        let counts = counts("d d c c b a a a");
        assert_eq!(counts.top(3), [("a", 3), ("c", 2), ("d", 2)]);
        assert!(counts.top(0).is_empty());
    }

    #[test]
    fn the_top_of_all_is_the_merge_of_the_tops() {
        let (left, right) = (counts("a a a b"), counts("c c d d d d"));
        let merged = top(left.top(2).into_iter().chain(right.top(2)), 2);
        assert_eq!(merged, [("d", 4), ("a", 3)]);

        let mut all = left.clone();
        all.absorb(right.clone());
        assert_eq!(merged, all.top(2));
    }

    #[test]
    fn memory_grows_with_the_words_and_not_with_the_counts() {
        assert_eq!(counts("a").memory(), counts("a a a a").memory());

        let many = counts(&(0..1000).map(|n| format!("word{n} ")).collect::<String>());
        assert!(many.memory() > 1000 * (24 + 8));
        assert!(many.memory() < 1000 * 200);
    }
}
