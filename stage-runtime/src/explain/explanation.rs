//! The explanation of why a pipeline stands still.

use std::cmp::Reverse;
use std::time::Duration;

use super::cause::{Cause, Wait};
use super::forest::Forest;
use super::graph::Graph;
use super::index::Index;
use super::missed::Missed;
use super::weights::Weights;
use crate::snapshot::Snapshot;

/// The most waits that an explanation keeps. Those close to the cause matter most.
const CHAIN: usize = 4;

/// Why a pipeline stands still, if it does; made by [`Snapshot::explain`].
///
/// Its `Display` is one line: `` `counter#3` has been inside handle_events for
/// 12.1 s; partition 3 holds 10,000 events for it; `tokeniser` waits for
/// partition 3's demand; 4 stages wait behind it ``. The alternate form,
/// `{:#}`, adds a line for each [wait](Self::chain), each [other
/// cause](Self::also), and for what was [missed](Self::missed).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Explanation {
    cause: Option<Cause>,
    behind: usize,
    chain: Vec<Wait>,
    also: Vec<Cause>,
    missed: Option<Missed>,
    stages: usize,
    running: usize,
    patience: Duration,
}

impl Explanation {
    /// Whether something has stood still for longer than the patience. A source without
    /// events counts, too: only you know whether it should have some.
    #[must_use]
    pub const fn is_stuck(&self) -> bool {
        self.cause.is_some()
    }

    /// Returns the cause that holds most stages back and, among equal ones, the oldest.
    /// `None` if nothing is stuck.
    #[must_use]
    pub const fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    /// Returns how many stages wait for the cause, directly or behind others. A stage that
    /// several causes hold back is counted for one of them: the cause with the fewest
    /// waits between.
    #[must_use]
    pub const fn behind(&self) -> usize {
        self.behind
    }

    /// Returns a chain of waits that leads to the cause: the first stage waits for the
    /// cause, and each further one for the stage before. Where the waits branch, the chain
    /// prefers a branch that holds events for the cause, then the one with the most stages.
    /// It has at most four waits.
    #[must_use]
    pub fn chain(&self) -> &[Wait] {
        &self.chain
    }

    /// Returns the other causes, the worst first.
    #[must_use]
    pub fn also(&self) -> &[Cause] {
        &self.also
    }

    /// Returns what the subscriber that has missed most events has missed, because the queue
    /// that its producer keeps for it was full. This is no cause: nobody waits for such a
    /// subscriber. `None` if no running subscription has missed any.
    #[must_use]
    pub const fn missed(&self) -> Option<&Missed> {
        self.missed.as_ref()
    }

    /// Returns the number of stages.
    #[must_use]
    pub const fn stages(&self) -> usize {
        self.stages
    }

    /// Returns the number of stages that have not ended.
    #[must_use]
    pub const fn running(&self) -> usize {
        self.running
    }

    /// Returns the patience: the longest time that did not count as standing still.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        self.patience
    }
}

impl Snapshot {
    /// Explains why the pipeline stands still, if it does.
    ///
    /// Follows the wait-for graph from each stage to one that waits for no other, and names
    /// the one that holds the most stages back. A stage that has nothing to give, such as a
    /// source without events, is named only if there is no other cause.
    ///
    /// A stage that has done the same thing for no longer than `patience` counts as moving,
    /// and so do the stages that wait for it. Stages that have ended are left out. The time
    /// is proportional to the number of stages and links. This method never panics.
    ///
    /// ```
    /// use std::time::Duration;
    /// use stage_runtime::snapshot::Snapshot;
    ///
    /// let explanation = Snapshot::default().explain(Duration::from_secs(1));
    /// assert!(!explanation.is_stuck());
    /// assert_eq!(explanation.to_string(), "there are no stages");
    /// ```
    #[must_use]
    pub fn explain(&self, patience: Duration) -> Explanation {
        let index = Index::new(self);
        let graph = Graph::new(&index);
        let forest = Forest::grow(&index, &graph, patience);
        let weights = Weights::new(&index, &graph, &forest);
        let mut trees = forest.into_trees();
        trees.sort_by_cached_key(|tree| {
            let since = tree.cause.since();
            (
                tree.cause.has_nothing(),
                Reverse(weights.behind(tree)),
                Reverse(since),
                tree.roots.first().copied(),
            )
        });
        let worst = trees.first();
        let spine = worst.into_iter().flat_map(|tree| weights.spine(tree));
        let running = (0..index.len()).filter(|&stage| !index.has_ended(stage));
        let behind = worst.map_or(0, |tree| weights.behind(tree));
        let chain = spine.take(CHAIN).map(|edge| graph.wait(&index, edge));
        let chain = chain.collect();
        let mut causes = trees.into_iter().map(|tree| tree.cause);
        Explanation {
            behind,
            chain,
            running: running.count(),
            patience,
            stages: self.stages.len(),
            cause: causes.next(),
            also: causes.collect(),
            missed: Missed::most(self),
        }
    }
}
