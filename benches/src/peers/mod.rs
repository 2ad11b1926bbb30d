//! The others: what a user would write, or take, instead of us.
//!
//! Each is written as somebody who knows it well would: the receiver that
//! needs no lock, the buffer that is used again, the capacity that suits.
//!
//! Left out: actix, whose actors live on arbiters of their own and so on
//! neither of the two runtimes that are compared here; and channels without
//! `await` (crossbeam, std), which would block a worker.

pub(crate) mod actors;
pub(crate) mod chain;
pub(crate) mod channel;
pub(crate) mod fan;
