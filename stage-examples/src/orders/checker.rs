//! [`History`]: what happened to every message, as a checker wants to know it. [`Findings`]:
//! what the checker says.
//!
//! It compares what was sent with what was processed, and knows nothing of how either was
//! done. Of a message whose sender has no answer nothing is known: it may have been enqueued
//! or not, and both are right.
//!
//! Source: the `total-queue` checker of Jepsen.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// How many lost and unexpected messages are named.
const NAMED: usize = 10;

/// What happened to the messages, by number.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Messages that a sender tried to enqueue.
    pub(crate) attempted: BTreeSet<u64>,
    /// Messages whose sender was told that they are enqueued.
    pub(crate) acknowledged: BTreeSet<u64>,
    /// How often each was processed.
    pub(crate) processed: BTreeMap<u64, u64>,
    /// At how many kills each was under way. So often may it be processed once more.
    pub(crate) under_way: BTreeMap<u64, u64>,
}

/// What the checker says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Findings {
    pub(crate) attempted: u64,
    pub(crate) acknowledged: u64,
    /// Messages that were processed, once or more.
    pub(crate) processed: u64,
    /// Messages that were acknowledged and never processed.
    pub(crate) lost: u64,
    /// Messages that were processed, and that nobody had sent.
    pub(crate) unexpected: u64,
    /// Messages that were processed more than once.
    pub(crate) duplicated: u64,
    /// How often messages were processed beyond the first time.
    pub(crate) duplicates: u64,
    /// How often messages were under way when a process was killed: no more duplicates are
    /// allowed.
    pub(crate) under_way: u64,
    /// Duplicates of messages that were not under way, or not that often.
    pub(crate) unexplained: u64,
    /// Messages that were processed though their sender had no answer.
    pub(crate) recovered: u64,
    /// The first lost messages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) first_lost: Vec<u64>,
    /// The first unexpected messages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) first_unexpected: Vec<u64>,
}

impl History {
    /// Compares.
    pub(crate) fn check(&self) -> Findings {
        let processed = |message: &&u64| self.processed.contains_key(message);
        let lost: Vec<u64> = self
            .acknowledged
            .iter()
            .filter(|message| !processed(message))
            .copied()
            .collect();
        let unexpected: Vec<u64> = self
            .processed
            .keys()
            .filter(|message| !self.attempted.contains(message))
            .copied()
            .collect();
        let recovered = self
            .attempted
            .difference(&self.acknowledged)
            .filter(processed)
            .count();
        let again = self.processed.values().map(|times| times.saturating_sub(1));
        let unexplained = self.processed.iter().map(|(message, times)| {
            let under_way = self.under_way.get(message).copied().unwrap_or_default();
            times.saturating_sub(1).saturating_sub(under_way)
        });
        Findings {
            attempted: self.attempted.len() as u64,
            acknowledged: self.acknowledged.len() as u64,
            processed: self.processed.len() as u64,
            lost: lost.len() as u64,
            unexpected: unexpected.len() as u64,
            duplicated: again.clone().filter(|again| *again > 0).count() as u64,
            duplicates: again.sum(),
            under_way: self.under_way.values().sum(),
            unexplained: unexplained.sum(),
            recovered: recovered as u64,
            first_lost: lost.into_iter().take(NAMED).collect(),
            first_unexpected: unexpected.into_iter().take(NAMED).collect(),
        }
    }
}

impl Findings {
    /// Whether all promises were kept: nothing lost, nothing made up, and nothing processed
    /// again but what was under way.
    pub(crate) const fn are_sound(&self) -> bool {
        self.lost == 0 && self.unexpected == 0 && self.unexplained == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages 1 to 10 were sent and answered, and each was processed once.
    fn all_well() -> History {
        History {
            attempted: (1..=10).collect(),
            acknowledged: (1..=10).collect(),
            processed: (1..=10).map(|message| (message, 1)).collect(),
            under_way: BTreeMap::new(),
        }
    }

    #[test]
    fn once_each_is_sound() {
        let findings = all_well().check();
        assert!(findings.are_sound());
        assert_eq!(
            (
                findings.attempted,
                findings.acknowledged,
                findings.processed
            ),
            (10, 10, 10)
        );
        assert_eq!(
            (findings.lost, findings.duplicates, findings.recovered),
            (0, 0, 0)
        );
    }

    #[test]
    fn an_acknowledged_message_that_is_never_processed_is_lost() {
        let mut history = all_well();
        history.processed.remove(&4);
        history.processed.remove(&7);
        let findings = history.check();
        assert_eq!(
            (findings.lost, findings.first_lost.clone()),
            (2, vec![4, 7])
        );
        assert!(!findings.are_sound());
    }

    #[test]
    fn a_message_without_an_answer_may_be_there_or_not() {
        let mut history = all_well();
        history.acknowledged.remove(&4);
        assert_eq!(history.check().recovered, 1);
        assert!(history.check().are_sound());

        history.processed.remove(&4);
        assert_eq!(history.check().recovered, 0);
        assert!(history.check().are_sound());
    }

    #[test]
    fn a_message_that_nobody_sent_is_unexpected() {
        let mut history = all_well();
        history.processed.insert(11, 1);
        let findings = history.check();
        assert_eq!(
            (findings.unexpected, findings.first_unexpected.clone()),
            (1, vec![11])
        );
        assert!(!findings.are_sound());
    }

    #[test]
    fn duplicates_are_sound_as_often_as_the_message_was_under_way() {
        let mut history = all_well();
        history.processed.insert(4, 3);
        history.processed.insert(5, 2);
        history.under_way = [(4, 2), (5, 1), (6, 1)].into();
        let findings = history.check();
        assert_eq!((findings.duplicated, findings.duplicates), (2, 3));
        assert_eq!((findings.under_way, findings.unexplained), (4, 0));
        assert!(findings.are_sound());

        // Others being under way explains nothing.
        history.under_way = [(4, 1), (5, 1), (6, 5)].into();
        assert_eq!(history.check().unexplained, 1);
        assert!(!history.check().are_sound());
    }

    #[test]
    fn no_more_than_ten_are_named() {
        let mut history = all_well();
        history.attempted = (1..=100).collect();
        history.acknowledged = (1..=100).collect();
        let findings = history.check();
        assert_eq!((findings.lost, findings.first_lost.len()), (90, 10));
    }
}
