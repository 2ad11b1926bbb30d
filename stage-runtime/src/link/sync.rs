//! What a [`Bell`](super::bell::Bell) is built on. It is in a file of its own so
//! that `tests/bell_model.rs` can put loom's in its place.

pub(super) use std::sync::atomic::{AtomicU8, Ordering};

pub(super) use parking_lot::Mutex;
