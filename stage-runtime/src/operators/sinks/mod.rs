//! Consumers.

mod fold;
mod for_each;
mod for_each_async;
mod for_each_ref;
mod forward;
mod try_for_each;

pub use fold::{Fold, fold};
pub use for_each::{ForEach, for_each};
pub use for_each_async::{ForEachAsync, for_each_async, try_for_each_async};
pub use for_each_ref::{ForEachRef, for_each_ref};
pub use forward::{Forward, forward};
pub use try_for_each::{TryForEach, try_for_each};
