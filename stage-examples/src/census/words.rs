//! [`Words`], the event between tokenisers and counters: the identifiers of a
//! file that one counter owns.
//!
//! An event per identifier would cost more than counting it, because of the
//! string it would contain. So one event contains all identifiers of a file
//! that have the same owner, as positions in the text of the file, which is
//! shared by the events of the file. A counter copies a word out of the text
//! when it first sees it, as the plain loop does.
//!
//! The alternative is to count each file in a table of its own and send each
//! distinct identifier with its count. It sends a sixth of the identifiers, but
//! measured a fifth more processor time in total.

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::tokens::identifiers;

/// The identifiers of one file that one counter owns, with repetitions.
#[derive(Debug)]
pub(crate) struct Words {
    owner: usize,
    text: Arc<str>,
    places: Vec<Place>,
}

/// The position of a word in its text. Half the size of a range, as there is
/// one for every identifier in flight.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: u32,
    end: u32,
}

impl Words {
    /// Returns the number of the counter that owns these words.
    pub(crate) const fn owner(&self) -> usize {
        self.owner
    }

    /// Returns an iterator over the words.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.places.iter().map(|place| &self.text[place.range()])
    }
}

impl Place {
    /// The reader limits texts to lengths that fit 32 bits.
    const fn new(range: &Range<usize>) -> Self {
        Self {
            start: range.start as u32,
            end: range.end as u32,
        }
    }

    const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Finds the identifiers of `text` and divides them among `owners` counters.
/// Omits counters that get none.
pub(crate) fn divide(text: &str, owners: usize) -> impl Iterator<Item = Words> {
    /// Source code has an identifier every nine or ten bytes.
    const BYTES_PER_WORD: usize = 8;

    let text: Arc<str> = text.into();
    let mut shares: Vec<_> = (0..owners)
        .map(|_| Vec::with_capacity(text.len() / BYTES_PER_WORD / owners))
        .collect();
    for range in identifiers(&text) {
        let owner = owner(&text.as_bytes()[range.clone()], owners);
        shares[owner].push(Place::new(&range));
    }
    shares
        .into_iter()
        .enumerate()
        .filter(|(_, places)| !places.is_empty())
        .map(move |(owner, places)| Words {
            owner,
            text: Arc::clone(&text),
            places,
        })
}

/// Returns the owner of a word. The hasher is not random, so that all
/// tokenisers agree.
fn owner(word: &[u8], owners: usize) -> usize {
    let mut hasher = FixedState::default().build_hasher();
    hasher.write(word);
    // Scales the hash to the number of owners, which costs less than a
    // remainder.
    ((u128::from(hasher.finish()) * owners as u128) >> u64::BITS) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_identifier_goes_to_one_owner_as_often_as_it_occurs() {
        let text = "let größe = b; let c = b + größe;";
        for owners in 1..5 {
            let shares: Vec<_> = divide(text, owners).collect();
            let mut words: Vec<_> = shares.iter().flat_map(Words::iter).collect();
            words.sort_unstable();
            assert_eq!(words, ["b", "b", "c", "größe", "größe", "let", "let"]);
        }
    }

    #[test]
    fn all_agree_on_the_owner_of_a_word() {
        let owners = |text| {
            let mut owners: Vec<_> = divide(text, 7)
                .flat_map(|share| {
                    let owner = share.owner();
                    let words = share.iter().map(|word| (word.to_owned(), owner));
                    words.collect::<Vec<_>>()
                })
                .collect();
            owners.sort();
            owners
        };
        assert_eq!(owners("one two three four"), owners("four two one, three!"));
    }

    #[test]
    fn the_words_are_spread_over_all_owners() {
        let text: String = (0..1000).map(|n| format!("word{n} ")).collect();
        for owners in [1, 2, 3, 7, 64] {
            let shares: Vec<_> = divide(&text, owners)
                .map(|share| share.iter().len())
                .collect();
            assert_eq!(shares.len(), owners);
            assert!(
                shares.iter().all(|share| share * 4 > 1000 / owners),
                "{shares:?}"
            );
        }
    }

    #[test]
    fn a_text_without_identifiers_gives_nothing() {
        assert_eq!(divide("", 3).count(), 0);
        assert_eq!(divide("1 + 1", 3).count(), 0);
    }
}
