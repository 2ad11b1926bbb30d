//! An index over the stages and links of a snapshot.

use foldhash::{HashMap, HashMapExt};

use stage_core::SubscriptionId;

use crate::snapshot::{Activity, Endpoint, LinkSnapshot, LinkTotals, Snapshot, StageSnapshot};
use crate::stage_id::StageId;

/// A snapshot with lookups. Stages and links are identified by their positions in it.
pub(super) struct Index<'a> {
    snapshot: &'a Snapshot,
    stages: HashMap<StageId, usize>,
    links: HashMap<SubscriptionId, usize>,
    /// The links of each stage.
    ends: Vec<Ends>,
}

/// The links of one stage.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// Links to producers that have not ended.
    pub(super) producers: Vec<usize>,
    /// Links to consumers that have not ended.
    pub(super) consumers: Vec<usize>,
    /// Links that a consumer has cancelled, and on which it has not settled everything.
    pub(super) leaving: Vec<usize>,
    /// The stage has, or had, a producer.
    pub(super) had_producers: bool,
    /// Events that its consumers have asked for and not been sent.
    pub(super) owed: u64,
}

impl<'a> Index<'a> {
    /// Indexes a snapshot, in time proportional to its size.
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        let mut links = HashMap::with_capacity(snapshot.links.len());
        links.extend(snapshot.links.iter().enumerate().map(|(at, l)| (l.id, at)));
        let mut stages = HashMap::with_capacity(snapshot.stages.len());
        stages.extend(snapshot.stages.iter().enumerate().map(|(at, s)| (s.id, at)));
        let ends = snapshot.stages.iter().map(|stage| Ends {
            had_producers: stage.stats.events_in > 0 || stage.past != LinkTotals::default(),
            ..Ends::default()
        });
        let mut index = Self {
            snapshot,
            stages,
            links,
            ends: ends.collect(),
        };
        for (at, link) in snapshot.links.iter().enumerate() {
            index.attach(at, link);
        }
        index
    }

    /// Adds a link to the stages at its ends.
    fn attach(&mut self, at: usize, link: &LinkSnapshot) {
        let producer = self.stage_of(&link.producer);
        let consumer = self.stage_of(&link.consumer);
        if let Some(consumer) = consumer {
            self.ends[consumer].had_producers = true;
        }
        let gone = |stage: Option<usize>| stage.is_some_and(|stage| self.has_ended(stage));
        if gone(producer) || gone(consumer) {
            return;
        }
        if link.ended {
            if let Some(producer) = producer
                && link.totals.in_flight > 0
            {
                self.ends[producer].leaving.push(at);
            }
            return;
        }
        if let Some(consumer) = consumer {
            self.ends[consumer].producers.push(at);
        }
        if let Some(producer) = producer {
            let ends = &mut self.ends[producer];
            ends.consumers.push(at);
            ends.owed = ends.owed.saturating_add(link.totals.outstanding());
        }
    }

    /// Returns the number of stages.
    pub(super) fn len(&self) -> usize {
        self.snapshot.stages.len()
    }

    pub(super) fn stage(&self, stage: usize) -> &'a StageSnapshot {
        &self.snapshot.stages[stage]
    }

    pub(super) fn link(&self, link: usize) -> &'a LinkSnapshot {
        &self.snapshot.links[link]
    }

    pub(super) fn ends(&self, stage: usize) -> &Ends {
        &self.ends[stage]
    }

    /// Returns the position of the stage at one end of a link, if it is in the snapshot.
    pub(super) fn stage_of(&self, party: &Endpoint) -> Option<usize> {
        self.stages.get(&party.id).copied()
    }

    /// Returns the position of the link with this id, if `stage` is its producer and it is
    /// not over.
    pub(super) fn link_to_consumer(&self, stage: usize, id: SubscriptionId) -> Option<usize> {
        let &at = self.links.get(&id)?;
        let link = self.link(at);
        let alive = |party| self.stage_of(party).is_none_or(|at| !self.has_ended(at));
        let over = link.ended && link.totals.in_flight == 0;
        (self.stage_of(&link.producer) == Some(stage) && !over && alive(&link.consumer))
            .then_some(at)
    }

    /// Whether a stage has ended.
    pub(super) fn has_ended(&self, stage: usize) -> bool {
        let stage = self.stage(stage);
        stage.activity == Activity::Ended || stage.outcome.is_some()
    }

    /// Returns the id and name of a stage.
    pub(super) fn endpoint(&self, stage: usize) -> Endpoint {
        let stage = self.stage(stage);
        Endpoint {
            id: stage.id,
            name: stage.stats.name.clone(),
            is_stream: false,
        }
    }
}
