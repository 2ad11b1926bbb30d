//! What has become of every event: the number `n` of a source is to be in
//! here once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use fastrand::Rng;
use stage_runtime::prelude::*;

/// What became of numbers, by number.
#[derive(Debug, Clone, Default)]
pub(crate) struct FailurePlan(Arc<Mutex<BTreeMap<u64, Vec<&'static str>>>>);

impl FailurePlan {
    pub(crate) fn note(&self, n: u64, fate: &'static str) {
        let mut failure_plan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failure_plan.entry(n).or_default().push(fate);
    }

    /// How many numbers met this fate.
    pub(crate) fn count(&self, fate: &str) -> u64 {
        let failure_plan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let met = |of: &Vec<&'static str>| of.iter().filter(|met| **met == fate).count();
        failure_plan.values().map(met).sum::<usize>() as u64
    }

    /// Checks that each of `0..events` met one fate and no other number did,
    /// except that `missing` of them met none.
    pub(crate) fn check(&self, events: u64, missing: u64, seed: u64) {
        let failure_plan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let twice: Vec<_> = failure_plan
            .iter()
            .filter(|(_, met)| met.len() != 1)
            .collect();
        assert!(
            twice.is_empty(),
            "seed {seed}: more than one fate: {twice:?}"
        );
        let made_up: Vec<_> = failure_plan.range(events..).collect();
        assert!(
            made_up.is_empty(),
            "seed {seed}: never emitted: {made_up:?}"
        );
        let without: Vec<_> = (0..events)
            .filter(|n| !failure_plan.contains_key(n))
            .collect();
        assert_eq!(
            without.len() as u64,
            missing,
            "seed {seed}: of {events} events these met no fate: {without:?}"
        );
    }
}

/// Handles events in one of the ways there are, and fails now and then: by an
/// error or a panic, with the event taken or not.
#[derive(Debug)]
pub(crate) struct Shaky {
    pub(crate) random: Rng,
    pub(crate) failure_plan: FailurePlan,
    /// It fails at one event in so many; never for 0.
    pub(crate) one_in: u64,
    /// Somebody else notes what becomes of the event it fails at.
    pub(crate) keeps: bool,
}

impl Shaky {
    pub(crate) fn new(random: &mut Rng, failure_plan: &FailurePlan, one_in: u64) -> Self {
        Self {
            random: random.fork(),
            failure_plan: failure_plan.clone(),
            one_in,
            keeps: false,
        }
    }

    pub(crate) fn keeps(mut self) -> Self {
        self.keeps = true;
        self
    }

    /// Whether to fail now.
    pub(crate) fn stumbles(&mut self) -> bool {
        self.one_in > 0 && self.random.u64(0..self.one_in) == 0
    }

    /// Fails: by a panic or an error.
    pub(crate) fn stumble(&mut self) -> StageResult {
        assert!(self.random.bool(), "stumbled");
        Err("stumbled".into())
    }

    /// One event that was taken.
    fn take(&mut self, n: u64) -> StageResult {
        if self.stumbles() {
            if !self.keeps {
                self.failure_plan.note(n, "lost");
            }
            return self.stumble();
        }
        self.failure_plan.note(n, "handled");
        Ok(())
    }
}

impl Consumer for Shaky {
    type Event = u64;

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        match self.random.u8(0..3) {
            0 => {
                for n in events {
                    self.take(n)?;
                }
            }
            1 => {
                while let Some(n) = events.pop_front() {
                    self.take(n)?;
                    if self.random.u8(0..8) == 0 {
                        tokio::task::yield_now().await;
                    }
                }
            }
            _ => {
                while let Some(&n) = events.peek() {
                    // What is held is not taken yet: it comes again.
                    if self.stumbles() {
                        return self.stumble();
                    }
                    self.failure_plan.note(n, "handled");
                    events.advance(1);
                }
            }
        }
        Ok(())
    }
}
