//! [`DeadByReason`]: the dead letters of a topic, counted by kind of error.

use std::collections::BTreeMap;

use serde::Serialize;
use stage_queue::{DeadLetter, QueueError, Topic};

use super::enqueue::LINE_HEADER;

/// How many dead letters are read at once.
const PAGE: usize = 1_000;
/// How many lines of each kind are listed.
const FIRST: usize = 5;

/// Dead letters of one kind.
#[derive(Debug, Default, Serialize)]
pub(crate) struct DeadByReason {
    /// The reason up to its first colon.
    pub(crate) reason: String,
    pub(crate) count: u64,
    /// The first few lines of the input.
    pub(crate) lines: Vec<u64>,
    /// The whole reason of the first one.
    pub(crate) example: String,
}

/// Counts the dead letters of a topic by their reason, the most frequent first.
///
/// # Errors
///
/// Those of [`stage_queue::DeadLetters::list`].
pub(crate) async fn count_by_reason(topic: &Topic) -> Result<Vec<DeadByReason>, QueueError> {
    let mut kinds = BTreeMap::<String, DeadByReason>::new();
    for_each(topic, |letter| {
        let reason = letter.reason.split(':').next().unwrap_or_default();
        let kind = kinds.entry(reason.to_owned()).or_default();
        if kind.count == 0 {
            reason.clone_into(&mut kind.reason);
            letter.reason.as_ref().clone_into(&mut kind.example);
        }
        kind.count += 1;
        if kind.lines.len() < FIRST {
            kind.lines.extend(line_of(letter));
        }
    })
    .await?;
    let mut kinds: Vec<_> = kinds.into_values().collect();
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.count));
    Ok(kinds)
}

/// Calls `each` with every dead letter of a topic, a page at a time.
pub(crate) async fn for_each(
    topic: &Topic,
    mut each: impl FnMut(&DeadLetter),
) -> Result<(), QueueError> {
    let mut after = None;
    loop {
        let page = topic.dead_letters().list(after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.id);
        page.iter().for_each(&mut each);
    }
}

/// Returns the line of the input that a dead letter came from.
pub(crate) fn line_of(letter: &DeadLetter) -> Option<u64> {
    let (_, line) = letter
        .headers
        .iter()
        .find(|(name, _)| name == LINE_HEADER)?;
    std::str::from_utf8(line).ok()?.parse().ok()
}
