//! A bell wakes one task.
//!
//! Checked under every order of steps by `tests/bell_model.rs`.

use std::task::{Context, Poll, Waker};

use super::sync::{AtomicU8, Mutex, Ordering};

/// The task sleeps, and nobody has rung since.
const ASLEEP: u8 = 1 << 7;

/// Wakes one task, and says what for: any of seven bits, which are its owner's.
///
/// Ringing costs one operation on an atomic, and a lock only if the task has to
/// be woken.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    /// What was rung for since the task last listened, or [`ASLEEP`].
    word: AtomicU8,
    /// Stays here from one sleep to the next: a task is always woken by the same.
    waker: Mutex<Option<Waker>>,
}

/// The task's side of its bell: what it has left there.
#[derive(Debug, Default)]
pub(crate) struct Sleeper(Option<Waker>);

impl Bell {
    /// Rings for `what`, and wakes the task if it sleeps.
    #[inline]
    pub(crate) fn ring(&self, what: u8) {
        debug_assert!(what & ASLEEP == 0);
        if self.word.fetch_or(what, Ordering::AcqRel) == ASLEEP {
            self.wake();
        }
    }

    #[inline(never)]
    fn wake(&self) {
        if let Some(waker) = &*self.waker.lock() {
            // Under the lock, which is for the waker alone: only a task that
            // ran in here could wait for it.
            waker.wake_by_ref();
        }
    }

    /// Whether it was rung, as far as can be told at a glance: who is to sleep
    /// asks [`poll`](Bell::poll) for certain.
    #[inline]
    pub(crate) fn is_rung(&self) -> bool {
        self.word.load(Ordering::Relaxed) & !ASLEEP != 0
    }

    /// What it was rung for since the last call. Whatever was left before a ring
    /// is visible to the caller afterwards.
    #[inline]
    pub(crate) fn hear(&self) -> u8 {
        self.word.swap(0, Ordering::AcqRel) & !ASLEEP
    }

    /// The part of it in `what`; the rest stays to be heard.
    pub(crate) fn hear_of(&self, what: u8) -> u8 {
        self.word.fetch_and(!what, Ordering::AcqRel) & what
    }

    /// Ready when it was rung; does not count as hearing it.
    pub(crate) fn poll(&self, sleeper: &mut Sleeper, cx: &Context<'_>) -> Poll<()> {
        let waker = cx.waker();
        if !sleeper.0.as_ref().is_some_and(|left| left.will_wake(waker)) {
            sleeper.0 = Some(waker.clone());
            let before = self.waker.lock().replace(waker.clone());
            // Outside the lock: dropping it may run code that is not ours.
            drop(before);
        }
        let slept = self
            .word
            .compare_exchange(0, ASLEEP, Ordering::AcqRel, Ordering::Acquire);
        match slept {
            Ok(_) | Err(ASLEEP) => Poll::Pending,
            Err(_) => Poll::Ready(()),
        }
    }

    /// The task has ended: lets go of its waker, and so of its memory.
    pub(crate) fn forget(&self) {
        let waker = self.waker.lock().take();
        drop(waker);
    }
}
