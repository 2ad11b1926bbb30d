//! An embedded durable queue for `stage-pipeline`.
#![forbid(unsafe_code)]

mod clock;
mod dead_letters;
mod error;
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
pub use message::{Enqueued, Leased, MessageId, NewMessage};
pub use options::{Durability, LeaseOptions, QueueOptions, TopicOptions, WhenFull};
pub use queue::Queue;
pub use salvage::{SalvageReport, check, salvage};
pub use sink::QueueSink;
pub use source::QueueSource;
pub use stage_pipeline::{Settled, Token, Verdict};
pub use stats::{QueueStats, TopicStats};
pub use topic::Topic;
