//! A bell wakes one task.
//!
//! Checked under every order of steps by `tests/bell_model.rs`.

use std::task::{Context, Poll, Waker};

use super::sync::{AtomicU8, Mutex, Ordering};

/// What may be rung for.
const RINGS: u8 = (1 << 6) - 1;
/// What of it is news from producers, and from consumers.
pub(crate) const FROM_PRODUCERS: u8 = 0b11 << 2;
pub(crate) const FROM_CONSUMERS: u8 = 0b11 << 4;

/// How a task sleeps: the rest of the word. It is 0 as long as the task is awake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum SleepUntil {
    /// Whatever is rung for wakes it.
    Rung = 1 << 6,
    /// Without events it has nothing to do, whatever its consumers want: it will
    /// hear of that when something else has woken it.
    Events = 2 << 6,
    /// Without demand it has nothing to do, whatever its producers send.
    Demand = 3 << 6,
}

impl SleepUntil {
    /// What wakes a task whose word is this: nothing, if it is awake.
    #[inline]
    const fn wakes(word: u8) -> u8 {
        const EVENTS: u8 = SleepUntil::Events as u8;
        const DEMAND: u8 = SleepUntil::Demand as u8;
        match word & !RINGS {
            0 => 0,
            EVENTS => RINGS & !FROM_CONSUMERS,
            DEMAND => RINGS & !FROM_PRODUCERS,
            _ => RINGS,
        }
    }
}

/// Wakes one task, and says what for: any of six bits, which are its owner's.
///
/// Ringing costs one operation on an atomic, and a lock only if the task has to
/// be woken.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    /// What was rung for since the task last listened, and how it sleeps.
    word: AtomicU8,
    /// Stays here from one sleep to the next: a task is always woken by the same.
    waker: Mutex<Option<Waker>>,
}

/// The task's side of its bell: what it has left there.
#[derive(Debug, Default)]
pub(crate) struct Sleeper(Option<Waker>);

impl Bell {
    /// Rings for `what`, and wakes the task if it sleeps until then.
    #[inline]
    pub(crate) fn ring(&self, what: u8) {
        debug_assert!(what & RINGS == what);
        let before = self.word.fetch_or(what, Ordering::AcqRel);
        let wakes = SleepUntil::wakes(before);
        // Whoever rang before has woken it already.
        if before & wakes == 0 && what & wakes != 0 {
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
        self.word.load(Ordering::Relaxed) & RINGS != 0
    }

    /// What it was rung for since the last call. Whatever was left before a ring
    /// is visible to the caller afterwards.
    #[inline]
    pub(crate) fn hear(&self) -> u8 {
        self.word.swap(0, Ordering::AcqRel) & RINGS
    }

    /// The part of it in `what`; the rest stays to be heard.
    pub(crate) fn hear_of(&self, what: u8) -> u8 {
        self.word.fetch_and(!what, Ordering::AcqRel) & what
    }

    /// Ready when it was rung; does not count as hearing it.
    pub(crate) fn poll(
        &self,
        sleeper: &mut Sleeper,
        until: SleepUntil,
        cx: &Context<'_>,
    ) -> Poll<()> {
        let waker = cx.waker();
        if !sleeper.0.as_ref().is_some_and(|left| left.will_wake(waker)) {
            sleeper.0 = Some(waker.clone());
            let before = self.waker.lock().replace(waker.clone());
            // Outside the lock: dropping it may run code that is not ours.
            drop(before);
        }
        let (mut before, asleep) = (0, until as u8);
        loop {
            let slept =
                self.word
                    .compare_exchange(before, asleep, Ordering::AcqRel, Ordering::Acquire);
            match slept {
                Ok(_) => return Poll::Pending,
                Err(now) if now & RINGS != 0 => return Poll::Ready(()),
                // It slept already, and was woken by something else.
                Err(now) => before = now,
            }
        }
    }

    /// The task has ended: lets go of its waker, and so of its memory.
    pub(crate) fn forget(&self) {
        let waker = self.waker.lock().take();
        drop(waker);
    }
}
