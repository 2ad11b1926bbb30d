//! How the stages are put together.
//!
//! ```text
//!                                    ┌─> counter 0
//!         Demand  ┌─> tokeniser 0 ─┐ ├─> counter 1
//! walker ─────────┤                ├─┤ …             Broadcast ┌─> totals
//!                 └─> tokeniser 1 ─┘ └─> reports ──────────────┤
//!                            Partition                         └─> progress
//! ```
//!
//! All of them belong to one `Pipeline`, which is what the rest of the program
//! deals with. Those that read and count are supervised, for the sake of
//! [`chaos`](super::chaos).
//!
//! Along every arrow demand went to the left before an event goes to the
//! right. When a counter falls behind, its queue in the dispatcher of each
//! tokeniser fills up to its bound; the tokenisers are then asked for no more,
//! and so the walker is not either. Whatever is slow, the memory in use does
//! not follow the number of files.

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

/// How wide the pipeline is, and how much it asks for at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// How many tokenisers there are.
    pub(crate) workers: usize,
    /// How many counters there are.
    pub(crate) partitions: usize,
    /// How many events a counter asks each tokeniser for. As many wait for it
    /// there before they hold up the others.
    pub(crate) max_demand: usize,
    /// Whether its stages fail now and then.
    pub(crate) chaos: Option<Chaos>,
}

/// How many files a tokeniser asks for. What it makes of half of them is sent
/// together, so this bounds how much text becomes events at once, and how
/// often the walker has to be woken.
const FILES_AHEAD: usize = 16;

/// What was counted.
#[derive(Debug)]
pub(crate) struct Census {
    pub(crate) totals: Totals,
    /// What each counter has counted. Their identifiers are disjoint.
    pub(crate) counts: Vec<Counts>,
    /// What the stages and the links between them have done.
    pub(crate) pipeline: Snapshot,
    /// What the chaos did, if there was any.
    pub(crate) chaos_report: Option<ChaosReport>,
}

/// A census under way.
pub(crate) struct Running {
    /// Owns the stages: it joins them, stops them and says what they do.
    pub(crate) pipeline: Pipeline,
    totals: ConsumerHandle<Totals>,
    counts: Vec<Kept<Counts>>,
    chaos: Option<Chaos>,
}

impl Running {
    /// Begins to count the files under `roots`.
    ///
    /// # Errors
    ///
    /// [`Error`] when the partitions cannot work.
    pub(crate) fn start(
        roots: &Roots,
        plan: Plan,
        progress: Option<Progress>,
    ) -> Result<Self, Error> {
        Self::start_with(roots, plan, progress, |_, counter| counter)
    }

    /// Spawns the stages from left to right, each with its subscriptions. The
    /// files begin to move when the first tokeniser asks, and wait where a
    /// stage is still missing. `counter` may put something around a counter.
    fn start_with<C: Consumer<Event = Piece>>(
        roots: &Roots,
        plan: Plan,
        progress: Option<Progress>,
        counter: impl Fn(usize, Counter) -> C + Clone + Send + 'static,
    ) -> Result<Self, Error> {
        let pipeline = Pipeline::new();

        let name = "walker";
        let mut failure_plan = FailurePlan::of(name, plan.chaos);
        let files = Kept::new(roots.files());
        let restart = failure_plan.restart();
        let walker = supervised(move || Walker::new(files.clone(), failure_plan.next()))
            .restart(restart)
            .stage()
            .name(name)
            .in_group(&pipeline)
            .spawn();

        let mut tokenisers = Vec::new();
        for n in 0..plan.workers {
            let owners = (0..plan.partitions).map(Owner::Counter);
            let by_owner = Partition::by_name(owners.chain([Owner::Reports]), |piece: &Piece| {
                Some(piece.owner())
            })?;
            let name = format!("tokeniser {n}");
            let mut failure_plan = FailurePlan::of(&name, plan.chaos);
            let restart = failure_plan.restart();
            let tokeniser =
                supervised(move || Tokeniser::new(plan.partitions, failure_plan.next()))
                    .restart(restart)
                    .stage()
                    .name(name)
                    .subscribe_to(walker.subscription().max_demand(FILES_AHEAD))
                    .dispatcher(by_owner.queue_bound(plan.max_demand))
                    .in_group(&pipeline)
                    .spawn();
            tokenisers.push(tokeniser);
        }

        let mut counts = Vec::new();
        for n in 0..plan.partitions {
            let name = format!("counter {n}");
            let mut failure_plan = FailurePlan::of(&name, plan.chaos);
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
                stage = stage.subscribe_to(owned.max_demand(plan.max_demand));
            }
            stage.in_group(&pipeline).spawn();
        }

        let mut reports = filter_map(Piece::into_report).stage().name("reports");
        for tokeniser in &tokenisers {
            reports = reports.subscribe_to(tokeniser.partition(Owner::Reports));
        }
        // A broadcast waits for all of its subscribers, but it does not know of
        // those who are still to come: the gate does.
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
            chaos: plan.chaos,
        })
    }

    /// Waits until all stages have ended.
    ///
    /// # Errors
    ///
    /// [`Error`] when a stage failed. A file that cannot be read fails no
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
