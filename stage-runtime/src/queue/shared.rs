//! What both ends of a queue share.
//!
//! All of a queue is under one lock. Under it no waker is woken or dropped, no hook is
//! called and no event is dropped, because each of these may come back to the queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use parking_lot::{Mutex, MutexGuard};
use stage_core::{Batch, Bound, Reason};
use tokio::sync::Notify;

use super::options::QueueHook;
use super::state::{Next, State, weight_of};
use super::{Pushed, QueueCounts, QueueOptions, WhenFull};
use crate::shed::{Shed, ShedReason};

pub(super) struct Shared<E> {
    pub(super) state: Mutex<State<E>>,
    /// Pushes need not look further: nobody is subscribed, and the queue keeps nothing
    /// then. Written under the lock.
    pub(super) absent: AtomicBool,
    /// Tells those who wait for the end.
    pub(super) closed: Notify,
    bound: Bound<E>,
    when_full: WhenFull,
    pub(super) while_subscribed: bool,
    name: Arc<str>,
    hook: Option<QueueHook<E>>,
}

impl<E> Shared<E> {
    pub(super) fn new(options: QueueOptions<E>) -> Self {
        let QueueOptions {
            bound,
            when_full,
            name,
            while_subscribed,
            hook,
        } = options;
        // A limit of 0 is refused when the source is spawned.
        let limit = bound.limit().map(|limit| limit.max(1));
        Self {
            state: Mutex::new(State::new(bound, limit)),
            absent: AtomicBool::new(while_subscribed),
            closed: Notify::new(),
            bound,
            when_full,
            while_subscribed,
            name,
            hook,
        }
    }

    pub(super) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub(super) fn weight_of(&self, event: &E) -> usize {
        weight_of(&self.bound, event)
    }

    /// Whether those who push wait for room.
    pub(super) fn waits(&self) -> bool {
        self.when_full == WhenFull::Wait
    }

    /// Whether pushes are refused because nobody is subscribed.
    pub(super) fn is_absent(&self) -> bool {
        self.absent.load(Ordering::Acquire)
    }

    #[inline]
    pub(super) fn push(&self, event: E) -> Pushed<E> {
        if self.is_absent() {
            return Pushed::NoSubscriber(event);
        }
        self.push_subscribed(event)
    }

    // Out of line, so that a push without a subscriber costs no more than the load.
    #[inline(never)]
    fn push_subscribed(&self, event: E) -> Pushed<E> {
        let weight = self.weight_of(&event);
        let mut state = self.state.lock();
        if !state.is_open() {
            return Pushed::Gone(event);
        }
        // The last consumer may have left since the first look.
        if self.while_subscribed && state.consumers.is_empty() {
            return Pushed::NoSubscriber(event);
        }
        if !state.room.try_take(weight) {
            return self.push_into_full(state, event, weight);
        }
        let reader = state.store(event, weight).then(|| state.reader.clone());
        drop(state);
        wake(reader.flatten());
        Pushed::Stored
    }

