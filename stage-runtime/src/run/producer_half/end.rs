//! The end of a producer half, and its accounts after a panic of the dispatcher.

use std::panic::{AssertUnwindSafe, catch_unwind};

use stage_core::{Dispatcher, Outcome};

use super::ProducerHalf;
use crate::link::Ended;
use crate::reply::producer_dropped;

impl<D: Dispatcher> ProducerHalf<D> {
    /// Ends the subscriptions of a stage that has completed and goes on. Everything has to
    /// be sent and settled ([`is_drained`](Self::is_drained)), so that nothing can be handed
    /// back. Calling it again has no effect.
    ///
    /// A consumer that has cancelled or was evicted knows already, and leaves by itself;
    /// `handle_cancel` is called for it as always.
    pub(crate) fn end_links(&mut self) {
        if std::mem::replace(&mut self.ended_links, true) {
            return;
        }
        let staying = self.links.iter().filter(|(_, link)| !link.leaving);
        let staying: Vec<_> = staying.map(|(id, _)| id).collect();
        tracing::debug!(
            consumers = staying.len(),
            "completed, and waits for `may_complete`"
        );
        for id in staying {
            // The dispatcher first: if it panics, the link ends with the stage.
            self.side.cancel(id, &mut self.outbox);
            self.side.take_back(id, Vec::new(), &mut self.outbox);
            if let Some(subscriber) = self.links.remove(id) {
                subscriber.end.end(Ended::Outcome(Outcome::Completed));
            }
        }
        if let Some(notes) = &mut self.notes {
            notes.rerouted.clear();
        }
        self.apply_outbox();
    }

    /// Whether [`end_links`](Self::end_links) was called.
    pub(crate) const fn has_ended_links(&self) -> bool {
        self.ended_links
    }

    /// Ends all subscriptions with the stage's outcome. Events that are still
    /// buffered count as discarded, and go to the hook for events that are shed.
    pub(crate) fn end(&mut self, outcome: &Outcome) {
        self.ended = true;
        self.shed_rest();
        self.shared.counters.buffered.set(0);
        if let Some(shown) = &self.shared.buffered_bytes {
            shown.set(0);
        }
        let lost = self
            .links
            .drain()
            .map(|(_, subscriber)| subscriber.end.end(Ended::Outcome(outcome.clone())))
            .sum();
        self.discard(lost, "a consumer and its producer ended at once");
    }

    /// Settles the accounts after the dispatcher panicked: sends the deliveries
    /// that it had written, and counts the events that are missing as discarded.
    ///
    /// The number is exact for a dispatcher that delivers each event once. With a
    /// broadcast, which counts an event once for each subscriber, events can be
    /// missing without being counted here.
    pub(crate) fn write_off(&mut self) {
        // This calls `Dispatcher::held`, which may panic again.
        if catch_unwind(AssertUnwindSafe(|| self.apply_outbox())).is_err() {
            tracing::error!("the dispatcher panicked again");
        }
        // Their events are counted with those that are missing.
        if let Some(pending) = &mut self.pending_callbacks {
            pending.returned = None;
        }
        let counters = &self.shared.counters;
        let came = counters.events_out.get() + counters.handed_back.get();
        let went = counters.delivered.get()
            + counters.discarded.get()
            + counters.rejected.get()
            + counters.taken_back.get()
            + counters.buffered.get();
        let taken = usize::try_from(came.saturating_sub(went)).unwrap_or(usize::MAX);
        self.discard(taken, "the dispatcher panicked with them in hand");
    }
}

/// Ends the subscriptions of a task that was dropped, for example by its runtime.
impl<D: Dispatcher> Drop for ProducerHalf<D> {
    fn drop(&mut self) {
        if !self.ended {
            // The user's dispatcher may panic. A second panic during unwinding would
            // abort the process.
            let ended = catch_unwind(AssertUnwindSafe(|| self.end(&producer_dropped())));
            if ended.is_err() {
                tracing::error!("the dispatcher panicked when its stage was dropped");
            }
        }
    }
}
