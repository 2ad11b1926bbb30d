//! Who is at the two ends of a queue, and how it ends.

use std::sync::atomic::Ordering;
use std::task::Waker;

use stage_core::{Reason, SubscriptionId};

use super::shared::{Shared, wake};
use super::state::{Phase, State};
use crate::shed::ShedReason;

impl<E> Shared<E> {
    /// Takes nothing more; what is queued is delivered.
    pub(super) fn finish(&self) {
        self.close(Phase::Finished);
    }

    /// Ends the source as cancelled. The queued events are shed.
    pub(super) fn detach(&self, reason: Reason) {
        if self.close(Phase::Detached(reason)) {
            self.shed_all(ShedReason::StageEnded);
        }
    }

    /// Notes that there is one inlet more.
    pub(super) fn add_inlet(&self) {
        self.state.lock().inlets += 1;
    }

    /// Notes that an inlet was dropped. The last one finishes the queue.
    pub(super) fn remove_inlet(&self) {
        let mut state = self.state.lock();
        state.inlets -= 1;
        let is_last = state.inlets == 0;
        drop(state);
        if is_last {
            self.finish();
        }
    }

    /// Notes that there is one reader more: the next state of a stage that restarts.
    pub(super) fn add_reader(&self) {
        self.state.lock().readers += 1;
    }

    /// Whether the queue goes with the one reader that there is.
    pub(super) fn has_one_reader(&self) -> bool {
        self.state.lock().readers == 1
    }

    /// Notes that a reader was dropped. With the last one the queue is gone.
    pub(super) fn remove_reader(&self) {
        let mut state = self.state.lock();
        state.readers -= 1;
        let is_last = state.readers == 0;
        drop(state);
        if is_last {
            self.leave();
        }
    }

    /// Ends the queue because its source has ended: what is left is shed. Returns the
    /// number of those events.
    pub(super) fn leave(&self) -> usize {
        self.close(Phase::Gone);
        self.shed_all(ShedReason::StageEnded)
    }

    /// Notes a consumer. The new state of a stage that restarted names those that it
    /// has once more.
    pub(super) fn add_consumer(&self, id: SubscriptionId) {
        let mut state = self.state.lock();
        if !state.consumers.contains(&id) {
            state.consumers.push(id);
        }
        self.note_absence(&state);
    }

    /// Notes that a consumer has left.
    pub(super) fn remove_consumer(&self, id: SubscriptionId) {
        let mut state = self.state.lock();
        state.consumers.retain(|known| *known != id);
        self.note_absence(&state);
        let nobody = self.while_subscribed && state.consumers.is_empty();
        drop(state);
        if nobody {
            self.shed_all(ShedReason::NoSubscriber);
        }
    }

    fn note_absence(&self, state: &State<E>) {
        // Not once it is closed: a push has to look, to return `Gone`.
        let absent = self.while_subscribed && state.is_open() && state.consumers.is_empty();
        self.absent.store(absent, Ordering::Release);
    }

    /// Goes on to a later phase. Returns whether it was an earlier one.
    fn close(&self, phase: Phase) -> bool {
        let mut state = self.state.lock();
        let goes_on = match (&state.phase, &phase) {
            (Phase::Open, _) => true,
            (Phase::Finished, next) => *next != Phase::Finished,
            (Phase::Detached(_), next) => *next == Phase::Gone,
            (Phase::Gone, _) => false,
        };
        if !goes_on {
            return false;
        }
        state.phase = phase;
        self.note_absence(&state);
        let waiters = state.room.take_waiters();
        let reader = state.reader.clone();
        drop(state);
        waiters.into_iter().for_each(Waker::wake);
        wake(reader);
        self.closed.notify_waiters();
        true
    }
}
