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
//! Along every arrow demand went to the left before an event goes to the
//! right. When a counter falls behind, its queue in the dispatcher of each
//! tokeniser fills up to its bound; the tokenisers are then asked for no more,
//! and so the walker is not either. Whatever is slow, the memory in use does
//! not follow the number of files.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use stages::prelude::*;
use stages::{Error, Input, Output, StageRef, StageStats};

use super::count::Counter;
use super::counts::Counts;
use super::progress::Progress;
use super::tokenise::{Owner, Piece, Tokeniser};
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
    /// What each stage has done.
    pub(crate) stages: Vec<StageStats>,
}

/// Counts the files under `roots`, until all are counted or `stop` is set.
///
/// # Errors
///
/// [`Error`] when a stage failed. A file that cannot be read fails no stage.
pub(crate) async fn run(
    roots: &Roots,
    plan: Plan,
    progress: Option<Progress>,
    stop: Arc<AtomicBool>,
) -> Result<Census, Error> {
    let walker = Walker::new(roots, stop);
    let running = Running::start(walker, plan, progress, |_| Counter::default())?;
    let (totals, counters, stages) = running.join().await?;
    Ok(Census {
        totals,
        counts: counters.into_iter().map(|counter| counter.counts).collect(),
        stages,
    })
}

/// A census under way: the stages at its ends, and a look at all of them.
struct Running<C: Consumer> {
    totals: ConsumerHandle<Totals>,
    progress: Option<ConsumerHandle<Progress>>,
    counters: Vec<ConsumerHandle<C>>,
    stages: Vec<Stats>,
}

impl<C: Consumer<Event = Piece>> Running<C> {
    /// Spawns the stages from left to right, each with its subscriptions. The
    /// files begin to move when the first tokeniser asks, and wait where a
    /// stage is still missing.
    fn start(
        walker: Walker,
        plan: Plan,
        progress: Option<Progress>,
        counter: impl Fn(usize) -> C,
    ) -> Result<Self, Error> {
        let mut stages = Vec::new();

        let walker = walker.stage().name("walker").spawn();
        stages.push(stats(&walker));

        let mut tokenisers = Vec::new();
        for n in 0..plan.workers {
            let owners = (0..plan.partitions).map(Owner::Counter);
            let by_owner =
                Partition::with_hash(owners.chain([Owner::Reports]), |piece: &Piece| {
                    Some(piece.owner())
                })?;
            let tokeniser = Tokeniser::new(plan.partitions)
                .stage()
                .name(format!("tokeniser {n}"))
                .subscribe_to(walker.subscription().max_demand(FILES_AHEAD))
                .dispatcher(by_owner.queue_bound(plan.max_demand))
                .spawn();
            stages.push(stats(&tokeniser));
            tokenisers.push(tokeniser);
        }

        let mut counters = Vec::new();
        for n in 0..plan.partitions {
            let mut counter = counter(n).stage().name(format!("counter {n}"));
            for tokeniser in &tokenisers {
                let owned = tokeniser.partition(Owner::Counter(n));
                counter = counter.subscribe_to(owned.max_demand(plan.max_demand));
            }
            let counter = counter.spawn();
            stages.push(stats(&counter));
            counters.push(counter);
        }

        let mut reports = filter_map(Piece::into_report).stage().name("reports");
        for tokeniser in &tokenisers {
            reports = reports.subscribe_to(tokeniser.partition(Owner::Reports));
        }
        let reports = reports.dispatcher(Broadcast::new()).spawn();
        stages.push(stats(&reports));

        let totals = Totals::default()
            .stage()
            .name("totals")
            .subscribe_to(&reports)
            .spawn();
        stages.push(stats(&totals));

        let progress = progress.map(|progress| {
            progress
                .stage()
                .name("progress")
                .subscribe_to(&reports)
                .spawn()
        });
        stages.extend(progress.as_ref().map(|progress| stats(progress)));

        Ok(Self {
            totals,
            progress,
            counters,
            stages,
        })
    }

    /// Waits until the stages at the ends are through, and with them all.
    async fn join(self) -> Result<(Totals, Vec<C>, Vec<StageStats>), Error> {
        let mut counters = Vec::new();
        for counter in self.counters {
            counters.push(counter.join_stage().await?);
        }
        let totals = self.totals.join_stage().await?;
        if let Some(progress) = self.progress {
            progress.join().await?;
        }
        let stages = self.stages.iter().map(|stats| stats()).collect();
        Ok((totals, counters, stages))
    }
}

/// Says what a stage has done so far.
type Stats = Box<dyn Fn() -> StageStats + Send>;

/// Leaves the type of the stage behind: here they are all the same.
fn stats<S, I, O>(stage: &StageRef<S, I, O>) -> Stats
where
    S: Send + 'static,
    I: Input + 'static,
    O: Output + 'static,
{
    let stage = stage.clone();
    Box::new(move || stage.stats())
}

#[cfg(test)]
mod tests;
