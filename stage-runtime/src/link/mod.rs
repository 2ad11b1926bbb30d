//! Links: each joins one consumer to one producer.
//!
//! Batches and the terminal signal go down a link; demand, the cancellation and
//! emptied buffers go up. A hand-over moves a batch by pointer and adds to counters:
//! it costs nothing per event.
//!
//! | file | contents |
//! |---|---|
//! | `connect` | [`connect()`]: makes a link |
//! | `producer_end` | [`ProducerEnd`]: sends batches, fetches demand |
//! | `consumer_end` | [`ConsumerEnd`]: asks, fetches batches, settles events |
//! | `state` | the state that both ends share, with the ledger, under one lock |
//! | `in_flight_bytes` | [`InFlightBytes`]: the bytes of a link whose consumer limits them |
//! | `links` | the links of one half of a stage, by subscription |
//! | `notify` | [`Notifier`] and [`Notifications`]: tell a task which links have something |
//! | `wake_flags` | the atomic word of flags, and the waker, behind a notifier |
//! | `sync` | the spin lock and the atomics; replaced by loom's in a model test |
//!
//! # Locks
//!
//! There are three, all spin locks (see `sync`), and each protects one thing:
//!
//! - the state of a link;
//! - the lists of a notifier, for a task with several links on one side;
//! - the waker of a task, in its wake flags.
//!
//! An operation changes the state of the link, releases that lock, and only then
//! notifies the other end. So neither the state of a link nor a list is locked while
//! a task is woken. The lock of a waker is: the waker is woken, and cloned into the
//! link's cache, under it. What runs there is the waker of tokio, of a co-located
//! group (which takes the spin lock of its own scheduler), or, for a stream, of the
//! executor that polls the stream. Apart from the locks inside a waker, no lock is
//! taken inside another. A waker that polled its task from within `wake` could
//! deadlock.
//!
//! No event is handled, cloned or dropped under a lock. Memory can be allocated
//! under one: a queue, a list or the room for spare buffers grows up to its steady
//! size, and two small batches are moved into one.
//!
//! # Ledger
//!
//! The link keeps the ledger of its events under the lock of its state: how many were
//! asked for, how many were delivered, and what became of each of these.

mod connect;
mod consumer_end;
mod in_flight_bytes;
pub(crate) mod links;
mod notify;
mod producer_end;
mod state;
mod sync;
mod wake_flags;

pub(crate) use connect::connect;
pub(crate) use consumer_end::{ConsumerEnd, Settlement};
pub(crate) use in_flight_bytes::InFlightBytes;
pub(crate) use notify::{Notifications, Notified, Notifier};
pub(crate) use producer_end::{ConsumerSignal, ProducerEnd};
pub(crate) use state::{Ended, Input, LinkView, make_room};
pub(crate) use sync::Mutex;
pub(crate) use wake_flags::WakeOn;
