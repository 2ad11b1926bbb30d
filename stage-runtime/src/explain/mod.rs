//! Why nothing moves: a snapshot's wait-for graph, cut down to the cause.
//!
//! | file | what it is |
//! |---|---|
//! | `explanation` | the answer: a cause, and who waits for it |
//! | `cause` | what can hold a pipeline back |
//! | `text`, `numbers` | both in words |
//! | `index` | a snapshot, by stage and by link |
//! | `verdict` | what one stage, taken by itself, waits for |
//! | `graph` | who waits for whom |
//! | `forest` | every stage put behind the one cause that it waits for |
//! | `weights` | how much each cause holds back |

mod cause;
mod explanation;
mod forest;
mod graph;
mod index;
mod numbers;
mod text;
mod verdict;
mod weights;

#[cfg(test)]
mod tests;

pub use cause::{Awaited, Cause, Wait};
pub use explanation::Explanation;
