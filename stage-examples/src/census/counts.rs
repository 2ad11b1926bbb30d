//! How often each identifier was seen: the map that a counter owns, and what
//! it takes.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use foldhash::fast::RandomState;

/// Identifiers and how often they were seen.
///
/// The plain loop counts into the same type, so that a comparison of the two
/// compares pipelines and not hash maps.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Counts {
    words: HashMap<Box<str>, u64, RandomState>,
}

impl Counts {
    /// Counts `word` once more; allocates only at its first sight.
    #[inline]
    pub(crate) fn add(&mut self, word: &str) {
        match self.words.get_mut(word) {
            Some(count) => *count += 1,
            None => {
                self.words.insert(word.into(), 1);
            }
        }
    }

    /// How many different identifiers were seen.
    pub(crate) fn distinct(&self) -> usize {
        self.words.len()
    }

    /// How many identifiers were seen.
    pub(crate) fn total(&self) -> u64 {
        self.words.values().sum()
    }

    /// Whether `whole` has everything in here, counted as often.
    pub(crate) fn is_part_of(&self, whole: &Self) -> bool {
        let same = |(word, count)| whole.words.get(word) == Some(count);
        self.words.iter().all(same)
    }

    /// The `limit` most frequent identifiers, the most frequent first, ties in
    /// the order of the alphabet.
    pub(crate) fn top(&self, limit: usize) -> Vec<(&str, u64)> {
        top(
            self.words.iter().map(|(word, count)| (&**word, *count)),
            limit,
        )
    }

    /// About how much memory this takes, in bytes.
    pub(crate) fn memory(&self) -> usize {
        /// What an allocator adds to a small block, rounding included; most
        /// round up to 16 bytes and keep a word of their own.
        const fn block(len: usize) -> usize {
            (len + 8).next_multiple_of(16)
        }
        // The table is filled to at most seven eighths and has a control byte
        // a slot.
        let slots = (self.words.capacity() / 7 * 8).next_power_of_two();
        let slot = size_of::<(Box<str>, u64)>() + 1;
        slots * slot
            + self
                .words
                .keys()
                .map(|word| block(word.len()))
                .sum::<usize>()
    }

    /// Moves what `other` has counted over here.
    #[cfg(test)]
    pub(crate) fn absorb(&mut self, other: Self) {
        for (word, count) in other.words {
            *self.words.entry(word).or_default() += count;
        }
    }
}

/// The `limit` greatest of `words`, sorted.
///
/// Partitions own disjoint identifiers, so the top of all is found among the
/// tops of each: this merges them as well.
pub(crate) fn top<'a>(
    words: impl IntoIterator<Item = (&'a str, u64)>,
    limit: usize,
) -> Vec<(&'a str, u64)> {
    // A heap with the least of the best on top: the memory follows the limit
    // and not the words.
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