    /// Does with an event what the policy says.
    #[cold]
    fn push_into_full<'a>(
        &'a self,
        mut state: MutexGuard<'a, State<E>>,
        event: E,
        weight: usize,
    ) -> Pushed<E> {
        match self.when_full {
            WhenFull::Wait => Pushed::Full(event),
            WhenFull::DropNewest => {
                state.shed_newest();
                let total = state.shed();
                drop(state);
                self.shed_by_push(vec![event], total)
            }
            WhenFull::DropOldest => {
                let oldest = state.shed_oldest(weight);
                state.room.take(weight);
                let reader = state.store(event, weight).then(|| state.reader.clone());
                let total = state.shed();
                drop(state);
                wake(reader.flatten());
                self.shed_by_push(oldest, total)
            }
            WhenFull::Detach => {
                drop(state);
                self.detach(Reason::from(format!("the queue `{}` was full", self.name)));
                Pushed::Gone(event)
            }
        }
    }

    /// Has room reserved for `weight`: at once, or when the waker is woken. `None` if
    /// the queue takes nothing any more.
    pub(super) fn reserve(&self, weight: usize, waker: &Waker) -> Option<Result<(), u64>> {
        let mut state = self.state.lock();
        if !state.is_open() {
            return None;
        }
        if state.room.try_take(weight) {
            return Some(Ok(()));
        }
        Some(Err(state.room.wait(weight, waker.clone())))
    }

    /// Whether a ticket of [`reserve`](Self::reserve) has its room by now. `None` as
    /// there.
    pub(super) fn poll_ticket(&self, ticket: u64, waker: &Waker) -> Option<bool> {
        let mut state = self.state.lock();
        if !state.is_open() {
            return None;
        }
        let Some(known) = state.room.waker_of(ticket) else {
            return Some(true);
        };
        let old = (!known.will_wake(waker)).then(|| std::mem::replace(known, waker.clone()));
        drop(state);
        drop(old);
        Some(false)
    }

    /// Takes back a ticket that may have its room already.
    pub(super) fn forget_ticket(&self, ticket: u64, weight: usize) {
        let mut state = self.state.lock();
        if !state.is_open() {
            return;
        }
        let (own, granted) = match state.room.forget(ticket) {
            Some(forgotten) => forgotten,
            None => (None, state.room.release(weight)),
        };
        drop(state);
        drop(own);
        granted.into_iter().for_each(Waker::wake);
    }

    /// Takes back reserved room.
    pub(super) fn release(&self, weight: usize) {
        let mut state = self.state.lock();
        if !state.is_open() {
            return;
        }
        let granted = state.room.release(weight);
        drop(state);
        granted.into_iter().for_each(Waker::wake);
    }

    /// Stores an event in room that was reserved for it, even if it is heavier.
    pub(super) fn store(&self, event: E, reserved: usize) -> Result<(), E> {
        let weight = self.weight_of(&event);
        let mut state = self.state.lock();
        if !state.is_open() {
            return Err(event);
        }
        if self.while_subscribed && state.consumers.is_empty() {
            let granted = state.room.release(reserved);
            drop(state);
            granted.into_iter().for_each(Waker::wake);
            return Ok(());
        }
        state.room.take(weight.saturating_sub(reserved));
        let reader = state.store(event, weight).then(|| state.reader.clone());
        drop(state);
        wake(reader.flatten());
        Ok(())
    }

    /// Takes events for the source, and leaves its waker.
    pub(super) fn take(&self, demand: usize, out: &mut Vec<E>, waker: &Waker) -> Next {
        let mut state = self.state.lock();
        let old = set_reader(&mut state, waker);
        let (granted, next) = state.take(demand, out);
        drop(state);
        drop(old);
        granted.into_iter().for_each(Waker::wake);
        next
    }

    /// Leaves the waker of the source, and returns what the source is to do.
    pub(super) fn watch(&self, waker: &Waker) -> Next {
        let mut state = self.state.lock();
        let old = set_reader(&mut state, waker);
        let next = state.next();
        drop(state);
        drop(old);
        next
    }

    pub(super) fn len(&self) -> usize {
        self.state.lock().events.len()
    }

    pub(super) fn counts(&self) -> QueueCounts {
        self.state.lock().counts()
    }

    pub(super) fn is_closed(&self) -> bool {
        !self.state.lock().is_open()
    }

    /// Waits until the queue takes nothing any more.
    pub(super) async fn closed(&self) {
        let mut closed = std::pin::pin!(self.closed.notified());
        // Listens before it looks: `notify_waiters` reaches only those who listen.
        closed.as_mut().enable();
        if !self.is_closed() {
            closed.await;
        }
    }

    /// Sheds what is queued. Returns the number of events.
    pub(super) fn shed_all(&self, reason: ShedReason) -> usize {
        let mut state = self.state.lock();
        let (events, granted) = state.shed_all();
        let total = state.shed();
        drop(state);
        granted.into_iter().for_each(Waker::wake);
        let count = events.len();
        if count > 0 {
            // Dropped here, if there is no hook: after the lock.
            let _rest = self.give_to_hook(Vec::from(events), reason, total);
        }
        count
    }

    fn shed_by_push(&self, events: Vec<E>, total: u64) -> Pushed<E> {
        Pushed::Shed(self.give_to_hook(events, ShedReason::Full, total))
    }

    /// Gives events to the hook, or returns them if there is none.
    fn give_to_hook(&self, events: Vec<E>, reason: ShedReason, total: u64) -> Batch<E> {
        let Some(hook) = &self.hook else {
            // One line for each event would be the next overload.
            let before = total - events.len() as u64;
            if before == 0 || total.ilog2() > before.ilog2() {
                let queue = &*self.name;
                tracing::warn!(queue, total, ?reason, "events shed");
            }
            return Batch::from(events);
        };
        let shed = Shed {
            stage: Arc::clone(&self.name),
            reason,
            events: Batch::from(events),
        };
        shed.give(hook);
        Batch::new()
    }
}

/// Replaces the waker of the reader, if it is another one. Returns the old one, to be
/// dropped after the lock.
fn set_reader<E>(state: &mut State<E>, waker: &Waker) -> Option<Waker> {
    match &state.reader {
        Some(known) if known.will_wake(waker) => None,
        _ => state.reader.replace(waker.clone()),
    }
}

pub(super) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
