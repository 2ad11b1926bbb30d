//! A snapshot, by stage and by link.

use foldhash::{HashMap, HashMapExt};

use stage_core::SubscriptionId;

use crate::snapshot::{Activity, Endpoint, LinkSnapshot, LinkTotals, Snapshot, StageSnapshot};
use crate::stage_id::StageId;

/// Stages and links are named by their place in the snapshot.
pub(super) struct Index<'a> {
    snapshot: &'a Snapshot,
    stages: HashMap<StageId, usize>,
    links: HashMap<SubscriptionId, usize>,
    ends: Vec<Ends>,
}

/// The links of one stage.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// Those it gets events over, from producers that live.
    pub(super) producers: Vec<usize>,
    /// Those it sends events over, to consumers that live.
    pub(super) consumers: Vec<usize>,
    /// Those that its consumers have cancelled before they were done with what they had.
    pub(super) leaving: Vec<usize>,
    /// It has, or had, a producer.
    pub(super) had_producers: bool,
    /// What its consumers have asked for and not been given.
    pub(super) owed: u64,
}

impl<'a> Index<'a> {
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

    /// Where the stage at one end of a link is, if it is in the snapshot.
    pub(super) fn stage_of(&self, party: &Endpoint) -> Option<usize> {
        self.stages.get(&party.id).copied()
    }

    /// The producer of `stage` that has this id.
    pub(super) fn producer(&self, stage: usize, id: SubscriptionId) -> Option<usize> {
        let &at = self.links.get(&id)?;
        let link = self.link(at);
        let alive = |party| self.stage_of(party).is_none_or(|at| !self.has_ended(at));
        let over = link.ended && link.totals.in_flight == 0;
        (self.stage_of(&link.producer) == Some(stage) && !over && alive(&link.consumer))
            .then_some(at)
    }

    pub(super) fn has_ended(&self, stage: usize) -> bool {
        let stage = self.stage(stage);
        stage.activity == Activity::Ended || stage.outcome.is_some()
    }

    pub(super) fn endpoint(&self, stage: usize) -> Endpoint {
        let stage = self.stage(stage);
        Endpoint {
            id: stage.id,
            name: stage.stats.name.clone(),
            is_stream: false,
        }
    }
}
