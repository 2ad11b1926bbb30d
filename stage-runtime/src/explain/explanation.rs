//! The answer to "why does nothing move?".

use std::cmp::Reverse;
use std::time::Duration;

use super::cause::{Cause, Wait};
use super::forest::Forest;
use super::graph::Graph;
use super::index::Index;
use super::weights::Weights;
use crate::snapshot::Snapshot;

/// How many waits an explanation keeps: what matters is close to the cause.
const CHAIN: usize = 4;

/// Why a pipeline stands still, if it does; made by [`Snapshot::explain`].
///
/// Its `Display` is one line: `` `counter#3` has been inside handle_events for
/// 12.1 s; partition 3 holds 10,000 events for it; `tokeniser` waits for
/// partition 3's demand; 4 stages wait behind it ``. The alternate form,
/// `{:#}`, adds a line for each [wait](Self::chain) and each [other
/// cause](Self::also).
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Explanation {
    cause: Option<Cause>,
    behind: usize,
    chain: Vec<Wait>,
    also: Vec<Cause>,
    stages: usize,
    running: usize,
    patience: Duration,
}

impl Explanation {
    /// Whether something has stood still for longer than the patience it was
    /// given. A source that has nothing to give counts too: only you know
    /// whether it should have.
    #[must_use]
    pub const fn is_stuck(&self) -> bool {
        self.cause.is_some()
    }

    /// What holds most stages back; of those that hold back as many, what has
    /// done so the longest. `None` if nothing is stuck.
    #[must_use]
    pub const fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    /// How many stages wait for it, directly or behind others. A stage that
    /// several causes hold back is counted for one of them: the one that the
    /// fewest waits lead to.
    #[must_use]
    pub const fn behind(&self) -> usize {
        self.behind
    }

    /// Who waits for it: the first for the cause, each further one for the one
    /// before. Where the waits branch it follows the branch with the most
    /// stages, and it stops after a few.
    #[must_use]
    pub fn chain(&self) -> &[Wait] {
        &self.chain
    }

    /// What else stands still, the worst first.
    #[must_use]
    pub fn also(&self) -> &[Cause] {
        &self.also
    }

    /// How many stages there are.
    #[must_use]
    pub const fn stages(&self) -> usize {
        self.stages
    }

    /// How many of them have not ended.
    #[must_use]
    pub const fn running(&self) -> usize {
        self.running
    }

    /// How long something could take before it counted as standing still.
    #[must_use]
    pub const fn patience(&self) -> Duration {
        self.patience
    }
}

impl Snapshot {
    /// Says why nothing moves, if nothing does: it follows what each stage
    /// waits for until it comes to one that waits for nobody else, and names
    /// the one that holds the most stages back. One that has nothing to give,
    /// such as a source without events, is named only if nothing else stands
    /// still.
    ///
    /// What has taken no longer than `patience` is taken to be moving, and so
    /// is what waits for that. Stages that have ended are left out. It takes
    /// time in proportion to the stages and links, and never panics.
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
        }
    }
}
