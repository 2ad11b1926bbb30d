//! How a producer's half comes to its end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use stage_core::{Dispatcher, Outcome};

use super::ProducerHalf;
use crate::link::Ended;
use crate::reply::producer_dropped;

impl<D: Dispatcher> ProducerHalf<D> {
    /// Ends all subscriptions with the stage's outcome.
    pub(crate) fn end(&mut self, outcome: &Outcome) {
        self.ended = true;
        self.discard(
            self.side.buffered() + self.side.held(),
            "the stage ended with events nobody had asked for",
        );
        self.shared.counters.buffered.set(0);
        let lost = self
            .links
            .drain()
            .map(|(_, subscriber)| subscriber.end.end(Ended::Outcome(outcome.clone())))
            .sum();
        self.discard(lost, "a consumer and its producer ended at once");
    }

    /// The dispatcher has panicked: sends what it had decided on, and counts
    /// what it was given and took with it. Of a broadcast, which delivers an
    /// event more than once, that is not known.
    pub(crate) fn write_off(&mut self) {
        // It counts what it holds, and may panic again.
        if catch_unwind(AssertUnwindSafe(|| self.apply_outbox())).is_err() {
            tracing::error!("the dispatcher panicked again");
        }
        let counters = &self.shared.counters;
        let came = counters.events_out.get() + counters.handed_back.get();
        let went = counters.delivered.get()
            + counters.discarded.get()
            + counters.rejected.get()
            + counters.buffered.get();
        let taken = usize::try_from(came.saturating_sub(went)).unwrap_or(usize::MAX);
        self.discard(taken, "the dispatcher panicked with them in hand");
    }
}

/// A task that is dropped, by its runtime for one, counts what it had.
impl<D: Dispatcher> Drop for ProducerHalf<D> {
    fn drop(&mut self) {
        if !self.ended {
            // The dispatcher is the user's, and a panic here would end the
            // process if there is one already.
            let ended = catch_unwind(AssertUnwindSafe(|| self.end(&producer_dropped())));
            if ended.is_err() {
                tracing::error!("the dispatcher panicked when its stage was dropped");
            }
        }
    }
}
