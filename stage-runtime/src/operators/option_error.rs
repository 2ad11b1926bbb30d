//! The error of an operator whose options cannot work.

use thiserror::Error;

/// An option of an operator is out of range.
///
/// `validate` of the operator returns it: `try_spawn` reports it as
/// [`SpawnError::Invalid`](crate::SpawnError::Invalid), and a stage that was made
/// with `spawn` fails with it before its first event.
///
/// ```
/// use stage_runtime::SpawnError;
/// use stage_runtime::operators::{OptionError, map_concurrent};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let refused = map_concurrent(0, async |n: u64| n).stage().name("fetch").try_spawn();
/// let Err(SpawnError::Invalid { error, .. }) = refused else {
///     panic!("0 at a time is nothing ever");
/// };
/// assert_eq!(error.downcast_ref::<OptionError>().map(|error| error.option), Some("limit"));
/// assert_eq!(
///     error.to_string(),
///     "map_concurrent: limit is 0, but has to be at least 1; \
///      set it to the number of futures to run at a time",
/// );
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{operator}: {option} is {value}, but has to be {range}; {fix}")]
#[non_exhaustive]
pub struct OptionError {
    /// The function that made the operator, such as `throttle`.
    pub operator: &'static str,
    /// The name of its argument, such as `period`.
    pub option: &'static str,
    /// The value that was given.
    pub value: String,
    /// The values that are allowed, such as `at least 1`.
    pub range: &'static str,
    /// What to do instead.
    pub fix: &'static str,
}

impl OptionError {
    /// The error for a `value` of 0 that has to be at least 1.
    pub(super) fn check_not_zero(
        operator: &'static str,
        option: &'static str,
        value: usize,
        fix: &'static str,
    ) -> Result<(), Self> {
        if value > 0 {
            return Ok(());
        }
        Err(Self {
            operator,
            option,
            value: value.to_string(),
            range: "at least 1",
            fix,
        })
    }
}
