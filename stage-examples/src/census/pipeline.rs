//! How the stages are put together.
//!
//! ```text
//!                                     ┌──> counter 0
//!          Demand  ┌─> tokeniser 0 ─┐ ├──> counter 1
//! walker ──────────┤                ├─┤ …            Broadcast ┌─> totals
//!                  └─> tokeniser 1 ─┘ └──> reports ────────────┤
//!                             Partition                        └─> progress
//! ```
//!
//! Every arrow carries demand to the left before it carries an event to the
//! right. When a counter falls behind, its queue in each tokeniser's partition
//! dispatcher fills up to its bound, the tokeniser is asked no more, and so
//! the walker is not either: whatever is slow, the memory in use does not
//! follow the number of files.

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
    /// How many events a counter asks each tokeniser for.
    pub(crate) max_demand: usize,
}

/// How many files a tokeniser asks for. A batch of half of them is handled
/// before what it gave is sent on, so this bounds how much text may turn into
/// events at once; and it makes one wake-up of the walker pay for several
/// files.
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
/// [`Error`] when a stage failed. Files that cannot be read fail no stage.
pub(crate) async fn run(
    roots: &Roots,
    plan: Plan,
    progress: Option<Progress>,
    stop: Arc<AtomicBool>,
) -> Result<Census, Error> {
    let mut running = Running::start(roots, plan, progress, stop, |_| Counter::default())?;
    let stages = std::mem::take(&mut running.stages);
    let (totals, counters) = running.join().await?;
    Ok(Census {
        totals,
        counts: counters.into_iter().map(|counter| counter.counts).collect(),
        stages: stages.iter().map(|stats| stats()).collect(),
    })
}

/// A census under way.
struct Running<C: Consumer> {
    stages: Vec<Stats>,
    totals: ConsumerHandle<Totals>,
    counters: Vec<ConsumerHandle<C>>,
    progress: Option<ConsumerHandle<Progress>>,
}

/// Says what a stage has done. What kind of stage it is does not matter here,
/// so its type is left behind.
type Stats = Box<dyn Fn() -> StageStats + Send>;

fn stats<S, I, O>(stage: &StageRef<S, I, O>) -> Stats
where
    S: Send + 'static,
    I: Input + 'static,
    O: Output + 'static,
{
    let stage = stage.clone();
    Box::new(move || stage.stats())
}

impl<C: Consumer<Event = Piece>> Running<C> {
    /// Wires and starts the pipeline, upstream first.
    fn start(
        roots: &Roots,
        plan: Plan,
        progress: Option<Progress>,
        stop: Arc<AtomicBool>,
        counter: impl Fn(usize) -> C,
    ) -> Result<Self, Error> {
        let Plan {
            workers,
            partitions,
            max_demand,
        } = plan;
        let mut stages = Vec::new();

        let walker = Walker::new(roots, stop).stage().name("walker").spawn();
        stages.push(stats(&walker));

        let mut tokenisers = Vec::new();
        for n in 0..workers {
            let owners = (0..partitions).map(Owner::Counter).chain([Owner::Reports]);
            let tokeniser = Tokeniser::new(partitions)
                .stage()
                .name(format!("tokeniser {n}"))
                .subscribe_to(walker.subscription().max_demand(FILES_AHEAD))
                .dispatcher(Partition::with_hash(owners, |piece: &Piece| {
                    Some(piece.owner())
                })?)
                .spawn();
            stages.push(stats(&tokeniser));
            tokenisers.push(tokeniser);
        }

        let mut counters = Vec::new();
        for n in 0..partitions {
            let mut stage = counter(n).stage().name(format!("counter {n}"));
            for tokeniser in &tokenisers {
                let own = tokeniser.partition(Owner::Counter(n));
                stage = stage.subscribe_to(own.max_demand(max_demand));
            }
            let counter = stage.spawn();
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
            stages,
            totals,
            counters,
            progress,
        })
    }

    /// Waits until every stage at the end of the pipeline is through.
    async fn join(self) -> Result<(Totals, Vec<C>), Error> {
        let mut counters = Vec::new();
        for counter in self.counters {
            counters.push(counter.join_stage().await?);
        }
        let totals = self.totals.join_stage().await?;
        if let Some(progress) = self.progress {
            progress.join().await?;
        }
        Ok((totals, counters))
    }
}
