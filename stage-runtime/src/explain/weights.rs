//! The weights of causes: how many stages wait for each, and by which waits.

use super::forest::{Forest, Tree};
use super::graph::Graph;
use super::index::Index;

/// The weight of each node of a forest.
pub(super) struct Weights<'a> {
    graph: &'a Graph,
    nodes: Vec<Weight>,
}

/// The weight of one node.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    /// How many stages wait for the node, directly or not.
    behind: usize,
    /// The edge of the most important wait for the node, with its rank.
    heaviest: Option<(Rank, usize)>,
}

/// The importance of a wait: first whether events are held for it, then how many stages
/// wait behind it.
type Rank = (bool, usize);

impl<'a> Weights<'a> {
    /// Computes the weights, from the leaves of the trees to their roots.
    pub(super) fn new(index: &Index<'_>, graph: &'a Graph, forest: &Forest<'_>) -> Self {
        let mut nodes = vec![Weight::default(); graph.len()];
        for (node, edge) in forest.nodes().rev() {
            let Some(edge) = edge else { continue };
            let size = nodes[node].behind + 1;
            let rank = (graph.held(index, edge) > 0, size);
            let next = &mut nodes[graph.edge(edge).to];
            next.behind += size;
            // `>=`, because nodes are visited backwards: among equals the nearest and
            // oldest comes last, and wins.
            if next.heaviest.is_none_or(|(most, _)| rank >= most) {
                next.heaviest = Some((rank, edge));
            }
        }
        Self { graph, nodes }
    }

    /// Returns how many stages wait for the cause of a tree.
    pub(super) fn behind(&self, tree: &Tree) -> usize {
        tree.roots.iter().map(|&root| self.nodes[root].behind).sum()
    }

    /// Iterates over the edges of the most important waits, from the root of a tree
    /// outwards.
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
