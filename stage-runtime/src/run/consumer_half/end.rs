//! The consumer half when a handler failed or the stage ends: settling the
//! current batch and handing back the rest.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use stage_core::{Batch, Failure, Outcome, SubscriptionId};

use super::{ConsumerHalf, Input};
use crate::dead_letter::DeadLetter;

impl<E> ConsumerHalf<E> {
    /// Settles the current batch after its handler failed or was dropped, and puts
    /// the events that were not taken back in front of the queue. Returns how many
    /// these are.
    ///
    /// The events in hand that the stage still owns go to the dead-letter hook.
    /// Without a hook or a `failure` they go back to the queue, too.
    pub(crate) fn fail_batch(&mut self, failure: Option<&Failure>) -> usize {
        let Some(current) = self.current.take() else {
            return 0;
        };
        let id = current.link;
        let batch = self.take_front();
        let mut failed = current.fail(batch);
        // Without an error there is no dead letter: the handler was dropped.
        let hook = self.options.dead_letters.as_mut();
        let hook_and_failure = hook.zip(failure);
        if hook_and_failure.is_none() {
            failed.retain_owned();
        }
        let settled = failed.settlement();
        if let Some(upstream) = self.links.get_mut(id) {
            let gone = settled.handled + settled.dead_lettered + settled.lost;
            upstream.release(gone, &failed.remaining);
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
        // After everything is settled, because the user's hook may panic.
        if let Some((hook, failure)) = hook_and_failure
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

    /// Cancels all subscriptions with the outcome of the stage, and hands the
    /// events that were not handled back to their producers. Returns how many
    /// events are lost because their producer has ended.
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

/// Hands back the events of a task that was dropped, for example by its runtime.
/// Does nothing after [`end`](ConsumerHalf::end).
impl<E> Drop for ConsumerHalf<E> {
    fn drop(&mut self) {
        let outcome = Outcome::Cancelled("the consumer's task was dropped".into());
        let lost = self.end(&outcome);
        self.shared.counters.discarded.add(lost);
    }
}
