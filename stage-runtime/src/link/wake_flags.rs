//! An atomic word of flags that wakes one task.
//!
//! Any thread sets flags; the task takes all of them at once. The word also says
//! whether the task is parked and which flags wake it, so that setting a flag of a
//! running task is one atomic operation and wakes nothing.
//!
//! `tests/wake_flags_model.rs` checks this file with loom, for every order of the
//! threads' steps.

use std::task::{Context, Poll, Waker};

use super::sync::{AtomicBool, AtomicU8, Mutex, OnceLock, Ordering};

/// The six bits of the word that are flags.
const FLAGS: u8 = (1 << 6) - 1;
/// The flags that producers set.
pub(crate) const FROM_PRODUCERS: u8 = 0b11 << 2;
/// The flags that consumers set.
pub(crate) const FROM_CONSUMERS: u8 = 0b11 << 4;

/// Which flags wake a parked task: the other two bits of the word, which are 0
/// while the task runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum WakeOn {
    /// Any flag.
    Any = 1 << 6,
    /// Any flag but those of consumers: a task without events has no use for demand.
    Events = 2 << 6,
    /// Any flag but those of producers: a task without demand has no use for events.
    Demand = 3 << 6,
}

impl WakeOn {
    /// Returns the flags that wake a task whose word is `word`; none if it runs.
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

/// Six flags, and the waker of the task that takes them. The owner gives the flags
/// their meaning.
///
/// Setting a flag costs one atomic operation. Waking takes the lock of the waker,
/// unless the caller has a [`CachedWaker`].
#[derive(Debug, Default)]
pub(crate) struct WakeFlags {
    /// The flags that were set since the task last took them, and its [`WakeOn`].
    word: AtomicU8,
    /// Kept between parks, because a task keeps its waker.
    waker: Mutex<Option<Waker>>,
    /// The task has changed its waker once, so cached wakers may be stale. Never set
    /// back.
    waker_changed: AtomicBool,
}

/// The task's copy of the waker in its [`WakeFlags`], to compare with without the lock.
#[derive(Debug, Default)]
pub(crate) struct ParkedWaker(Option<Waker>);

/// The waker of a neighbour's task, cached after [`CACHE_AFTER`] wake-ups. It keeps the
/// memory of a finished task alive, so it lives no longer than the link.
#[derive(Debug, Default)]
pub(super) struct CachedWaker {
    /// Wake-ups so far, at most [`CACHE_AFTER`]. Written by one side only.
    wakes: AtomicU8,
    waker: OnceLock<Waker>,
}

/// Wake-ups before the waker is cached. A link that wakes its neighbour fewer times
/// never keeps the neighbour's memory.
pub(super) const CACHE_AFTER: u8 = 8;

impl CachedWaker {
    /// Counts a wake-up; returns whether to fill the cache now.
    fn is_worthwhile(&self) -> bool {
        let wakes = self.wakes.load(Ordering::Relaxed);
        if wakes < CACHE_AFTER {
            self.wakes.store(wakes + 1, Ordering::Relaxed);
        }
        wakes >= CACHE_AFTER
    }
}

impl WakeFlags {
    /// Sets `flags`, and wakes the task if it is parked and waits for one of them.
    #[inline]
    pub(crate) fn notify(&self, flags: u8) {
        if self.has_to_wake(flags) {
            self.wake(None);
        }
    }

    /// Like [`notify`](Self::notify), with a cached waker that belongs to the caller.
    #[inline]
    pub(super) fn notify_by(&self, cached: &CachedWaker, flags: u8) {
        if self.has_to_wake(flags) {
            self.wake_by(cached);
        }
    }

    /// Sets `flags`; returns whether the caller has to wake the task.
    #[inline]
    fn has_to_wake(&self, flags: u8) -> bool {
        debug_assert!(flags & FLAGS == flags);
        let before = self.word.fetch_or(flags, Ordering::AcqRel);
        let wakes = WakeOn::wakes(before);
        // If such a flag was set before, the caller that set it has woken the task.
        before & wakes == 0 && flags & wakes != 0
    }

    /// Wakes the task by the cached waker, if there is one that is not stale.
    #[inline(never)]
    fn wake_by(&self, cached: &CachedWaker) {
        // Relaxed is enough: the store to `waker_changed` comes before the parking,
        // which the caller has seen with acquire ordering in `word`.
        match cached.waker.get() {
            Some(waker) if !self.waker_changed.load(Ordering::Relaxed) => waker.wake_by_ref(),
            _ => self.wake(Some(cached)),
        }
    }

    /// Wakes the task by its waker, and fills the cache if that is worthwhile.
    #[cold]
    fn wake(&self, cached: Option<&CachedWaker>) {
        if let Some(waker) = &*self.waker.lock() {
            // Woken and cloned under the lock, which saves a clone for each wake-up.
            // The lock protects the waker only; its other users are callers that wake
            // the task at the same time, and the task when it replaces its waker.
            waker.wake_by_ref();
            if let Some(cached) = cached.filter(|cached| cached.is_worthwhile()) {
                cached.waker.get_or_init(|| waker.clone());
            }
        }
    }

    /// Whether a flag is set. A relaxed load, which may miss a flag that is being set;
    /// [`poll`](Self::poll) misses none.
    #[inline]
    pub(crate) fn is_notified(&self) -> bool {
        self.word.load(Ordering::Relaxed) & FLAGS != 0
    }

    /// Takes all flags. Writes that came before the setting of a flag are visible to
    /// the caller.
    #[inline]
    pub(crate) fn take(&self) -> u8 {
        self.word.swap(0, Ordering::AcqRel) & FLAGS
    }

    /// Takes the set flags among `flags` and leaves all others.
    pub(crate) fn take_only(&self, flags: u8) -> u8 {
        self.word.fetch_and(!flags, Ordering::AcqRel) & flags
    }

    /// Returns `Ready` if a flag is set, without taking it. Otherwise parks the task
    /// until a flag is set that `wake_on` includes.
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
                // The task was parked, and something other than a flag has woken it.
                Err(now) => before = now,
            }
        }
    }

    /// Stores the waker of a task that parks for the first time or has moved to
    /// another waker.
    #[cold]
    fn replace_waker(&self, parked: &mut ParkedWaker, waker: &Waker) {
        if parked.0.replace(waker.clone()).is_some() {
            self.waker_changed.store(true, Ordering::Relaxed);
        }
        // Cloned and dropped outside the lock: a foreign waker may run any code then.
        let waker = waker.clone();
        let before = self.waker.lock().replace(waker);
        drop(before);
    }

    /// Drops the waker of a task that has ended, and with it the task's memory.
    pub(crate) fn forget(&self) {
        let waker = self.waker.lock().take();
        drop(waker);
    }
}
