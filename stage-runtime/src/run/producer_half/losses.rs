//! The events that a producer half cannot send: counted, traced, and given to the
//! user's hooks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use stage_core::{Batch, Dispatcher, Failure};

use super::ProducerHalf;
use crate::dead_letter::{DeadLetter, Hook};
use crate::shed::{Shed, ShedHook, ShedReason};

/// The user's hooks for events that were not sent.
pub(super) struct Hooks<E> {
    /// For events that the dispatcher could send to no subscriber.
    rejected: Option<Hook<E>>,
    /// For events that the buffer had no room for, or that were left at the end.
    shed: Option<ShedHook<E>>,
}

impl<E> Hooks<E> {
    /// Boxes the hooks, if there are any.
    pub(super) fn new(rejected: Option<Hook<E>>, shed: Option<ShedHook<E>>) -> Option<Box<Self>> {
        let any = rejected.is_some() || shed.is_some();
        any.then(|| Box::new(Self { rejected, shed }))
    }
}

impl<D: Dispatcher> ProducerHalf<D> {
    /// Counts and traces the events that the protocol rejected or discarded, and
    /// gives them to the hooks. Evicts whom the dispatcher wants gone.
    #[inline(never)]
    pub(super) fn count_losses(&mut self) {
        for rejected in self.outbox.deliveries.take_rejected() {
            self.shared.counters.rejected.add(1);
            tracing::warn!(error = %rejected.error, "event rejected");
            let hooks = self.hooks.as_mut();
            if let Some(hook) = hooks.and_then(|hooks| hooks.rejected.as_mut()) {
                let stage = Arc::clone(&self.shared.name);
                let letter = DeadLetter {
                    failure: Failure::error(Arc::clone(&stage), rejected.error),
                    stage,
                    events: vec![rejected.event],
                    lost: 0,
                };
                letter.give_to(hook);
            }
        }
        // No warning: a rule of the user, such as a hash of `None`, dropped these.
        let dropped = self.outbox.deliveries.take_discarded();
        self.shared.counters.discarded.add(dropped);
        let overflowed = std::mem::take(&mut self.outbox.overflowed);
        if overflowed > 0 {
            self.count_overflowed(overflowed);
        }
        for (id, count) in self.outbox.deliveries.take_shed() {
            if let Some(subscriber) = self.links.get(id) {
                subscriber.end.note_shed(count);
            }
        }
        // Cancelling is a step of the protocol, and events that wait for
        // `handle_returned` come before all others: `hand_back` comes here again.
        if self.has_returned() {
            return;
        }
        let evicted: Vec<_> = self.outbox.deliveries.take_evicted().collect();
        for (id, reason) in evicted {
            self.evict(id, reason);
        }
    }

    /// Counts events that a full buffer discarded, and gives them to the hook.
    /// Without a hook they are traced, but not each time: a producer that nobody
    /// listens to would fill the log.
    fn count_overflowed(&mut self, count: usize) {
        self.shared.counters.discarded.add(count);
        let is_heard = self.links.iter().any(|(_, consumer)| !consumer.leaving);
        let reason = if is_heard {
            ShedReason::Full
        } else {
            ShedReason::NoSubscriber
        };
        if self.sheds() {
            let events = self.side.take_shed();
            self.shed(reason, events);
            return;
        }
        let before = self.overflowed;
        self.overflowed = before.saturating_add(count as u64);
        // Whenever the count has as many binary digits as never before.
        if before.checked_ilog2() != self.overflowed.checked_ilog2() {
            tracing::warn!(
                count = self.overflowed,
                why = match reason {
                    ShedReason::NoSubscriber => "nobody is subscribed, and the buffer is full",
                    ShedReason::Full | ShedReason::StageEnded => "the buffer is full",
                },
                "events discarded so far"
            );
        }
    }

    /// Counts what was emitted and not delivered when the stage ends, and gives it
    /// to the hook. Without a hook it is traced.
    pub(super) fn shed_rest(&mut self) {
        // Links that waited for `handle_returned` may have something as well.
        self.next_returned();
        let returned = self.take_returned().map(|returned| returned.events);
        let returned = returned.filter(|events| !events.is_empty());
        let left =
            self.side.buffered() + self.side.held() + returned.as_ref().map_or(0, Batch::len);
        if left == 0 {
            return;
        }
        let mut given = 0;
        if self.sheds() {
            // The dispatcher and the weigher of the buffer are the user's, and may
            // panic. The links have to be ended nevertheless.
            let rest = catch_unwind(AssertUnwindSafe(|| self.side.take_rest()));
            let mut rest = rest.unwrap_or_default();
            rest.splice(0..0, returned);
            given = rest.iter().map(Batch::len).sum();
            self.shed(ShedReason::StageEnded, rest);
        }
        self.shared.counters.discarded.add(given.min(left));
        self.discard(
            left.saturating_sub(given),
            "the stage ended with events nobody had asked for",
        );
    }

    /// Discards what was emitted after the links have ended: nobody can ask for it any
    /// more, and the stage may wait for it to be dropped.
    #[inline]
    pub(crate) fn shed_unread(&mut self) {
        if self.ended_links && !self.side.is_drained() {
            self.discard_unread();
        }
    }

    #[cold]
    fn discard_unread(&mut self) {
        let unread = self.side.take_rest();
        let count = unread.iter().map(Batch::len).sum();
        if self.sheds() {
            self.shared.counters.discarded.add(count);
            self.shed(ShedReason::NoSubscriber, unread);
        } else {
            self.discard(count, "emitted after the stage has completed");
        }
        self.apply_outbox();
    }

    /// Whether there is a hook for events that are shed.
    fn sheds(&self) -> bool {
        self.hooks
            .as_ref()
            .is_some_and(|hooks| hooks.shed.is_some())
    }

    /// Gives events to the hook.
    fn shed(&mut self, reason: ShedReason, batches: Vec<Batch<D::Event>>) {
        let hooks = self.hooks.as_mut();
        if let Some(hook) = hooks.and_then(|hooks| hooks.shed.as_mut()) {
            for events in batches {
                let stage = Arc::clone(&self.shared.name);
                let shed = Shed {
                    stage,
                    reason,
                    events,
                };
                shed.give_to(hook);
            }
        }
    }

    /// Counts `count` events as discarded; 0 costs nothing.
    #[inline]
    pub(super) fn discard(&self, count: usize, why: &'static str) {
        if count > 0 {
            self.count_discarded(count, why);
        }
    }

    /// The cold path of [`discard`](Self::discard): counts and traces.
    #[cold]
    fn count_discarded(&self, count: usize, why: &'static str) {
        self.shared.counters.discarded.add(count);
        tracing::warn!(count, why, "events discarded");
    }
}
