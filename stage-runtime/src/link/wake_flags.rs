//! An atomic word of flags that wakes one task.
//!
//! `tests/wake_flags_model.rs` checks this file with loom under every order of
//! steps.

use std::task::{Context, Poll, Waker};

use super::sync::{AtomicBool, AtomicU8, Mutex, OnceLock, Ordering};

/// The six bits of the word that are flags.
const FLAGS: u8 = (1 << 6) - 1;
/// The flags that producers set, and those that consumers set.
pub(crate) const FROM_PRODUCERS: u8 = 0b11 << 2;
pub(crate) const FROM_CONSUMERS: u8 = 0b11 << 4;

/// Which flags wake a parked task: the other two bits of the word, which are 0
/// while the task runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum WakeOn {
    /// Any flag.
    Any = 1 << 6,
    /// Any but those of consumers: a task without events has no use for demand.
    Events = 2 << 6,
    /// Any but those of producers: a task without demand has no use for events.
    Demand = 3 << 6,
}

impl WakeOn {
    /// The flags that wake a task whose word is `word`; none if it runs.
    #[inline]
    const fn wakes(word: u8) -> u8 {
        const EVENTS: u8 = WakeOn::Events as u8;
        const DEMAND: u8 = WakeOn::Demand as u8;
        match word & !FLAGS {
            0 => 0,
            EVENTS => FLAGS & !FROM_CONSUMERS,
            DEMAND => FLAGS & !FROM_PRODUCERS,
            _ => FLAGS,
        }
    }
}

/// Six flags and the waker of the task that takes them. What each flag means is
/// up to the owner.
///
/// Setting a flag costs one atomic operation. Waking takes the lock of the waker,
/// unless the caller has a [`CachedWaker`].
#[derive(Debug, Default)]
pub(crate) struct WakeFlags {
    /// The flags since the task last took them, and its [`WakeOn`].
    word: AtomicU8,
    /// Kept between parks, because a task keeps its waker.
    waker: Mutex<Option<Waker>>,
    /// The task has changed its waker once, so cached wakers may be stale.
    waker_changed: AtomicBool,
}

/// The waker that a task has left in its [`WakeFlags`], to compare with.
#[derive(Debug, Default)]
pub(crate) struct ParkedWaker(Option<Waker>);

/// The waker of a neighbour's task, cached after [`CACHE_AFTER`] wake-ups. It
/// keeps the memory of a finished task alive, so it lives no longer than the
/// link.
#[derive(Debug, Default)]
pub(super) struct CachedWaker {
    /// Wake-ups so far, at most [`CACHE_AFTER`]. Written by one side only.
    wakes: AtomicU8,
    waker: OnceLock<Waker>,
}

/// Wake-ups before the waker is cached. Short pipelines never get there.
pub(super) const CACHE_AFTER: u8 = 8;

impl CachedWaker {
    fn is_worthwhile(&self) -> bool {
        let wakes = self.wakes.load(Ordering::Relaxed);
        if wakes < CACHE_AFTER {
            self.wakes.store(wakes + 1, Ordering::Relaxed);
        }
        wakes >= CACHE_AFTER
    }
}

impl WakeFlags {
    /// Sets `flags`, and wakes the task if it is parked and one of them wakes it.
    #[inline]
    pub(crate) fn notify(&self, flags: u8) {
        if self.has_to_wake(flags) {
            self.wake(None);
        }
    }

    /// Like [`notify`](Self::notify), with the caller's cached waker.
    #[inline]
    pub(super) fn notify_by(&self, cached: &CachedWaker, flags: u8) {
        if self.has_to_wake(flags) {
            self.wake_by(cached);
        }
    }

    #[inline]
    fn has_to_wake(&self, flags: u8) -> bool {
        debug_assert!(flags & FLAGS == flags);
        let before = self.word.fetch_or(flags, Ordering::AcqRel);
        let wakes = WakeOn::wakes(before);
        // A flag that wakes was set before: that caller has woken the task.
        before & wakes == 0 && flags & wakes != 0
    }

    #[inline(never)]
    fn wake_by(&self, cached: &CachedWaker) {
        // The load of `word` that saw the task parked also makes this store visible.
        match cached.waker.get() {
            Some(waker) if !self.waker_changed.load(Ordering::Relaxed) => waker.wake_by_ref(),
            _ => self.wake(Some(cached)),
        }
    }

    #[cold]
    fn wake(&self, cached: Option<&CachedWaker>) {
        if let Some(waker) = &*self.waker.lock() {
            // Woken under the lock, which guards the waker and nothing else. The
            // only other party is the task, which takes the lock when it moves.
            waker.wake_by_ref();
            if let Some(cached) = cached.filter(|cached| cached.is_worthwhile()) {
                cached.waker.get_or_init(|| waker.clone());
            }
        }
    }

    /// Whether a flag is set. A relaxed load, which may miss one that is being
    /// set: [`poll`](Self::poll) tells for certain.
    #[inline]
    pub(crate) fn is_notified(&self) -> bool {
        self.word.load(Ordering::Relaxed) & FLAGS != 0
    }

    /// Takes all flags. Everything written before a flag was set is visible to
    /// the caller afterwards.
    #[inline]
    pub(crate) fn take(&self) -> u8 {
        self.word.swap(0, Ordering::AcqRel) & FLAGS
    }

    /// Takes those of `flags` that are set, and leaves the others.
    pub(crate) fn take_only(&self, flags: u8) -> u8 {
        self.word.fetch_and(!flags, Ordering::AcqRel) & flags
    }

    /// Ready when a flag is set, which stays to be taken. Otherwise parks the task.
    pub(crate) fn poll(
        &self,
        parked: &mut ParkedWaker,
        wake_on: WakeOn,
        cx: &Context<'_>,
    ) -> Poll<()> {
        let waker = cx.waker();
        if !parked.0.as_ref().is_some_and(|left| left.will_wake(waker)) {
            self.replace_waker(parked, waker);
        }
        let (mut before, asleep) = (0, wake_on as u8);
        loop {
            let slept =
                self.word
                    .compare_exchange(before, asleep, Ordering::AcqRel, Ordering::Acquire);
            match slept {
                Ok(_) => return Poll::Pending,
                Err(now) if now & FLAGS != 0 => return Poll::Ready(()),
                // It was parked, and something else has woken it.
                Err(now) => before = now,
            }
        }
    }

    #[cold]
    fn replace_waker(&self, parked: &mut ParkedWaker, waker: &Waker) {
        if parked.0.replace(waker.clone()).is_some() {
            self.waker_changed.store(true, Ordering::Relaxed);
        }
        let before = self.waker.lock().replace(waker.clone());
        // Dropped outside the lock: a foreign waker may run any code.
        drop(before);
    }

    /// Drops the waker, and with it the memory of the task, which has ended.
    pub(crate) fn forget(&self) {
        let waker = self.waker.lock().take();
        drop(waker);
    }
}
