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
/// Ringing costs one operation on an atomic, and takes no lock to wake a task that
/// the [`Acquaintance`] of whoever rings knows.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    /// What was rung for since the task last listened, and how it sleeps.
    word: AtomicU8,
    /// Stays here from one sleep to the next: a task is always woken by the same.
    waker: Mutex<Option<Waker>>,
    /// It was not: something that is polled here and there.
    has_moved: AtomicBool,
}

/// The task's side of its bell: what it has left there.
#[derive(Debug, Default)]
pub(crate) struct Sleeper(Option<Waker>);

/// A neighbour's side: the task's waker, when it has woken it often. It keeps the
/// memory of a task that has ended, and so goes with the link; and whoever has little
/// to tell leaves it alone.
#[derive(Debug, Default)]
pub(super) struct Acquaintance {
    /// How often it has woken the task, up to [`OFTEN`]; counted by the neighbour alone.
    wakes: AtomicU8,
    waker: OnceLock<Waker>,
}

/// After so many wake-ups a neighbour keeps the waker. Short pipelines never get there.
pub(super) const OFTEN: u8 = 8;

impl Acquaintance {
    fn wakes_often(&self) -> bool {
        let wakes = self.wakes.load(Ordering::Relaxed);
        if wakes < OFTEN {
            self.wakes.store(wakes + 1, Ordering::Relaxed);
        }
        wakes >= OFTEN
    }
}

impl Bell {
    /// Rings for `what`, and wakes the task if it sleeps until then.
    #[inline]
    pub(crate) fn ring(&self, what: u8) {
        if self.has_to_wake(what) {
            self.wake(None);
        }
    }

    /// The same for a neighbour.
    #[inline]
    pub(super) fn ring_by(&self, neighbour: &Acquaintance, what: u8) {
        if self.has_to_wake(what) {
            self.wake_by(neighbour);
        }
    }

    #[inline]
    fn has_to_wake(&self, what: u8) -> bool {
        debug_assert!(what & RINGS == what);
        let before = self.word.fetch_or(what, Ordering::AcqRel);
        let wakes = SleepUntil::wakes(before);
        // Whoever rang before has woken it already.
        before & wakes == 0 && what & wakes != 0
    }

    #[inline(never)]
    fn wake_by(&self, neighbour: &Acquaintance) {
        // Whoever sees that the task sleeps sees as well whether it has moved.
        match neighbour.waker.get() {
            Some(waker) if !self.has_moved.load(Ordering::Relaxed) => waker.wake_by_ref(),
            _ => self.wake(Some(neighbour)),
        }
    }

    #[cold]
    fn wake(&self, neighbour: Option<&Acquaintance>) {
        if let Some(waker) = &*self.waker.lock() {
            // Under the lock, which is for the waker alone: only a task that ran
            // in here could wait for it.
            waker.wake_by_ref();
            if let Some(neighbour) = neighbour.filter(|neighbour| neighbour.wakes_often()) {
                neighbour.waker.get_or_init(|| waker.clone());
            }
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
            self.move_to(sleeper, waker);
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

    #[cold]
    fn move_to(&self, sleeper: &mut Sleeper, waker: &Waker) {
        if sleeper.0.replace(waker.clone()).is_some() {
            self.has_moved.store(true, Ordering::Relaxed);
        }
        let before = self.waker.lock().replace(waker.clone());
        // Outside the lock: dropping it may run code that is not ours.
        drop(before);
    }

    /// The task has ended: lets go of its waker, and so of its memory.
    pub(crate) fn forget(&self) {
        let waker = self.waker.lock().take();
        drop(waker);
    }
}
