//! Explanations: why a pipeline stands still, from the wait-for graph of a snapshot.
//!
//! | file | contents |
//! |---|---|
//! | `explanation` | [`Explanation`]: the worst cause, and the stages that wait for it |
//! | `cause` | [`Cause`]: what can hold a pipeline back |
//! | `missed` | [`Missed`]: what a dispatcher has shed for a slow subscriber |
//! | `text`, `numbers` | `Display` of these |
//! | `index` | the stages and links of a snapshot, by id |
//! | `verdict` | what one stage waits for, judged by itself |
//! | `graph` | the wait-for graph: which stage waits for which |
//! | `forest` | trees of waits: each stage behind one cause |
//! | `weights` | how many stages each cause holds back |
//!
//! The steps are pure functions over the snapshot, in this order: `Index`, `Graph` (with a
//! `Verdict` for each stage), `Forest`, `Weights`, `Explanation`.

mod cause;
mod explanation;
mod forest;
mod graph;
mod index;
mod missed;
mod numbers;
mod text;
mod verdict;
mod weights;

#[cfg(test)]
mod tests;

pub use cause::{Awaited, Cause, Wait};
pub use explanation::Explanation;
pub use missed::Missed;
