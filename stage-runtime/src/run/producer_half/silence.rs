//! Consumers that are evicted because they do not ask: `Subscription::evict_after`.
//!
//! A consumer notes its asks on the link, also while they do not wake the producer. So the
//! producer looks at the links when it parks and when it yields, and needs no call per ask.
//! An ask between two looks is seen by the total that was asked for, even if everything was
//! delivered since.

use std::time::Duration;

use stage_core::{Dispatcher, Gate, SubscriptionId};
use tokio::time::Instant;

use super::{Notes, ProducerHalf};

/// A consumer that is to be evicted if it does not ask.
pub(super) struct Watched {
    id: SubscriptionId,
    /// How long it may have no demand outstanding.
    limit: Duration,
    /// Since when it has had none; `None` while it has some, or its silence does not count.
    since: Option<Instant>,
    /// How much it had asked for at the last look.
    asked: u64,
}

impl Watched {
    /// Returns when to evict the consumer. A limit beyond the end of the clock is none.
    fn due(&self) -> Option<Instant> {
        self.since?.checked_add(self.limit)
    }
}

impl<D: Dispatcher> ProducerHalf<D> {
    /// Evicts the consumer once it has had no demand outstanding for the time `limit`.
    pub(crate) fn evict_after(&mut self, id: SubscriptionId, limit: Duration) {
        self.notes.get_or_insert_default().watched.push(Watched {
            id,
            limit,
            since: None,
            asked: 0,
        });
        self.look(false);
    }

    /// Whether a consumer may have to be evicted for its silence.
    #[inline]
    pub(crate) fn watches_silence(&self) -> bool {
        self.notes.is_some()
    }

    /// Notes who is silent, and returns when the first of them is to be evicted. `completing`
    /// says that the stage emits nothing more.
    #[cold]
    pub(crate) fn next_eviction(&mut self, completing: bool) -> Option<Instant> {
        self.look(completing);
        let watched = &self.notes.as_ref()?.watched;
        watched.iter().filter_map(Watched::due).min()
    }

    /// Evicts who has been silent for too long.
    #[cold]
    pub(crate) fn evict_silent(&mut self, completing: bool) {
        self.look(completing);
        let Some(notes) = &self.notes else {
            return;
        };
        let now = Instant::now();
        let is_due = |watched: &&Watched| watched.due().is_some_and(|due| due <= now);
        let due = notes.watched.iter().filter(is_due);
        let due: Vec<_> = due.map(|watched| (watched.id, watched.limit)).collect();
        for (id, limit) in due {
            let producer = &self.shared.name;
            let reason = format!("it did not ask `{producer}` for events for {}", text(limit));
            self.evict(id, reason.into());
        }
    }

    /// Looks at the links of the consumers that are watched, and forgets those that leave.
    fn look(&mut self, completing: bool) {
        // Nobody waits for a silent consumer then, and it may still be busy with its events.
        let counts = self.side.gate() == Gate::Open && !(completing && self.is_empty());
        let Some(notes) = &mut self.notes else {
            return;
        };
        let now = Instant::now();
        let links = &self.links;
        notes.watched.retain_mut(|watched| {
            let Some(link) = links.get(watched.id).filter(|link| !link.leaving) else {
                return false;
            };
            let (asked, outstanding) = link.end.asked();
            let spoke = std::mem::replace(&mut watched.asked, asked) != asked;
            if !counts || outstanding > 0 {
                watched.since = None;
            } else if spoke || watched.since.is_none() {
                watched.since = Some(now);
            }
            true
        });
        Notes::tidy(&mut self.notes);
    }
}

/// Writes a time such as `30 s` or `1.5 ms`.
fn text(time: Duration) -> String {
    let text = format!("{time:?}");
    let unit = text.find(char::is_alphabetic).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    format!("{number} {unit}")
}
