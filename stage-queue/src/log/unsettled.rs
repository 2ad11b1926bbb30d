//! [`Unsettled`]: entries that a pipeline has and has not settled. Plain data, with time as an
//! argument.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use stage_pipeline::ack::{GapLimits, LeaseOrderError, LowWaterMark};
use stage_pipeline::policy::Retry;
use stage_pipeline::{Settled, Token, Verdict};

use super::LogEntry;
use crate::MessageId;

/// The entries of a group that are not settled, and how far all are. An entry that is to be
/// delivered again comes from here: a log is read in order, and does not go back for it.
#[derive(Debug, Default)]
pub(super) struct Unsettled {
    mark: LowWaterMark,
    entries: HashMap<u64, Held>,
    /// Entries that are to be delivered again, and when.
    due: BTreeSet<(Instant, u64)>,
    uncommitted: Option<MessageId>,
}

#[derive(Debug)]
struct Held {
    entry: LogEntry,
    epoch: u32,
    deliveries: u32,
    leased: bool,
}

/// A delivery of an entry.
pub(super) struct Delivery {
    pub(super) token: Token,
    pub(super) deliveries: u32,
    pub(super) entry: LogEntry,
}

impl Unsettled {
    /// Takes an entry that was read, to deliver it for the first time.
    ///
    /// # Errors
    ///
    /// [`LeaseOrderError`] if it was read out of order.
    pub(super) fn read(
        &mut self,
        now: Instant,
        entry: LogEntry,
    ) -> Result<Delivery, LeaseOrderError> {
        let id = entry.id.0;
        self.mark.lease(now, id)?;
        // Of a process before this one it is only known that there was a delivery.
        let deliveries = u32::from(entry.redelivered);
        let held = self.entries.entry(id).or_insert(Held {
            entry,
            epoch: 0,
            deliveries,
            leased: false,
        });
        Ok(held.deliver(id))
    }

    /// Takes entries that are due again, at most `max`.
    pub(super) fn take_due(&mut self, now: Instant, max: usize) -> Vec<Delivery> {
        let mut out = Vec::new();
        while out.len() < max
            && let Some(&(due, id)) = self.due.first()
            && due <= now
        {
            self.due.pop_first();
            if let Some(held) = self.entries.get_mut(&id) {
                out.push(held.deliver(id));
            }
        }
        out
    }

    /// Carries out a verdict. A rejected entry counts as done: the log keeps it, and the dead
    /// letters of the pipeline have it.
    pub(super) fn settle(&mut self, now: Instant, settled: &mut Settled) {
        let Token { id, epoch } = settled.token;
        let current = self
            .entries
            .get_mut(&id)
            .filter(|held| held.leased && held.epoch == epoch);
        let Some(held) = current else {
            settled.stale = true;
            return;
        };
        held.leased = false;
        match settled.verdict {
            Verdict::Ack | Verdict::Reject => {
                self.entries.remove(&id);
                let mark = self.mark.settle(self.mark.generation(), id);
                if let Some(done) = mark.and_then(|mark| mark.checked_sub(1)) {
                    self.uncommitted = Some(MessageId(done));
                }
            }
            Verdict::Release => {
                held.deliveries = held.deliveries.saturating_sub(1);
                self.due.insert((now, id));
            }
            Verdict::Retry(delay) => {
                // Longer ones could overflow an `Instant`.
                let delay = delay.min(Retry::LONGEST_DELAY);
                self.due.insert((now + delay, id));
            }
        }
    }

    /// Returns whether nothing more is to be read until the first entry is settled.
    pub(super) fn is_over(&self, now: Instant, limits: GapLimits) -> bool {
        self.mark.is_over(now, limits)
    }

    /// Returns the time until an entry is due again.
    pub(super) fn next_due(&self, now: Instant) -> Option<Duration> {
        let (due, _) = self.due.first()?;
        Some(due.saturating_duration_since(now))
    }

    /// Returns the number of the last entry up to which all are done, if that is news.
    pub(super) fn take_uncommitted(&mut self) -> Option<MessageId> {
        self.uncommitted.take()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Held {
    fn deliver(&mut self, id: u64) -> Delivery {
        self.epoch = self.epoch.wrapping_add(1);
        self.deliveries = self.deliveries.saturating_add(1);
        self.leased = true;
        Delivery {
            token: Token::new(id, self.epoch),
            deliveries: self.deliveries,
            entry: self.entry.clone(),
        }
    }
}
