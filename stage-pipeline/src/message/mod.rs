//! Messages: data, what its origin says about it, and the duty to settle it.

mod envelope;
mod failed;
mod metadata;
mod trace;

pub use envelope::Message;
pub use failed::Failed;
pub use metadata::Metadata;
pub use trace::TraceContext;
