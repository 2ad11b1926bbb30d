//! [`UsageError`]: what the user can put right on the command line.

use std::fmt;
use std::path::Path;

/// An argument that cannot be used, such as the path of a file that is not there. The process
/// ends with exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

impl UsageError {
    /// Says that a file cannot be used for what it was given for.
    pub(crate) fn file(role: &str, path: &Path, cause: impl fmt::Display) -> Self {
        Self(format!("cannot use {} as {role}: {cause}", path.display()))
    }
}
