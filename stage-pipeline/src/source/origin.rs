//! [`Origin`]: the acknowledger of one source, with the ledger of its messages.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::Waker;

use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use stages::protocol::panic_message;

use super::SourceOptions;
use crate::ack::{AckError, Acknowledger, Settled, Verdict};
use crate::ledger::Ledger;
use crate::run::Shared;

/// Settles the messages of one source through the source's own acknowledger, counts what
/// becomes of them, and wakes the stage of the source when it waits for that.
///
/// It outlives the source: a source that is made again after a failure brings another
/// acknowledger, and messages keep the one they were leased with.
pub(crate) struct Origin {
    name: Arc<str>,
    /// The number of the source in its pipeline.
    number: usize,
    counts: Arc<Counts>,
    shared: Arc<Shared>,
    acknowledger: Arc<dyn Acknowledger>,
}

/// The ledger of all messages of one source, whichever state of it leased them.
#[derive(Default)]
pub(crate) struct Counts {
    leased: AtomicU64,
    acked: AtomicU64,
    retried: AtomicU64,
    released: AtomicU64,
    rejected: AtomicU64,
    expired: AtomicU64,
    /// The stage of the source, while it waits for messages to be settled.
    waiting: Mutex<Option<Waiting>>,
}

struct Waiting {
    /// Wake when no more than this many are unsettled.
    below: u64,
    waker: Waker,
}

impl Origin {
    pub(crate) fn new<T>(options: &SourceOptions<T>, acknowledger: Arc<dyn Acknowledger>) -> Self {
        Self {
            name: Arc::clone(&options.name),
            number: options.number,
            counts: Arc::clone(&options.counts),
            shared: Arc::clone(&options.shared),
            acknowledger,
        }
    }

    pub(crate) fn add_leased(&self, count: usize) {
        if count > 0 {
            self.counts.leased.fetch_add(count as u64, Relaxed);
        }
    }

    fn note(&self, settled: &[Settled], lost: bool) {
        if self.shared.ordered {
            for one in settled {
                self.shared
                    .unsettled_keys
                    .settle(self.number, one.token, &self.shared.fence);
            }
        }
        self.counts.count(settled, lost);
    }
}

impl Counts {
    /// Returns the number of messages that are not settled.
    pub(crate) fn in_flight(&self) -> u64 {
        self.ledger().in_flight
    }

    pub(crate) fn ledger(&self) -> Ledger {
        // The sum of what is settled is read first: it never exceeds what was leased.
        let acked = self.acked.load(Relaxed);
        let retried = self.retried.load(Relaxed);
        let released = self.released.load(Relaxed);
        let rejected = self.rejected.load(Relaxed);
        let expired = self.expired.load(Relaxed);
        let leased = self.leased.load(Relaxed);
        let settled = acked + retried + released + rejected + expired;
        Ledger {
            leased,
            acked,
            retried,
            released,
            rejected,
            expired,
            in_flight: leased.saturating_sub(settled),
        }
    }

    /// Wakes `waker` once no more than `below` messages are unsettled.
    pub(crate) fn wake_below(&self, below: u64, waker: &Waker) {
        *self.waiting.lock() = Some(Waiting {
            below,
            waker: waker.clone(),
        });
        // They may have been settled in between.
        self.wake();
    }

    fn count(&self, settled: &[Settled], lost: bool) {
        let (mut acked, mut retried, mut released, mut rejected, mut expired) = (0, 0, 0, 0, 0);
        for one in settled {
            match one.verdict {
                _ if lost || one.stale => expired += 1,
                Verdict::Ack => acked += 1,
                Verdict::Release => released += 1,
                Verdict::Retry(_) => retried += 1,
                Verdict::Reject => rejected += 1,
            }
        }
        for (count, sum) in [
            (acked, &self.acked),
            (retried, &self.retried),
            (released, &self.released),
            (rejected, &self.rejected),
            (expired, &self.expired),
        ] {
            if count > 0 {
                sum.fetch_add(count, Relaxed);
            }
        }
        self.wake();
    }

    fn wake(&self) {
        let mut waiting = self.waiting.lock();
        let in_flight = self.in_flight();
        if let Some(due) = waiting.take_if(|waiting| in_flight <= waiting.below) {
            drop(waiting);
            due.waker.wake();
        }
    }
}

impl Acknowledger for Origin {
    fn settle<'a>(&'a self, settled: &'a mut [Settled]) -> BoxFuture<'a, Result<(), AckError>> {
        async move {
            // If this future is dropped, the origin may never have heard.
            let mut unsettled = Unsettled {
                origin: self,
                settled,
            };
            let result = self.acknowledger.settle(unsettled.settled).await;
            self.note(unsettled.settled, result.is_err());
            unsettled.settled = &mut [];
            result
        }
        .boxed()
    }

    fn abandon(&self, settled: Settled) {
        if self.shared.ordered {
            self.shared
                .unsettled_keys
                .drop_message(self.number, &settled, &self.shared.fence);
        }
        // In a destructor, a panic that gets out can end the process.
        let abandon = || self.acknowledger.abandon(settled.clone());
        if let Err(panic) = catch_unwind(AssertUnwindSafe(abandon)) {
            let reason = panic_message(&*panic);
            tracing::error!(origin = %self.name, "the acknowledger panicked: {reason}");
        }
        self.note(std::slice::from_ref(&settled), false);
    }

    fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }
}

/// Verdicts that are on their way. Dropped, they are abandoned, so that each is counted
/// once; after a panic of the acknowledger, which may be in any state, they count as expired.
struct Unsettled<'a> {
    origin: &'a Origin,
    settled: &'a mut [Settled],
}

impl Drop for Unsettled<'_> {
    fn drop(&mut self) {
        if self.settled.is_empty() {
            return;
        }
        if std::thread::panicking() {
            self.origin.note(self.settled, true);
            return;
        }
        for settled in self.settled.iter() {
            self.origin.abandon(settled.clone().unsent());
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
