//! The wait-for graph of a snapshot: which stage waits for which.

use super::cause::{Awaited, Cause, Wait};
use super::index::Index;
use super::verdict::{Need, Verdict, What, never_asked};

/// The wait-for graph. Its nodes are the stages, by their positions in the index, followed
/// by the causes that lie on a link and not in a stage.
pub(super) struct Graph {
    /// The cause at each node that waits for no other.
    causes: Vec<Option<Cause>>,
    /// Whether each stage waits for events.
    listening: Vec<bool>,
    edges: Vec<Edge>,
    /// The edges from each node.
    from: Vec<Vec<usize>>,
    /// The edges to each node.
    to: Vec<Vec<usize>>,
}

/// An edge: the node `from` waits for the node `to`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    need: Need,
}

impl Graph {
    /// Builds the graph from the verdicts on all stages.
    pub(super) fn new(index: &Index<'_>) -> Self {
        let stages = index.len();
        let mut graph = Self {
            causes: Vec::with_capacity(stages),
            listening: vec![false; stages],
            edges: Vec::new(),
            from: vec![Vec::new(); stages],
            to: vec![Vec::new(); stages],
        };
        let mut waits = Vec::new();
        for at in 0..stages {
            graph.causes.push(match Verdict::of(index, at) {
                Verdict::Ended => None,
                Verdict::Root(cause) => Some(cause),
                Verdict::Waits(needs) => {
                    graph.listening[at] = needs.iter().any(|need| need.what == What::Events);
                    waits.push((at, needs));
                    None
                }
            });
        }
        for (at, needs) in waits {
            for need in needs {
                let to = graph.target(index, at, need);
                graph.connect(Edge { from: at, to, need });
            }
        }
        graph
    }

    /// Returns the node that the stage at position `at` waits for because of `need`. Adds a
    /// node if that is not a stage of the snapshot.
    fn target(&mut self, index: &Index<'_>, at: usize, need: Need) -> usize {
        let link = index.link(need.link);
        let since = index.stage(at).since;
        if need.what == What::Events {
            return index.stage_of(&link.producer).unwrap_or_else(|| {
                self.add(Cause::Outside {
                    stage: index.endpoint(at),
                    producer: link.producer.clone(),
                    link: link.id,
                    since,
                })
            });
        }
        let Some(consumer) = index.stage_of(&link.consumer) else {
            let in_flight = link.totals.in_flight;
            return self.add(if link.consumer.is_stream {
                Cause::Unread {
                    reader: link.consumer.clone(),
                    producer: link.producer.clone(),
                    link: link.id,
                    in_flight,
                    since,
                }
            } else {
                Cause::OutsideConsumer {
                    stage: index.endpoint(at),
                    consumer: link.consumer.clone(),
                    link: link.id,
                    in_flight,
                    since,
                }
            });
        };
        // A consumer that asks by hand, waits for events of another producer and has asked
        // this one for nothing is not held back by that other producer: it does not ask.
        let silent = link.totals.outstanding() == 0 && link.totals.in_flight == 0;
        if link.manual && silent && self.listening[consumer] {
            return self.add(never_asked(index, consumer, need.link));
        }
        consumer
    }

    /// Adds a node for a cause that does not lie in a stage.
    fn add(&mut self, cause: Cause) -> usize {
        self.causes.push(Some(cause));
        self.from.push(Vec::new());
        self.to.push(Vec::new());
        self.causes.len() - 1
    }

    /// Adds an edge.
    fn connect(&mut self, edge: Edge) {
        self.from[edge.from].push(self.edges.len());
        self.to[edge.to].push(self.edges.len());
        self.edges.push(edge);
    }

    /// Returns the number of nodes.
    pub(super) fn len(&self) -> usize {
        self.causes.len()
    }

    /// Returns the cause at a node, if it waits for no other.
    pub(super) fn cause(&self, node: usize) -> Option<&Cause> {
        self.causes[node].as_ref()
    }

    pub(super) fn edge(&self, edge: usize) -> Edge {
        self.edges[edge]
    }

    /// Returns the edges to a node.
    pub(super) fn waits_for(&self, node: usize) -> &[usize] {
        &self.to[node]
    }

    /// Returns the first edge from a node.
    pub(super) fn first_wait(&self, node: usize) -> Option<usize> {
        self.from[node].first().copied()
    }

    /// Returns how many events the stage at the start of an edge holds for the one at its
    /// end.
    pub(super) fn held(&self, index: &Index<'_>, edge: usize) -> u64 {
        let edge = self.edge(edge);
        match &index.stage(edge.from).bottleneck {
            Some(bottleneck) if edge.need.what == What::BottleneckDemand => bottleneck.held,
            _ => 0,
        }
    }

    /// Returns an edge in its public form.
    pub(super) fn wait(&self, index: &Index<'_>, edge: usize) -> Wait {
        let held = self.held(index, edge);
        let Edge { from, need, .. } = self.edge(edge);
        let link = index.link(need.link);
        let bottleneck = index.stage(from).bottleneck.as_ref();
        let (awaits, what) = match need.what {
            What::Events => (&link.producer, Awaited::Events),
            What::Demand => (&link.consumer, Awaited::Demand { part: None, held }),
            What::BottleneckDemand => {
                let part = bottleneck.and_then(|bottleneck| bottleneck.part.clone());
                (&link.consumer, Awaited::Demand { part, held })
            }
        };
        Wait {
            stage: index.endpoint(from),
            awaits: awaits.clone(),
            what,
            link: link.id,
            since: index.stage(from).since,
        }
    }
}
