//! Finds the identifiers in a text.
//!
//! The rule is that of the Rust reference: a run of `XID_Continue` characters
//! and underscores that begins with an `XID_Start` character, or with an
//! underscore followed by something. So `self` and `_x` are identifiers, while
//! `_`, `42` and the suffix in `1u8` are not.
//!
//! The census counts words and does not parse. Words in comments and strings
//! count too, and so do keywords, the name in a lifetime and the `r` in front
//! of a raw string. Words are compared as written, without Unicode
//! normalization.

use std::iter::FusedIterator;
use std::ops::Range;

use unicode_ident::{is_xid_continue, is_xid_start};

/// Returns the identifiers of `text` in order, as byte ranges.
///
/// Ranges, unlike slices, can be stored beyond the borrow of the text.
pub(crate) const fn identifiers(text: &str) -> Identifiers<'_> {
    Identifiers {
        text,
        next_block: 0,
        edges: 0,
        block: 0,
        run: None,
    }
}

/// The iterator that [`identifiers`] returns.
///
/// A loop over single bytes mispredicts a branch at the end of almost every
/// word and every gap, which costs more than everything else. Instead, 64 bytes
/// at a time are converted to a bit mask without branches, with a one for each
/// byte of a word, and only the edges of the mask are visited. On Rust source
/// this measured two to three times as fast.
#[derive(Debug, Clone)]
pub(crate) struct Identifiers<'a> {
    text: &'a str,
    /// The start of the next block.
    next_block: usize,
    /// The start of the block that `edges` belongs to.
    block: usize,
    /// The edges that have not been visited: a one where a run begins, or has
    /// ended just before.
    edges: u64,
    /// The start of the current run, which may be in an earlier block.
    run: Option<usize>,
}

const BLOCK: usize = u64::BITS as usize;

impl Identifiers<'_> {
    /// Loads the next block. The block past the end is empty and ends a run
    /// that extends to the end of the text; after it, returns `None`.
    fn advance(&mut self) -> Option<()> {
        let rest = self.text.as_bytes().get(self.next_block..)?;
        let (words, unicode) = match rest.first_chunk() {
            Some(block) => masks(block),
            None => {
                let mut block = [0; BLOCK];
                block[..rest.len()].copy_from_slice(rest);
                masks(&block)
            }
        };
        self.block = self.next_block;
        self.next_block += BLOCK;
        let words = words | self.unicode_words(unicode);
        // Set where a bit differs from the one before it.
        self.edges = words ^ (words << 1 | u64::from(self.run.is_some()));
        Some(())
    }

    /// Returns the non-ASCII bytes that belong to a word.
    fn unicode_words(&self, mut unicode: u64) -> u64 {
        let mut words = 0;
        while unicode != 0 {
            let bit = unicode & unicode.wrapping_neg();
            let place = self.block + bit.trailing_zeros() as usize;
            if self.character_around(place).is_some_and(is_xid_continue) {
                words |= bit;
            }
            unicode ^= bit;
        }
        words
    }

    /// Returns the character that the byte at `place` is part of.
    fn character_around(&self, place: usize) -> Option<char> {
        let start = (0..=place)
            .rev()
            .find(|start| self.text.is_char_boundary(*start))?;
        self.text.get(start..)?.chars().next()
    }

    /// Returns `true` if a run of `XID_Continue` begins like an identifier.
    fn is_identifier(&self, run: &Range<usize>) -> bool {
        match self.text.as_bytes().get(run.start) {
            Some(b'_') => run.len() > 1,
            Some(first) if first.is_ascii() => !first.is_ascii_digit(),
            _ => self.character_around(run.start).is_some_and(is_xid_start),
        }
    }
}

impl Iterator for Identifiers<'_> {
    type Item = Range<usize>;

    #[inline]
    fn next(&mut self) -> Option<Range<usize>> {
        loop {
            while self.edges == 0 {
                self.advance()?;
            }
            let edge = self.block + self.edges.trailing_zeros() as usize;
            self.edges &= self.edges - 1;
            match self.run.take() {
                None => self.run = Some(edge),
                Some(start) => {
                    let run = start..edge;
                    if self.is_identifier(&run) {
                        return Some(run);
                    }
                }
            }
        }
    }
}

impl FusedIterator for Identifiers<'_> {}

/// Returns two masks of 64 bytes: the ASCII letters, digits and underscores,
/// and the non-ASCII bytes.
fn masks(block: &[u8; BLOCK]) -> (u64, u64) {
    let (mut words, mut unicode) = (0, 0);
    let (lanes, _) = block.as_chunks();
    for (n, lane) in lanes.iter().enumerate() {
        let bytes = u64::from_le_bytes(*lane);
        words |= gather(word_bytes(bytes)) << (8 * n);
        unicode |= gather(bytes & HIGH) << (8 * n);
    }
    (words, unicode)
}

