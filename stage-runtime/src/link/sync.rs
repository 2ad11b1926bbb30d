//! What a [`Bell`](super::bell::Bell) is built on. It is in a file of its own so
//! that `tests/bell_model.rs` can put loom's in its place.

pub(super) use std::sync::atomic::{AtomicU8, Ordering};

pub(super) type Mutex<T> = spin::mutex::SpinMutex<T, Relax>;
pub(super) type MutexGuard<'a, T> = spin::mutex::SpinMutexGuard<'a, T>;

pub(super) struct Relax;
impl spin::RelaxStrategy for Relax {
    fn relax() { for _ in 0..32 { std::hint::spin_loop(); } std::thread::yield_now(); }
}

