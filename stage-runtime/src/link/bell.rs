//! A bell wakes one task.
//!
//! Checked under every order of steps by `tests/bell_model.rs`.

use std::task::{Context, Poll, Waker};

use super::sync::{AtomicBool, AtomicU8, Mutex, OnceLock, Ordering};

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
/// Ringing costs one operation on an atomic, and takes no lock unless the task has
/// moved.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    /// What was rung for since the task last listened, and how it sleeps.
    word: AtomicU8,
    /// Wakes the task where it slept first, which is mostly where it always sleeps.
    waker: OnceLock<Waker>,
    /// It has slept elsewhere since, and is woken by `elsewhere` from then on.
    has_moved: AtomicBool,
    elsewhere: Mutex<Option<Waker>>,
}

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
        // Whoever sees that the task sleeps sees where.
        if self.has_moved.load(Ordering::Relaxed) {
            self.wake_elsewhere();
        } else if let Some(waker) = self.waker.get() {
            waker.wake_by_ref();
        }
    }

    #[cold]
    fn wake_elsewhere(&self) {
        if let Some(waker) = &*self.elsewhere.lock() {
            // Under the lock, which is for the waker alone: only a task that
            // ran in here could wait for it.
            waker.wake_by_ref();
        }
    }

    /// The task is about to sleep where `waker` wakes it.
    #[inline]
    fn sleeps_at(&self, waker: &Waker) {
        let first = self.waker.get_or_init(|| waker.clone());
        if !first.will_wake(waker) || self.has_moved.load(Ordering::Relaxed) {
            self.move_to(waker);
        }
    }

    #[cold]
    fn move_to(&self, waker: &Waker) {
        let mut elsewhere = self.elsewhere.lock();
        if !elsewhere.as_ref().is_some_and(|last| last.will_wake(waker)) {
            let last = elsewhere.replace(waker.clone());
            // Outside the lock: dropping it may run code that is not ours.
            drop(elsewhere);
            drop(last);
        }
        self.has_moved.store(true, Ordering::Relaxed);
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
    pub(crate) fn poll(&self, until: SleepUntil, cx: &Context<'_>) -> Poll<()> {
        self.sleeps_at(cx.waker());
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
}
