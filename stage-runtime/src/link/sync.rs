//! What links and bells are built on. It is in a file of its own so that
//! `tests/bell_model.rs` can put loom's in its place.

use std::hint::spin_loop;
use std::thread::yield_now;

use spin::RelaxStrategy;
use spin::mutex::{SpinMutex, SpinMutexGuard};

pub(super) use std::sync::OnceLock;
pub(super) use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// A lock for what takes some dozens of instructions: nothing is awaited under it,
/// no code of a user's runs, and what is copied is bounded.
///
/// To let go of it is a plain store. A lock that can park its thread needs one more
/// change of an atomic for it, and those are what most of a hand-over is.
pub(crate) type Mutex<T> = SpinMutex<T, Patience>;
pub(super) type MutexGuard<'a, T> = SpinMutexGuard<'a, T>;

/// Turns before a thread that finds the lock taken lets others run, whoever has the
/// lock among them: longer than it is held, unless that thread was interrupted.
const TURNS: u32 = 32;

pub(crate) struct Patience;

impl RelaxStrategy for Patience {
    #[cold]
    fn relax() {
        for _ in 0..TURNS {
            spin_loop();
        }
        yield_now();
    }
}
