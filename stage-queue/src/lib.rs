//! A durable queue that needs no server: topics, leases, retries and dead letters in one SQLite
//! file. It is what acknowledged pipelines run on by default.
//!
//! ```
//! use std::time::Duration;
//! use stage_queue::{LeaseOptions, NewMessage, Queue, QueueOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("queue.db");
//! let queue = Queue::open(path, QueueOptions::new())?;
//! let orders = queue.topic("orders");
//! orders.enqueue("an order").await?;
//! orders.enqueue(NewMessage::new("another").with_delay(Duration::from_secs(60))).await?;
//!
//! let mut leased = Vec::new();
//! orders.lease(10, LeaseOptions::new(), &mut leased).await?;
//! for order in leased {
//!     assert_eq!(order.payload, b"an order");
//!     queue.settle(&mut [order.ack()]).await?;
//! }
//! queue.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! In a pipeline, [`Topic::source`] leases and settles by itself, and [`Topic::sink`] enqueues:
//!
//! ```
//! use stage_pipeline::{Message, Step, acked, handler_fn};
//! use stage_queue::{Queue, QueueOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("queue.db");
//! let queue = Queue::open(path, QueueOptions::new())?;
//! let orders = queue.topic("orders");
//! orders.enqueue("an order").await?;
//!
//! let source = orders.clone();
//! let pipeline = acked("orders")
//!     .source(move || source.source().end_when_empty())
//!     .step(Step::new("print"), || {
//!         handler_fn(|order: &mut Message<Vec<u8>>| {
//!             println!("{}", String::from_utf8_lossy(&order.data));
//!             Ok(())
//!         })
//!     })
//!     .start()?;
//! pipeline.join().await?;
//! assert_eq!(pipeline.ledger().acked, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! - A message whose [`enqueue`](Topic::enqueue) was answered is delivered until it is settled:
//!   at least once. [`Durability`] says whether that outlives a power cut, or only the process.
//! - A message whose ack was answered is not delivered again.
//! - More than once is delivered only what was leased when its process died, hung for longer than
//!   the [visibility timeout](QueueOptions::visibility_timeout) or closed the queue, and what was
//!   retried or released. The number of deliveries is in the file before the message is handed
//!   out.
//! - Several processes may open one file.
//! - When writing fails, the queue stops with [`QueueError::Stopped`]; when the file is damaged,
//!   with [`QueueError::Damaged`]. Payloads, keys and headers have checksums.
//!
//! # How it works
//!
//! One thread writes for all callers of a process. It carries out all commands that have come
//! while it was writing as one transaction, with one sync: so many tasks that enqueue at once are
//! about as fast as one that enqueues many messages. Verdicts and new messages are synced; leases
//! are not, for a power cut ends them anyway.
//!
//! | it keeps | as |
//! |---|---|
//! | messages until they are acknowledged | [`Topic`] |
//! | entries until their time is over, for several groups of readers | [`Log`] |
//! | messages that are not delivered any more | [`DeadLetters`] |
//!
//! # Time
//!
//! Leases do not depend on a clock that can jump: see [`LeaseOptions`]. Delays, deduplication and
//! retention go by the [`Clock`] of the queue, and [`SystemClock`] says what a jump does.
//!
//! # Reading the file with other tools
//!
//! It is an SQLite file with a write-ahead log; `sqlite3 queue.db` shows it. `messages` holds
//! payloads; `ready`, `delayed`, `leased`, `parked` and `dead` hold the states; `topics` holds the
//! counts. Only read it while a queue is open.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod clock;
mod dead_letters;
mod error;
mod log;
mod message;
mod node;
mod options;
mod queue;
mod salvage;
mod sink;
mod source;
mod stats;
mod store;
mod topic;
mod watch;
mod writer;

pub use clock::{Clock, ManualClock, SystemClock};
pub use dead_letters::{DeadLetter, DeadLetters};
pub use error::{QueueError, StoreError};
pub use log::{Log, LogEntry, LogOptions, LogReader, LogSource, StartAt};
pub use message::{Enqueued, Leased, MessageId, NewMessage};
pub use options::{Durability, LeaseOptions, QueueOptions, TopicOptions, WhenFull};
pub use queue::Queue;
pub use salvage::{SalvageReport, check, salvage};
pub use sink::QueueSink;
pub use source::QueueSource;
pub use stage_pipeline::{Settled, Token, Verdict};
pub use stats::{GroupStats, LogStats, QueueStats, TopicStats};
pub use topic::Topic;

/// The Markdown about this crate: its code is compiled and run with the tests.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../../docs/guide/queue.md")]
    mod guide_queue {}
}
