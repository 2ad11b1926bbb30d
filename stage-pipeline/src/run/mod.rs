//! A running pipeline: its stages, and what it says of itself.

mod assembly;
mod batchers;
mod by_number;
mod error;
mod pipeline;
mod pool;
mod report;
mod shared;
mod sources;
mod step;
mod test_messages;
mod upstream;

pub use error::{BuildError, ResizeError, RunError, UndrainedError};
pub use pipeline::AckedPipeline;
pub use report::{Edge, Guarantees, OriginReport};

pub(crate) use assembly::{Assembly, SourceLimits};
pub(crate) use batchers::{SpawnBatcher, batcher};
pub(crate) use by_number::{Routes, index_of};
pub(crate) use pool::{MessageOutlet, Pool, Reader, Terms};
pub(crate) use shared::Shared;
pub(crate) use sources::{PushMessages, SpawnSource, source};
pub(crate) use step::{Resize, build_step};
pub(crate) use upstream::{Build, Downstream, Upstream};
