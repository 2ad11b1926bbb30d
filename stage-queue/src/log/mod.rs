//! Logs: entries that several groups of consumers read, each at its own pace, and that stay
//! until their time is over.

mod entry;
#[allow(clippy::module_inception, reason = "the file is named after its type")]
mod log;
mod options;
mod reader;
mod source;
mod unsettled;

pub use entry::LogEntry;
pub use log::Log;
pub use options::{LogOptions, StartAt};
pub use reader::LogReader;
pub use source::LogSource;

pub(crate) use options::Retention;
