//! A queue in memory, with leases: for tests, and for programs whose messages need not
//! outlive them.

mod queue;
mod shared;
mod source;
mod state;

pub use queue::{MemoryDeadLetter, MemoryOptions, MemoryQueue};
pub use source::MemorySource;
pub use state::MemoryCounts;
