//! Who waits for whom.

use super::cause::{Awaited, Cause, Wait};
use super::index::Index;
use super::verdict::{Need, Verdict, What, never_asked};

/// The wait-for graph. Its nodes are the stages, as the index numbers them,
/// and behind them the causes that lie on a link and not in a stage.
pub(super) struct Graph {
    causes: Vec<Option<Cause>>,
    /// The stages that wait for events.
    listening: Vec<bool>,
    edges: Vec<Edge>,
    /// The edges from each node, and to it.
    from: Vec<Vec<usize>>,
    to: Vec<Vec<usize>>,
}

/// The stage `from` waits for `to`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    need: Need,
}

impl Graph {
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

    /// Whom the stage at `at` waits for when it needs this.
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
        // A consumer that asks by hand and waits for another of its producers
        // has forgotten this one.
        let silent = link.totals.outstanding() == 0 && link.totals.in_flight == 0;
        if link.manual && silent && self.listening[consumer] {
            return self.add(never_asked(index, consumer, need.link));
        }
        consumer
    }

    /// A node for a cause that lies in no stage.
    fn add(&mut self, cause: Cause) -> usize {
        self.causes.push(Some(cause));
        self.from.push(Vec::new());
        self.to.push(Vec::new());
        self.causes.len() - 1
    }

    fn connect(&mut self, edge: Edge) {
        self.from[edge.from].push(self.edges.len());
        self.to[edge.to].push(self.edges.len());
        self.edges.push(edge);
    }

    pub(super) fn len(&self) -> usize {
        self.causes.len()
    }

    /// Why a node stands still, if it waits for no other.
    pub(super) fn cause(&self, node: usize) -> Option<&Cause> {
        self.causes[node].as_ref()
    }

    pub(super) fn edge(&self, edge: usize) -> Edge {
        self.edges[edge]
    }

    /// The waits for this node.
    pub(super) fn waits_for(&self, node: usize) -> &[usize] {
        &self.to[node]
    }

    /// The first thing that this node waits for.
    pub(super) fn first_wait(&self, node: usize) -> Option<usize> {
        self.from[node].first().copied()
    }

    /// Events that the stage at this edge's start holds for the one at its
    /// end.
    pub(super) fn held(&self, index: &Index<'_>, edge: usize) -> u64 {
        let edge = self.edge(edge);
        match &index.stage(edge.from).bottleneck {
            Some(bottleneck) if edge.need.what == What::BottleneckDemand => bottleneck.held,
            _ => 0,
        }
    }

    /// An edge, for people.
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
