//! Every stage put behind the one cause that it waits for.

use std::cmp::Reverse;
use std::time::Duration;

use super::cause::Cause;
use super::graph::Graph;
use super::index::Index;

/// Trees of waits: at the root of each a cause that has lasted longer than
/// patience, behind it the stages that wait for it.
///
/// A stage that waits for any of several others moves as soon as one of them
/// does; so whatever waits for something that moves is in no tree. Of several
/// causes each stage is put behind the nearest, and of those as near behind
/// the oldest.
pub(super) struct Forest<'a> {
    index: &'a Index<'a>,
    graph: &'a Graph,
    patience: Duration,
    fates: Vec<Fate>,
    trees: Vec<Tree>,
    /// The nodes that are in trees, each after the one that it waits for.
    order: Vec<usize>,
}

/// One cause, and where it lies.
pub(super) struct Tree {
    pub(super) cause: Cause,
    /// A node; the nodes, if they are a ring.
    pub(super) roots: Vec<usize>,
}

/// What becomes of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Not known yet; in the end, that of stages that have ended.
    Unknown,
    /// It moves, or waits for something that does.
    Moving,
    /// It is in a tree. This edge ties it to the node that it waits for; none,
    /// if it is a root.
    Stuck(Option<usize>),
}

impl<'a> Forest<'a> {
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

    /// Puts stages behind causes that wait for nobody.
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

    /// Gives `nodes` this fate, and all that wait for them, directly or not:
    /// the nearest first.
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

    /// Puts the stages that are left behind rings of waits: if they waited for
    /// a cause outside of one, they would be behind it.
    fn close_rings(&mut self) {
        let graph = self.graph;
        let mut places = vec![None; graph.len()];
        for start in 0..graph.len() {
            let mut path = Vec::new();
            let mut node = start;
            // A walk ends in a ring whose fate spreads to the whole path, so
            // that no node is walked over twice.
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

    pub(super) fn into_trees(self) -> Vec<Tree> {
        self.trees
    }

    /// The nodes that are in trees, each after the one that it waits for, with
    /// the edge to that one.
    pub(super) fn nodes(&self) -> impl DoubleEndedIterator<Item = (usize, Option<usize>)> {
        self.order.iter().map(|&node| match self.fates[node] {
            Fate::Stuck(edge) => (node, edge),
            Fate::Unknown | Fate::Moving => (node, None),
        })
    }
}