/// The high bit of each of eight bytes, which holds the results of
/// [`word_bytes`].
const HIGH: u64 = every(0x80);

/// Returns a word of eight equal bytes.
const fn every(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Sets the high bit of each of eight bytes that is an ASCII letter, a digit or
/// an underscore; clears all other bits.
const fn word_bytes(bytes: u64) -> u64 {
    /// Sets the high bit of each byte of at least `least`. The bytes are ASCII,
    /// so that no sum carries into the next byte.
    const fn at_least(least: u8, bytes: u64) -> u64 {
        bytes + every(0x80 - least)
    }
    let ascii = bytes & !HIGH;
    let lower = ascii | every(0x20);
    let letters = at_least(b'a', lower) & !at_least(b'z' + 1, lower);
    let digits = at_least(b'0', ascii) & !at_least(b'9' + 1, ascii);
    let underscores = !at_least(1, ascii ^ every(b'_'));
    (letters | digits | underscores) & !bytes & HIGH
}

/// Collects the high bits of eight bytes in the lowest byte, the first byte's
/// in the lowest bit. The multiplication shifts each bit to its place in the
/// highest byte, and no two of the products overlap.
const fn gather(high: u64) -> u64 {
    (high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        identifiers(text).map(|word| &text[word]).collect()
    }

    #[test]
    fn code_is_split_into_words() {
        assert_eq!(
            words("fn main() { let x_1 = self.y; }"),
            ["fn", "main", "let", "x_1", "self", "y"]
        );
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        for text in ["", " ", "\n\t", "{}", "+-*/", "«»"] {
            assert!(words(text).is_empty(), "{text:?}");
        }
    }

    #[test]
    fn an_underscore_needs_company() {
        assert_eq!(words("_ __ _a _1 a_ _,_"), ["__", "_a", "_1", "a_"]);
    }

    #[test]
    fn a_number_is_no_identifier_and_neither_is_its_suffix() {
        assert!(words("42 1u8 0xff 1_000 1e10").is_empty());
        assert_eq!(words("1.max(2) x2"), ["max", "x2"]);
    }

    #[test]
    fn comments_strings_and_prefixes_count() {
        assert_eq!(
            words(r#"// see "this" 'a r"raw" r#type"#),
            ["see", "this", "a", "r", "raw", "r", "type"]
        );
    }

    #[test]
    fn unicode_follows_xid() {
        assert_eq!(words("größe=数量+Ω2"), ["größe", "数量", "Ω2"]);
        // A combining accent continues a word and cannot begin one.
        assert_eq!(words("e\u{301}a \u{301}a b"), ["e\u{301}a", "b"]);
        // Not XID: it separates, as a space would.
        assert_eq!(words("a→b…c🦀d"), ["a", "b", "c", "d"]);
        assert_eq!(words("_é"), ["_é"]);
    }

    #[test]
    fn every_text_agrees_with_the_definition() {
        let pieces = ["a", "_", "7", "é", "\u{301}", "→", " ", "🦀", "Z", "."];
        for first in pieces {
            for second in pieces {
                for third in pieces {
                    let text = [first, second, third].concat();
                    assert_eq!(words(&text), by_definition(&text), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn words_are_found_wherever_the_blocks_divide_them() {
        for word in ["x", "_", "7up", "self", "größe", "数量", "🦀", "a→b"] {
            for before in 0..=2 * BLOCK {
                for gap in ["", " ", "é", "\u{301}"] {
                    let text = format!("{}{gap}{word}{gap}end", "+".repeat(before));
                    assert_eq!(words(&text), by_definition(&text), "{text:?}");
                    let text = format!("{}{gap}{word}", "w".repeat(before));
                    assert_eq!(words(&text), by_definition(&text), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn every_ascii_character_is_classified_by_itself() {
        for c in (0..128).map(char::from) {
            let text = format!("a{c}b");
            assert_eq!(words(&text), by_definition(&text), "{text:?}");
        }
    }

    /// The rule at the top of the file, implemented without regard to speed.
    fn by_definition(text: &str) -> Vec<&str> {
        text.split(|c: char| c != '_' && !is_xid_continue(c))
            .filter(|run| {
                run.starts_with(is_xid_start) || (run.starts_with('_') && run.chars().count() > 1)
            })
            .collect()
    }
}
