//! How much each cause holds back, and the waits that show it best.

use super::forest::{Forest, Tree};
use super::graph::Graph;
use super::index::Index;

/// For each node of a forest, what waits for it.
pub(super) struct Weights<'a> {
    graph: &'a Graph,
    nodes: Vec<Weight>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    /// How many stages wait for it, directly or not.
    behind: usize,
    /// The wait for it that matters most, and how much it does.
    heaviest: Option<(Rank, usize)>,
}

/// What is held for a node says more than how much waits for it.
type Rank = (bool, usize);

impl<'a> Weights<'a> {
    pub(super) fn new(index: &Index<'_>, graph: &'a Graph, forest: &Forest<'_>) -> Self {
        let mut nodes = vec![Weight::default(); graph.len()];
        for (node, edge) in forest.nodes().rev() {
            let Some(edge) = edge else { continue };
            let size = nodes[node].behind + 1;
            let rank = (graph.held(index, edge) > 0, size);
            let next = &mut nodes[graph.edge(edge).to];
            next.behind += size;
            // Backwards: of equals the nearest and oldest comes last.
            if next.heaviest.is_none_or(|(most, _)| rank >= most) {
                next.heaviest = Some((rank, edge));
            }
        }
        Self { graph, nodes }
    }

    /// How many stages wait for a tree's cause.
    pub(super) fn behind(&self, tree: &Tree) -> usize {
        tree.roots.iter().map(|&root| self.nodes[root].behind).sum()
    }

    /// The edges from a tree's root outwards, along those that matter most.
    pub(super) fn spine(&self, tree: &Tree) -> impl Iterator<Item = usize> {
        let heaviest = tree
            .roots
            .iter()
            .filter_map(|&root| self.nodes[root].heaviest);
        let first = heaviest.max_by_key(|&(rank, _)| rank);
        std::iter::successors(first, |&(_, edge)| {
            self.nodes[self.graph.edge(edge).from].heaviest
        })
        .map(|(_, edge)| edge)
    }
}
