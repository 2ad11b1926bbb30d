//! The spin lock and the atomics of links and wake flags.
//!
//! They are in a file of their own so that `tests/wake_flags_model.rs` can replace
//! them by loom's.

use std::hint::spin_loop;
use std::thread::yield_now;

use spin::RelaxStrategy;
use spin::mutex::{SpinMutex, SpinMutexGuard};

pub(super) use std::sync::OnceLock;
pub(super) use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// A spin lock for short critical sections: of links, of notifiers, and of the scheduler
/// of a co-located group.
///
/// # Contract
///
/// - Nothing is awaited while the lock is held.
/// - The bytes that are moved are bounded: a pointer to a batch, or two batches that
///   are small together.
/// - The section may allocate when a queue or a list grows, and may free an emptied
///   buffer. In the steady state it does neither.
/// - No event is dropped, cloned or handled, so no code of an event type runs.
/// - The lock in `WakeFlags` is held while its waker is woken or cloned. It protects
///   nothing else; its other users are threads that wake the same task, and the task
///   when it replaces its waker.
///
/// # Why not a lock that parks
///
/// Releasing a spin lock is a plain store. Releasing a lock that can park its waiters
/// is an atomic read-modify-write, and these are most of the cost of a hand-over.
pub(crate) type Mutex<T> = SpinMutex<T, SpinThenYield>;
/// Releases a [`Mutex`] when it is dropped.
pub(super) type MutexGuard<'a, T> = SpinMutexGuard<'a, T>;

/// Spins before a waiting thread yields. That is longer than the lock is held, unless
/// its holder was preempted; the holder may be what the yield lets run.
const TURNS: u32 = 32;

/// Spins for [`TURNS`] turns, then yields the thread.
pub(crate) struct SpinThenYield;

impl RelaxStrategy for SpinThenYield {
    #[cold]
    fn relax() {
        for _ in 0..TURNS {
            spin_loop();
        }
        yield_now();
    }
}
