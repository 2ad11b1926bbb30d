//! How a batch, and a consumer's half, comes to an end before its time.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use stage_core::{Batch, Failure, Outcome, SubscriptionId};

use super::{ConsumerHalf, Input};
use crate::dead_letter::DeadLetter;

impl<E> ConsumerHalf<E> {
    /// The handler of the batch in hand has failed, or was dropped: settles
    /// what it took, and puts the rest back in front of what waits. Returns how
    /// much that is.
    pub(crate) fn fail_batch(&mut self, failure: Option<&Failure>) -> usize {
        let Some(current) = self.current.take() else {
            return 0;
        };
        let id = current.link;
        let batch = self.take_front();
        let mut failed = current.fail(batch);
        // Without an error there is nothing to tell the hook.
        let hook = self.options.dead_letters.as_mut();
        let told = hook.zip(failure);
        if told.is_none() {
            failed.retain_owned();
        }
        let settled = failed.settled();
        if let Some(upstream) = self.links.get_mut(id) {
            let gone = settled.handled + settled.dead_lettered + settled.lost;
            upstream.window.release(gone);
            upstream.end.account(settled);
        }
        let counters = &self.shared.counters;
        counters.dead_lettered.add(settled.dead_lettered);
        counters.lost.add(settled.lost);
        if settled.lost > 0 {
            tracing::warn!(
                count = settled.lost,
                "events lost: they had been moved into the handler that failed"
            );
        }
        let rest = failed.remaining.len();
        if rest > 0 {
            self.queue.push_front(Input::Events(id, failed.remaining));
        }
        // Last: the hook is the user's, and may panic.
        if let Some((hook, failure)) = told
            && settled.dead_lettered + settled.lost > 0
        {
            let letter = DeadLetter {
                stage: Arc::clone(&self.shared.name),
                failure: failure.clone(),
                events: failed.owned,
                lost: settled.lost,
            };
            letter.give_to(hook);
        }
        rest
    }

    /// Cancels all subscriptions because the stage has ended, and gives back
    /// what had arrived and was not handled. Returns how many events are lost
    /// because their producer is gone.
    pub(crate) fn end(&mut self, outcome: &Outcome) -> usize {
        self.fail_batch(None);
        self.shared.counters.queued.set(0);
        let mut unhandled: HashMap<SubscriptionId, Vec<Batch<E>>, RandomState> = HashMap::default();
        for (id, batch) in self.queue.drain(..).filter_map(Input::into_events) {
            unhandled.entry(id).or_default().push(batch);
        }
        let mut lost = 0;
        for (id, upstream) in self.links.drain() {
            let unhandled = unhandled.remove(&id).unwrap_or_default();
            lost += upstream.end.cancel(outcome.clone(), unhandled);
        }
        lost + unhandled.values().flatten().map(Batch::len).sum::<usize>()
    }
}

/// A task that is dropped, by its runtime for one, gives back what it had.
impl<E> Drop for ConsumerHalf<E> {
    fn drop(&mut self) {
        let outcome = Outcome::Cancelled("the consumer's task was dropped".into());
        let lost = self.end(&outcome);
        self.shared.counters.discarded.add(lost);
    }
}
