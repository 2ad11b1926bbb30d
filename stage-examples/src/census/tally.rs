//! Counting within one file, before anything is sent.
//!
//! An event for every occurrence would cost more than to count it. A file says
//! the same few words again and again, so a tokeniser first counts them in a
//! table of its own, small enough to stay in the nearest cache, and the event
//! is one identifier *with its count in this file*. That leaves about a tenth
//! of the events, and makes the pipeline's share of the work cheaper than the
//! plain loop's, whose one big table misses the cache.

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::tokens::identifiers;

/// An identifier and how often one file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) word: Box<str>,
    pub(crate) count: u64,
    /// The partition whose counter owns this identifier.
    pub(crate) owner: usize,
}

/// The table of one file after the other.
///
/// It refers to identifiers by their place in the text, so that it can be
/// used again for the next file, and nothing is allocated before an event
/// needs a word of its own.
#[derive(Debug, Default)]
pub(crate) struct FileTable {
    words: HashTable<Seen>,
    /// Not random: all tokenisers have to agree on who owns a word.
    hasher: FixedState,
}

#[derive(Debug)]
struct Seen {
    place: Range<usize>,
    hash: u64,
    count: u64,
}

impl FileTable {
    /// Counts the identifiers of `text` and returns how many they were. What
    /// [`tallies`](FileTable::tallies) has not taken of the last text is
    /// forgotten.
    pub(crate) fn count(&mut self, text: &str) -> u64 {
        self.words.clear();
        let bytes = text.as_bytes();
        let mut total = 0;
        for place in identifiers(text) {
            let word = &bytes[place.clone()];
            let mut hasher = self.hasher.build_hasher();
            hasher.write(word);
            let hash = hasher.finish();
            match self.words.entry(
                hash,
                |seen| bytes[seen.place.clone()] == *word,
                |seen| seen.hash,
            ) {
                Entry::Occupied(mut seen) => seen.get_mut().count += 1,
                Entry::Vacant(new) => {
                    new.insert(Seen {
                        place,
                        hash,
                        count: 1,
                    });
                }
            }
            total += 1;
        }
        total
    }

    /// Takes a tally of every identifier of `text`, which was counted last.
    pub(crate) fn tallies(
        &mut self,
        text: &str,
        partitions: usize,
    ) -> impl ExactSizeIterator<Item = Tally> {
        self.words.drain().map(move |seen| Tally {
            word: text[seen.place].into(),
            count: seen.count,
            owner: owner(seen.hash, partitions),
        })
    }
}

/// Scales a hash down to a partition. Unlike a remainder this takes the upper
/// bits, and costs no division.
fn owner(hash: u64, partitions: usize) -> usize {
    let scaled = (u128::from(hash) * partitions as u128) >> u64::BITS;
    usize::try_from(scaled).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tallies(table: &mut FileTable, text: &str) -> (u64, Vec<(String, u64)>) {
        let total = table.count(text);
        let mut words: Vec<_> = table
            .tallies(text, 3)
            .map(|tally| (tally.word.into_string(), tally.count))
            .collect();
        words.sort();
        (total, words)
    }

    #[test]
    fn a_file_gives_one_tally_for_each_of_its_identifiers() {
        let mut table = FileTable::default();
        let (total, words) = tallies(&mut table, "let a = b; let c = b + b;");
        assert_eq!(total, 7);
        assert_eq!(
            words,
            [
                ("a".into(), 1),
                ("b".into(), 3),
                ("c".into(), 1),
                ("let".into(), 2)
            ]
        );
    }

    #[test]
    fn the_next_file_starts_from_nothing() {
        let mut table = FileTable::default();
        table.count("left over");
        assert_eq!(tallies(&mut table, "x"), (1, vec![("x".into(), 1)]));
        assert_eq!(tallies(&mut table, ""), (0, vec![]));
    }

    #[test]
    fn all_tokenisers_agree_on_the_owner_and_every_partition_owns_words() {
        let text: String = (0..1000).map(|n| format!("word{n} ")).collect();
        let owners = |partitions| {
            let mut table = FileTable::default();
            table.count(&text);
            let mut owners: Vec<_> = table.tallies(&text, partitions).collect();
            owners.sort_by(|a, b| a.word.cmp(&b.word));
            owners
        };
        assert_eq!(owners(4), owners(4));
        for partitions in [1, 2, 3, 7] {
            let mut share = vec![0; partitions];
            for tally in owners(partitions) {
                share[tally.owner] += 1;
            }
            let fair = 1000 / partitions;
            assert!(share.iter().all(|n| n * 2 > fair), "{share:?}");
        }
    }
}
