//! [`Upstream`] and [`Downstream`]: what two neighbouring parts of a pipeline tell each
//! other while it is built.

use std::sync::Arc;

use super::{Assembly, BuildError, Pool, Routes};
use crate::guarantee::Guarantee;
use crate::step::Assign;

/// What comes next, for the part that emits messages of type `T`.
pub(crate) struct Downstream<T> {
    pub(crate) routes: Routes,
    /// Makes each message ready for it.
    pub(crate) assign: Option<Assign<T>>,
}

impl<T> Default for Downstream<T> {
    fn default() -> Self {
        Self {
            routes: Routes::Any,
            assign: None,
        }
    }
}

/// A part that was built, and emits messages of type `T`.
pub(crate) struct Upstream<T> {
    pub(crate) name: String,
    pub(crate) pool: Arc<Pool<T>>,
    pub(crate) guarantee: Guarantee,
}

/// Builds a part and all before it, for what comes next; for `None`, as the last part,
/// which acknowledges what it has handled.
pub(crate) type Build<T> =
    Box<dyn FnOnce(&mut Assembly, Option<Downstream<T>>) -> Result<Upstream<T>, BuildError> + Send>;
