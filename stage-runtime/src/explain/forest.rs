//! Trees of waits: every stage that stands still, behind one cause.

use std::cmp::Reverse;
use std::time::Duration;

use super::cause::Cause;
use super::graph::Graph;
use super::index::Index;

/// The spanning forest of the wait-for graph. Each tree has at its root a cause that has
/// lasted longer than the patience, and behind it the stages that wait for it.
///
/// A stage that waits for several others moves as soon as one of them does. So a stage
/// that waits for something that moves is in no tree. A stage that several causes hold
/// back is in the tree of the nearest cause and, among equally near ones, of the oldest.
pub(super) struct Forest<'a> {
    index: &'a Index<'a>,
    graph: &'a Graph,
    patience: Duration,
    /// The fate of each node.
    fates: Vec<Fate>,
    trees: Vec<Tree>,
    /// The nodes in trees; each comes after the node that it waits for.
    order: Vec<usize>,
}

/// A cause, with the nodes that it consists of.
pub(super) struct Tree {
    pub(super) cause: Cause,
    /// One node, or all nodes of a cycle.
    pub(super) roots: Vec<usize>,
}

/// The result for one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Not reached yet. At the end, the fate of stages that have ended.
    Unknown,
    /// The node moves, or waits for one that does.
    Moving,
    /// The node is in a tree. The edge leads to the node that it waits for; `None` for a
    /// root.
    Stuck(Option<usize>),
}

impl<'a> Forest<'a> {
    /// Builds the forest, in time proportional to the nodes and edges.
    pub(super) fn grow(index: &'a Index<'a>, graph: &'a Graph, patience: Duration) -> Self {
        let mut forest = Self {
            index,
            graph,
            patience,
            fates: vec![Fate::Unknown; graph.len()],
            trees: Vec::new(),
            order: Vec::new(),
        };
        forest.plant();
        forest.close_rings();
        forest
    }

    /// Builds the trees of the causes that wait for no other node.
    fn plant(&mut self) {
        let graph = self.graph;
        let causes = (0..graph.len()).filter_map(|node| Some((node, graph.cause(node)?)));
        let (mut stuck, moving): (Vec<_>, Vec<_>) =
            causes.partition(|(_, cause)| cause.since() > self.patience);
        self.spread(moving.iter().map(|&(node, _)| node).collect(), false);

        stuck.sort_by_key(|(_, cause)| Reverse(cause.since()));
        self.spread(stuck.iter().map(|&(node, _)| node).collect(), true);
        self.trees
            .extend(stuck.into_iter().map(|(node, cause)| Tree {
                cause: cause.clone(),
                roots: vec![node],
            }));
    }

    /// Gives a fate to `nodes` and, by breadth-first search, to all nodes without one that
    /// wait for them, directly or not.
    fn spread(&mut self, mut nodes: Vec<usize>, stuck: bool) {
        let fate = |edge| {
            if stuck {
                Fate::Stuck(edge)
            } else {
                Fate::Moving
            }
        };
        for &node in &nodes {
            self.fates[node] = fate(None);
        }
        let mut reached = 0;
        while let Some(&node) = nodes.get(reached) {
            reached += 1;
            for &edge in self.graph.waits_for(node) {
                let from = self.graph.edge(edge).from;
                if self.fates[from] == Fate::Unknown {
                    self.fates[from] = fate(Some(edge));
                    nodes.push(from);
                }
            }
        }
        if stuck {
            self.order.extend(nodes);
        }
    }

    /// Builds the trees of cycles, from the nodes that are left. These wait for a cycle,
    /// because a node that waits for another cause has got its fate from that.
    fn close_rings(&mut self) {
        let graph = self.graph;
        let mut places = vec![None; graph.len()];
        for start in 0..graph.len() {
            let mut path = Vec::new();
            let mut node = start;
            // A walk ends in a cycle, whose fate spreads to the whole path, so no node is
            // visited by two walks.
            while self.fates[node] == Fate::Unknown {
                let Some(edge) = graph.first_wait(node) else {
                    break;
                };
                if let Some(place) = places[node] {
                    self.close(path.split_off(place));
                    break;
                }
                places[node] = Some(path.len());
                path.push(edge);
                node = graph.edge(edge).to;
            }
        }
    }

    /// Builds the tree of one cycle, given its edges.
    fn close(&mut self, mut ring: Vec<usize>) {
        let graph = self.graph;
        let first = (0..ring.len()).min_by_key(|&at| graph.edge(ring[at]).from);
        ring.rotate_left(first.unwrap_or(0));
        let roots: Vec<_> = ring.iter().map(|&edge| graph.edge(edge).from).collect();
        let since = roots.iter().map(|&node| self.index.stage(node).since);
        let since = since.min().unwrap_or_default();
        let stuck = since > self.patience;
        self.spread(roots.clone(), stuck);
        if stuck {
            let ring = ring.iter().map(|&edge| graph.wait(self.index, edge));
            let ring = ring.collect();
            let cause = Cause::Cycle { ring, since };
            self.trees.push(Tree { cause, roots });
        }
    }

    /// Returns the trees.
    pub(super) fn into_trees(self) -> Vec<Tree> {
        self.trees
    }

    /// Iterates over the nodes in trees, with the edge to the node that each waits for. A
    /// node comes after the one that it waits for.
    pub(super) fn nodes(&self) -> impl DoubleEndedIterator<Item = (usize, Option<usize>)> {
        self.order.iter().map(|&node| match self.fates[node] {
            Fate::Stuck(edge) => (node, edge),
            Fate::Unknown | Fate::Moving => (node, None),
        })
    }
}
