//! How a batch, and a consumer's half, comes to an end before its time.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use stage_core::{Batch, Failure, Outcome, SubscriptionId};

use super::{Inlets, Input};
use crate::dead_letter::DeadLetter;

impl<E> Inlets<E> {
    /// The handler of the batch in hand has failed, or was dropped: settles
    /// what it took, and puts the rest back in front of what waits. Returns how
    /// much that is.
    pub(crate) fn fell(&mut self, failure: Option<&Failure>) -> usize {
        let Some(in_hand) = self.in_hand.take() else {
            return 0;
        };
        let id = in_hand.link;
        let batch = self.take_front();
        let mut fallen = in_hand.fall(batch);
        // Without an error there is nothing to tell the hook.
        let hook = self.options.dead_letters.as_mut();
        let told = hook.zip(failure);
        if told.is_none() {
            fallen.keep_owned();
        }
        let settled = fallen.settled();
        if let Some(inlet) = self.links.get_mut(id) {
            let gone = settled.handled + settled.dead_lettered + settled.lost;
            inlet.window.settled(gone);
            inlet.end.settle(settled);
        }
        let counters = &self.identity.counters;
        counters.dead_lettered.add(settled.dead_lettered);
        counters.lost.add(settled.lost);
        if settled.lost > 0 {
            tracing::warn!(
                count = settled.lost,
                "events lost: they had been moved into the handler that failed"
            );
        }
        let rest = fallen.untaken.len();
        if rest > 0 {
            self.queue.push_front(Input::Events(id, fallen.untaken));
        }
        // Last: the hook is the user's, and may panic.
        if let Some((hook, failure)) = told
            && settled.dead_lettered + settled.lost > 0
        {
            let letter = DeadLetter {
                stage: Arc::clone(&self.identity.name),
                failure: failure.clone(),
                events: fallen.owned,
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
        self.fell(None);
        self.identity.counters.queued.set(0);
        let mut unhandled: HashMap<SubscriptionId, Vec<Batch<E>>, RandomState> = HashMap::default();
        for (id, batch) in self.queue.drain(..).filter_map(Input::into_events) {
            unhandled.entry(id).or_default().push(batch);
        }
        let mut lost = 0;
        for (id, inlet) in self.links.drain() {
            let unhandled = unhandled.remove(&id).unwrap_or_default();
            lost += inlet.end.cancel(outcome.clone(), unhandled);
        }
        lost + unhandled.values().flatten().map(Batch::len).sum::<usize>()
    }
}

/// A task that is dropped, by its runtime for one, gives back what it had.
impl<E> Drop for Inlets<E> {
    fn drop(&mut self) {
        let outcome = Outcome::Cancelled("the consumer's task was dropped".into());
        let lost = self.end(&outcome);
        self.identity.counters.discarded.add(lost);
    }
}
