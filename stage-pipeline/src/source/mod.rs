//! Sources: where messages come from, and who settles them.

mod admission;
mod key_limits;
mod leases;
mod origin;
#[allow(clippy::module_inception, reason = "the file is named after its trait")]
mod source;
mod stage;
mod unsettled_keys;

pub use leases::Leases;
pub use source::{Capabilities, Next, Source};

pub(crate) use origin::{Counts, Origin};
pub(crate) use stage::{Push, SourceOptions, SourceStage};
pub(crate) use unsettled_keys::UnsettledKeys;
