//! `--chaos`: stages that panic at random, and what it takes to count right
//! all the same.
//!
//! A stage that starts over gets a new state, and the event it failed on is
//! given to it again. For an exact result that takes three things of a stage:
//!
//! 1. It reads an event where it is, by `Batch::peek`, and takes it only when
//!    it is done with it, by `Batch::advance`. An event that was moved into a
//!    handler is gone with it.
//! 2. What it does about an event it does as a whole: first whatever can fail,
//!    then what others can see of it, right before it takes the event. What was
//!    emitted before a failure stays emitted, so half a file sent would be sent
//!    again by the retry.
//! 3. What must outlive the state is not in the state: it is [`Kept`], and the
//!    factory hands it to each state in turn.

use std::hash::BuildHasher;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use foldhash::fast::FixedState;
use serde::Serialize;
use stages::prelude::*;
use stages::{StageStats, snapshot::Snapshot};

/// Where the panics come from. The n-th state of a stage fails at the same
/// step whenever the seed is the same.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chaos {
    pub(crate) seed: u64,
}

/// How many steps a state lives through on average.
const MEAN: u64 = 50;

/// When the states of one stage fail, one after the other.
#[derive(Debug)]
pub(crate) struct FailurePlan(Option<Rng>);

impl FailurePlan {
    /// Those of the stage `name`; without chaos none of its states fails.
    pub(crate) fn of(name: &str, chaos: Option<Chaos>) -> Self {
        let seed = |chaos: Chaos| FixedState::with_seed(chaos.seed).hash_one(name);
        Self(chaos.map(seed).map(Rng::with_seed))
    }

    /// That of the next state.
    pub(crate) fn next(&mut self) -> Fate {
        Fate {
            steps_left: self.0.as_mut().map(|rng| rng.u64(0..=2 * MEAN)),
        }
    }

    /// When the stage starts over: never without chaos, where a panic is a
    /// mistake to be seen, and every time with it.
    pub(crate) const fn restart(&self) -> Restart {
        let restart = Restart::on_failure().backoff(Duration::ZERO, Duration::ZERO);
        restart.max_restarts(if self.0.is_some() { usize::MAX } else { 0 })
    }
}

/// When one state of a stage fails, if it does.
#[derive(Debug, Default)]
pub(crate) struct Fate {
    steps_left: Option<u64>,
}

impl Fate {
    /// A step at which a stage can fail.
    ///
    /// It unwinds as any panic does, but without the panic hook, so that these
    /// panics print nothing and a real one prints what it always does.
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

/// What outlives the states of a stage: each state has it in turn.
#[derive(Debug, Default)]
pub(crate) struct Kept<T>(Arc<Mutex<T>>);

impl<T> Kept<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new(Mutex::new(value)))
    }

    /// Locks it, once for a batch: nobody else wants it meanwhile.
    ///
    /// A panic under the lock poisons it, as a warning that a change may be
    /// half made. Who keeps something here changes it for whole events only.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// What the chaos did, over all stages.
#[derive(Debug, Serialize)]
pub(crate) struct ChaosReport {
    pub(crate) seed: u64,
    /// How often a stage started over.
    pub(crate) restarts: u64,
    /// Events of failed batches that a stage was given again.
    pub(crate) retried: u64,
    /// Events that went back to their producer.
    pub(crate) handed_back: u64,
    /// Events that are gone: none, or the counts are wrong.
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

    /// How many steps each of the first states of a stage lives through.
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
