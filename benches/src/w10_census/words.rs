//! Reading, cutting into words, and counting: the same for all contenders.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use foldhash::fast::FixedState;

/// How many counters share the words.
pub(super) const OWNERS: usize = 2;

/// The words of a text: no digit at the beginning.
pub(super) fn words(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + text[at..].iter().position(is_word)?;
            let rest = &text[start..];
            let len = rest.iter().position(|byte| !is_word(byte));
            at = start + len.unwrap_or(rest.len());
            if !text[start].is_ascii_digit() {
                return Some(start..at);
            }
        }
    })
}

/// Reads file after file into the same buffer. A file that has gone is empty.
#[derive(Default)]
pub(super) struct Reader(Vec<u8>);

impl Reader {
    pub(super) fn read(&mut self, path: &Path) -> &[u8] {
        self.0.clear();
        let read = File::open(path).and_then(|mut file| file.read_to_end(&mut self.0));
        if read.is_err() {
            self.0.clear();
        }
        &self.0
    }

    /// Reads a file and divides its words among the owners.
    pub(super) fn shares(&mut self, path: &Path) -> impl Iterator<Item = Share> + use<> {
        let text: Arc<[u8]> = self.read(path).into();
        let room = text.len() / 8 / OWNERS;
        let mut places: [Vec<(u32, u32)>; OWNERS] =
            std::array::from_fn(|_| Vec::with_capacity(room));
        for range in words(&text) {
            let owner = owner(&text[range.clone()]);
            places[owner].push((range.start as u32, range.end as u32));
        }
        let share = move |(owner, places)| Share {
            owner,
            text: Arc::clone(&text),
            places,
        };
        places.into_iter().enumerate().map(share)
    }
}

fn owner(word: &[u8]) -> usize {
    let mut hasher = FixedState::default().build_hasher();
    hasher.write(word);
    ((u128::from(hasher.finish()) * OWNERS as u128) >> u64::BITS) as usize
}

/// The words of a file that one owner counts.
pub(super) struct Share {
    pub(super) owner: usize,
    text: Arc<[u8]>,
    places: Vec<(u32, u32)>,
}

/// How often each word was seen.
#[derive(Default)]
pub(super) struct Counts(HashMap<Box<[u8]>, u64, foldhash::fast::RandomState>);

impl Counts {
    pub(super) fn add(&mut self, word: &[u8]) {
        match self.0.get_mut(word) {
            Some(count) => *count += 1,
            None => {
                self.0.insert(word.into(), 1);
            }
        }
    }

    pub(super) fn add_share(&mut self, share: &Share) {
        for &(start, end) in &share.places {
            self.add(&share.text[start as usize..end as usize]);
        }
    }

    pub(super) fn absorb(mut self, other: Self) -> Self {
        if other.0.len() > self.0.len() {
            return other.absorb(self);
        }
        for (word, count) in other.0 {
            *self.0.entry(word).or_default() += count;
        }
        self
    }

    /// Different words, and all words: what contenders are compared by.
    pub(super) fn sums(&self) -> (usize, u64) {
        (self.0.len(), self.0.values().sum())
    }
}
