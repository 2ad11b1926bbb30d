//! `--chaos`: makes stages panic at random, and shows how to count exactly
//! despite it.
//!
//! A stage that restarts gets a new state, and then the event it failed on once
//! more. An exact result requires three things of a stage:
//!
//! 1. It reads an event in place, by `Batch::peek`, and takes it only when it
//!    is done with it, by `Batch::advance`. An event that was moved into a
//!    handler is lost when the handler fails.
//! 2. It handles an event as a whole: first everything that can fail, then the
//!    effects that others can see, and directly after them it takes the event.
//!    Events emitted before a failure stay emitted, so that a retry would
//!    repeat half a file.
//! 3. Data that must survive a restart is kept outside the state, in a
//!    [`Kept`], and the factory passes it to each state.

use std::hash::BuildHasher;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use foldhash::fast::FixedState;
use serde::Serialize;
use stages::prelude::*;
use stages::{StageStats, snapshot::Snapshot};

/// The source of the panics. With the same seed, the n-th state of a stage
/// fails at the same step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chaos {
    pub(crate) seed: u64,
}

/// The mean number of steps before a state fails.
const MEAN: u64 = 50;

/// The failures of the successive states of one stage.
#[derive(Debug)]
pub(crate) struct FailurePlan(Option<Rng>);

impl FailurePlan {
    /// Returns the plan of the stage `name`; without chaos, no state fails.
    pub(crate) fn of(name: &str, chaos: Option<Chaos>) -> Self {
        let seed = |chaos: Chaos| FixedState::with_seed(chaos.seed).hash_one(name);
        Self(chaos.map(seed).map(Rng::with_seed))
    }

    /// Returns the failure of the next state.
    pub(crate) fn next(&mut self) -> Fate {
        Fate {
            steps_left: self.0.as_mut().map(|rng| rng.u64(0..=2 * MEAN)),
        }
    }

    /// Returns the restart policy: always with chaos; never without, as a panic
    /// is then a bug to be seen.
    pub(crate) const fn restart(&self) -> Restart {
        let restart = Restart::on_failure().backoff(Duration::ZERO, Duration::ZERO);
        restart.max_restarts(if self.0.is_some() { usize::MAX } else { 0 })
    }
}

/// The step at which one state of a stage fails, if any.
#[derive(Debug, Default)]
pub(crate) struct Fate {
    steps_left: Option<u64>,
}

impl Fate {
    /// Marks a step at which the stage can fail, and panics at the planned one.
    ///
    /// It unwinds as any panic does, but skips the panic hook, so that these
    /// panics print nothing and real ones are printed as usual.
    #[inline]
    pub(crate) fn step(&mut self) {
        if let Some(left) = &mut self.steps_left {
            match left.checked_sub(1) {
                Some(less) => *left = less,
                None => resume_unwind(Box::new("chaos")),
            }
        }
    }
}

/// A value that survives restarts: each state of a stage gets it in turn.
#[derive(Debug, Default)]
pub(crate) struct Kept<T>(Arc<Mutex<T>>);

impl<T> Kept<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new(Mutex::new(value)))
    }

    /// Locks the value. A handler does so once per batch; the lock is
    /// uncontended.
    ///
    /// A panic under the lock poisons it, as a change may be incomplete. Users
    /// of this type change the value for whole events only, so that poison can
    /// be ignored.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// The effects of the chaos over all stages.
#[derive(Debug, Serialize)]
pub(crate) struct ChaosReport {
    pub(crate) seed: u64,
    /// The number of restarts.
    pub(crate) restarts: u64,
    /// Events of failed batches that a stage got once more.
    pub(crate) retried: u64,
    /// Events handed back to their producer.
    pub(crate) handed_back: u64,
    /// Events lost. Must be 0, or the counts are wrong.
    pub(crate) lost: u64,
}

impl ChaosReport {
    pub(crate) fn of(chaos: Chaos, pipeline: &Snapshot) -> Self {
        let sum = |of: fn(&StageStats) -> u64| {
            let stages = pipeline.stages.iter();
            stages.map(|stage| of(&stage.stats)).sum()
        };
        Self {
            seed: chaos.seed,
            restarts: sum(|stage| stage.restarts),
            retried: sum(|stage| stage.retried),
            handed_back: sum(|stage| stage.handed_back),
            lost: sum(|stage| stage.lost + stage.discarded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the number of steps of each of the first 20 states of a stage.
    fn lives(name: &str, seed: u64) -> Vec<Option<u64>> {
        let mut failure_plan = FailurePlan::of(name, Some(Chaos { seed }));
        (0..20).map(|_| failure_plan.next().steps_left).collect()
    }

    #[test]
    fn fates_follow_from_the_seed_and_the_name() {
        assert_eq!(lives("counter 0", 7), lives("counter 0", 7));
        assert_ne!(lives("counter 0", 7), lives("counter 1", 7));
        assert_ne!(lives("counter 0", 7), lives("counter 0", 8));
    }

    #[test]
    fn a_state_fails_at_its_step_and_without_chaos_never() {
        let mut fate = Fate {
            steps_left: Some(2),
        };
        fate.step();
        fate.step();
        std::panic::catch_unwind(move || fate.step()).unwrap_err();

        let mut fate = FailurePlan::of("counter 0", None).next();
        for _ in 0..1000 {
            fate.step();
        }
    }
}
