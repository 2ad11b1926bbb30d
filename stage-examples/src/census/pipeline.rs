//! Wires the stages of the census.
//!
//! ```text
//!                                    ┌─> counter 0
//!         Demand  ┌─> tokeniser 0 ─┐ ├─> counter 1
//! walker ─────────┤                ├─┤ …             Broadcast ┌─> totals
//!                 └─> tokeniser 1 ─┘ └─> reports ──────────────┤
//!                            Partition                         └─> progress
//! ```
//!
//! All stages belong to one `Pipeline`, which the rest of the program works
//! with. The stages that read and count are supervised; see
//! [`chaos`](super::chaos).
//!
//! Demand flows to the left along every arrow before events flow to the right.
//! When a counter falls behind, its queue in the dispatcher of each tokeniser
//! fills up to its bound; the tokenisers then stop asking, and so the walker
//! stops too. Whichever stage is slow, memory use does not grow with the number
//! of files.

use std::mem;

use stages::ConsumerHandle;
use stages::operators::filter_map;
use stages::prelude::*;
use stages::{Error, snapshot::Snapshot};

use super::chaos::{Chaos, ChaosReport, FailurePlan, Kept};
use super::count::Counter;
use super::counts::Counts;
use super::progress::Progress;
use super::tokeniser::{Owner, Piece, Tokeniser};
use super::totals::Totals;
use super::walk::{Roots, Walker};

/// The options of the pipeline.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// The number of tokenisers.
    pub(crate) workers: usize,
    /// The number of counters.
    pub(crate) partitions: usize,
    /// The number of events that a counter asks each tokeniser for. It is also
    /// the bound of the counter's queue there.
    pub(crate) max_demand: usize,
    /// Makes stages fail at random, if set.
    pub(crate) chaos: Option<Chaos>,
}

/// The number of files that a tokeniser asks for. The output of half of them is
/// sent together, so this bounds the text in flight, and how often the walker
/// is woken.
const FILES_AHEAD: usize = 16;

/// The result of a census.
#[derive(Debug)]
pub(crate) struct Census {
    pub(crate) totals: Totals,
    /// The counts of each counter. Their identifiers are disjoint.
    pub(crate) counts: Vec<Counts>,
    /// The statistics of stages and links.
    pub(crate) pipeline: Snapshot,
    /// The report on the chaos, if there was any.
    pub(crate) chaos_report: Option<ChaosReport>,
}

/// A running census.
pub(crate) struct Running {
    /// Owns the stages: joins, stops and explains them.
    pub(crate) pipeline: Pipeline,
    totals: ConsumerHandle<Totals>,
    counts: Vec<Kept<Counts>>,
    chaos: Option<Chaos>,
}

impl Running {
    /// Starts to count the files under `roots`.
    ///
    /// # Errors
    ///
    /// [`Error`] if the partitions are invalid.
    pub(crate) fn start(
        roots: &Roots,
        options: Options,
        progress: Option<Progress>,
    ) -> Result<Self, Error> {
        Self::start_with(roots, options, progress, |_, counter| counter)
    }

    /// Spawns the stages from left to right, each with its subscriptions. Files
    /// begin to move when the first tokeniser asks, and wait for stages that
    /// are not spawned yet. `counter` may wrap a counter.
    fn start_with<C: Consumer<Event = Piece>>(
        roots: &Roots,
        options: Options,
        progress: Option<Progress>,
        counter: impl Fn(usize, Counter) -> C + Clone + Send + 'static,
    ) -> Result<Self, Error> {
        let pipeline = Pipeline::new();

        let name = "walker";
        let mut failure_plan = FailurePlan::of(name, options.chaos);
        let files = Kept::new(roots.files());
        let restart = failure_plan.restart();
        let walker = supervised(move || Walker::new(files.clone(), failure_plan.next()))
            .restart(restart)
            .stage()
            .name(name)
            .in_group(&pipeline)
            .spawn();

        let mut tokenisers = Vec::new();
        for n in 0..options.workers {
            let owners = (0..options.partitions).map(Owner::Counter);
            let by_owner = Partition::by_name(owners.chain([Owner::Reports]), |piece: &Piece| {
                Some(piece.owner())
            })?;
            let name = format!("tokeniser {n}");
            let mut failure_plan = FailurePlan::of(&name, options.chaos);
            let restart = failure_plan.restart();
            let tokeniser =
                supervised(move || Tokeniser::new(options.partitions, failure_plan.next()))
                    .restart(restart)
                    .stage()
                    .name(name)
                    .subscribe_to(walker.subscription().max_demand(FILES_AHEAD))
                    .dispatcher(by_owner.queue_bound(options.max_demand))
                    .in_group(&pipeline)
                    .spawn();
            tokenisers.push(tokeniser);
        }

        let mut counts = Vec::new();
        for n in 0..options.partitions {
            let name = format!("counter {n}");
            let mut failure_plan = FailurePlan::of(&name, options.chaos);
            let restart = failure_plan.restart();
            let kept = Kept::default();
            counts.push(kept.clone());
            let counter = counter.clone();
            let mut stage =
                supervised(move || counter(n, Counter::new(kept.clone(), failure_plan.next())))
                    .restart(restart)
                    .stage()
                    .name(name);
            for tokeniser in &tokenisers {
                let owned = tokeniser.partition(Owner::Counter(n));
                stage = stage.subscribe_to(owned.max_demand(options.max_demand));
            }
            stage.in_group(&pipeline).spawn();
        }

        let mut reports = filter_map(Piece::into_report).stage().name("reports");
        for tokeniser in &tokenisers {
            reports = reports.subscribe_to(tokeniser.partition(Owner::Reports));
        }
        // A broadcast waits for all current subscribers, but cannot know of
        // those still to come: the gate stays closed until all have subscribed.
        let reports = reports
            .dispatcher(Broadcast::new())
            .gate(Gate::Closed)
            .in_group(&pipeline)
            .spawn();

        let totals = Totals::default()
            .stage()
            .name("totals")
            .subscribe_to(&reports)
            .in_group(&pipeline)
            .spawn();

        if let Some(progress) = progress {
            let progress = progress.stage().name("progress");
            progress.subscribe_to(&reports).in_group(&pipeline).spawn();
        }
        reports.set_gate(Gate::Open);

        Ok(Self {
            pipeline,
            totals,
            counts,
            chaos: options.chaos,
        })
    }

    /// Waits until all stages have ended.
    ///
    /// # Errors
    ///
    /// [`Error`] if a stage failed. A file that cannot be read does not fail a
    /// stage.
    pub(crate) async fn join(self) -> Result<Census, Error> {
        self.pipeline.join().await?;
        let counts = self.counts.iter();
        let pipeline = self.pipeline.snapshot();
        Ok(Census {
            totals: self.totals.join_stage().await?,
            counts: counts.map(|kept| mem::take(&mut *kept.lock())).collect(),
            chaos_report: self.chaos.map(|chaos| ChaosReport::of(chaos, &pipeline)),
            pipeline,
        })
    }
}

#[cfg(test)]
mod tests;
