//! [`Assembly`]: a pipeline while it is built, from its sources down.

use std::collections::HashSet;
use std::sync::Arc;

use stages::{Gate, Restart};

use super::{BuildError, Edge, Guarantees, OriginReport, Resize, Shared};
use crate::guarantee::Guarantee;
use crate::policy::{KeyedRateLimit, RateLimit};
use crate::source::Counts;

/// A pipeline while it is built: its stages run already, and what is known of them is
/// collected here.
pub(crate) struct Assembly {
    pub(crate) stages: Arc<stages::Pipeline>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) restart: Restart,
    pub(crate) limits: SourceLimits,
    pub(crate) origins: Vec<Origin>,
    pub(crate) steps: Vec<Arc<dyn Resize>>,
    /// Locked while the number of members of a step changes.
    pub(crate) resizing: Arc<tokio::sync::Mutex<()>>,
    /// Those of the sources, closed until everything is built.
    pub(crate) gates: Vec<Box<dyn FnOnce(Gate) + Send>>,
    edges: Vec<Edge>,
    names: HashSet<String>,
}

/// What all sources are limited to.
#[derive(Clone)]
pub(crate) struct SourceLimits {
    pub(crate) rate: Option<RateLimit>,
    pub(crate) key_rate: Option<KeyedRateLimit>,
    pub(crate) max_in_flight: u64,
    pub(crate) restart: Restart,
}

/// A source with what became of its messages.
pub(crate) struct Origin {
    pub(crate) source: Arc<str>,
    pub(crate) counts: Arc<Counts>,
}

impl Origin {
    pub(crate) fn report(&self) -> OriginReport {
        OriginReport {
            source: Arc::clone(&self.source),
            ledger: self.counts.ledger(),
        }
    }
}

impl Assembly {
    pub(crate) fn new(shared: Arc<Shared>, restart: Restart, limits: SourceLimits) -> Self {
        Self {
            stages: Arc::new(stages::Pipeline::new()),
            shared,
            restart,
            limits,
            origins: Vec::new(),
            steps: Vec::new(),
            resizing: Arc::default(),
            gates: Vec::new(),
            edges: Vec::new(),
            names: HashSet::new(),
        }
    }

    /// The name of a part of this pipeline, as its stages have it.
    pub(crate) fn name(&self, part: &str) -> String {
        format!("{}/{part}", self.shared.name)
    }

    /// Notes the name of a part. It must be the only one.
    pub(crate) fn claim(&mut self, name: &str) -> Result<(), BuildError> {
        if self.names.insert(name.to_owned()) {
            return Ok(());
        }
        Err(BuildError::DuplicateName {
            pipeline: self.shared.name.to_string(),
            name: name.to_owned(),
        })
    }

    pub(crate) fn add_edge(&mut self, from: &str, to: &str, guarantee: Guarantee) {
        self.edges.push(Edge {
            from: from.into(),
            to: to.into(),
            guarantee,
        });
    }

    /// Refuses a pipeline with an edge weaker than `required`.
    pub(crate) fn check(&self, required: Guarantee) -> Result<Guarantees, BuildError> {
        let guarantees = Guarantees {
            edges: self.edges.clone(),
        };
        match guarantees.weakest() {
            Some(edge) if edge.guarantee < required => Err(BuildError::WeakGuarantee {
                pipeline: self.shared.name.to_string(),
                required,
                edge: edge.clone(),
            }),
            _ => Ok(guarantees),
        }
    }
}

pub(crate) fn check_concurrency(name: &str, concurrency: usize) -> Result<(), BuildError> {
    if concurrency == 0 {
        return Err(BuildError::NoConcurrency {
            name: name.to_owned(),
        });
    }
    Ok(())
}
