//! A link joins one consumer to one producer.
//!
//! What crosses it is a batch pointer and a counter, nothing per event: batches
//! and the terminal signal go down, demand, the cancellation and emptied
//! buffers go up. A short lock around them is fetched whole by whichever side
//! runs; no lock is ever taken inside another, and nothing is woken under one.
//!
//! The link keeps the ledger of what went over it, under the same lock: asked,
//! delivered, and what became of each event.

mod connect;
mod consumer_end;
pub(crate) mod links;
mod notify;
mod producer_end;
mod state;
mod sync;
mod wake_flags;

pub(crate) use connect::connect;
pub(crate) use consumer_end::{ConsumerEnd, Settlement};
pub(crate) use notify::{Notifications, Notified, Notifier};
pub(crate) use producer_end::{ConsumerSignal, ProducerEnd};
pub(crate) use state::{Ended, Input, LinkView, make_room};
pub(crate) use sync::Mutex;
pub(crate) use wake_flags::WakeOn;
