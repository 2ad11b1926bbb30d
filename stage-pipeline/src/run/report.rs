//! What a pipeline says of itself: [`Edge`], [`Guarantees`], [`OriginReport`].

use std::fmt;
use std::sync::Arc;

use crate::guarantee::Guarantee;
use crate::ledger::Ledger;

/// An edge of a pipeline, with the guarantee that messages have on it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Edge {
    /// Where messages come from: a source, a step or a batcher.
    pub from: Arc<str>,
    /// Where they go.
    pub to: Arc<str>,
    /// How often a message on this edge is processed.
    pub guarantee: Guarantee,
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` -> `{}`: {}", self.from, self.to, self.guarantee)
    }
}

/// The guarantees of all edges of a pipeline. Printed, it has a line for each.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Guarantees {
    /// The edges, from the sources down.
    pub edges: Vec<Edge>,
}

impl Guarantees {
    /// Returns the edge with the weakest guarantee.
    #[must_use]
    pub fn weakest(&self) -> Option<&Edge> {
        self.edges.iter().min_by_key(|edge| edge.guarantee)
    }
}

impl fmt::Display for Guarantees {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, edge) in self.edges.iter().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            write!(f, "{edge}")?;
        }
        Ok(())
    }
}

/// The ledger of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OriginReport {
    /// The name of the source's stage.
    pub source: Arc<str>,
    /// What became of its messages.
    pub ledger: Ledger,
}

impl fmt::Display for OriginReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.source, self.ledger)
    }
}
