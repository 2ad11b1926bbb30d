//! [`Kill`]: when a worker is killed. [`schedule`]: all kills, derived from a seed.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;
use serde::Serialize;

use crate::orders::events::Event;

/// What a worker does when it is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// It enqueues, and processes what is there.
    Enqueue,
    /// Everything is enqueued, and it processes.
    Process,
    /// It drains.
    Drain,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enqueue => "enqueue",
            Self::Process => "process",
            Self::Drain => "drain",
        })
    }
}

/// When a worker is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kill {
    pub(crate) phase: Phase,
    /// After so many groups were enqueued, or batches stored, within the phase. For a drain:
    /// before it is asked for.
    after: u32,
    /// And after this pause, so that it hits between two events, too.
    pub(crate) pause: Duration,
}

/// What to do with a worker after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Wait,
    /// Ask it to drain.
    Drain,
    /// Kill it, after the pause.
    Kill,
}

/// Returns the kills of a run: several in each phase, those while it enqueues first.
pub(crate) fn schedule(seed: u64) -> Vec<Kill> {
    let mut rng = Rng::with_seed(seed);
    let mut later = vec![Phase::Process, Phase::Drain];
    for _ in 0..2 {
        later.push(
            rng.choice([Phase::Process, Phase::Drain])
                .unwrap_or(Phase::Process),
        );
    }
    rng.shuffle(&mut later);
    [Phase::Enqueue, Phase::Enqueue]
        .into_iter()
        .chain(later)
        .map(|phase| Kill {
            phase,
            after: rng.u32(1..=5),
            pause: Duration::from_micros(rng.u64(..3_000)),
        })
        .collect()
}

/// Follows the events of one worker up to its kill.
#[derive(Debug)]
pub(crate) struct Watch {
    kill: Kill,
    all_enqueued: bool,
    seen: u32,
    asked: bool,
}

impl Watch {
    pub(crate) const fn new(kill: Kill) -> Self {
        Self {
            kill,
            all_enqueued: false,
            seen: 0,
            asked: false,
        }
    }

    /// Takes the next event, and says what to do.
    pub(crate) fn next(&mut self, event: Event) -> Action {
        match event {
            Event::AllEnqueued => self.all_enqueued = true,
            Event::Draining if self.kill.phase == Phase::Drain => return Action::Kill,
            _ => {}
        }
        let counts = match self.kill.phase {
            Phase::Enqueue => matches!(event, Event::Enqueued { .. }) && !self.all_enqueued,
            Phase::Process | Phase::Drain => {
                matches!(event, Event::Stored { .. }) && self.all_enqueued
            }
        };
        self.seen += u32::from(counts);
        if !counts || self.seen < self.kill.after || self.asked {
            return Action::Wait;
        }
        if self.kill.phase == Phase::Drain {
            self.asked = true;
            return Action::Drain;
        }
        Action::Kill
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENQUEUED: Event = Event::Enqueued { first: 1, last: 9 };
    const STORED: Event = Event::Stored { orders: 9 };

    fn watch(phase: Phase) -> Watch {
        Watch::new(Kill {
            phase,
            after: 2,
            pause: Duration::ZERO,
        })
    }

    fn actions(phase: Phase, events: &[Event]) -> Vec<Action> {
        let mut watch = watch(phase);
        events.iter().map(|event| watch.next(*event)).collect()
    }

    #[test]
    fn every_seed_kills_in_every_phase_and_its_kills_are_its_own() {
        for seed in 0..100 {
            let kills = schedule(seed);
            assert_eq!(kills, schedule(seed));
            for phase in [Phase::Enqueue, Phase::Process, Phase::Drain] {
                assert!(kills.iter().any(|kill| kill.phase == phase), "{seed}");
            }
        }
        assert_ne!(schedule(1), schedule(2));
    }

    #[test]
    fn a_kill_while_enqueueing_counts_groups() {
        assert_eq!(
            actions(Phase::Enqueue, &[ENQUEUED, STORED, STORED, ENQUEUED]),
            [Action::Wait, Action::Wait, Action::Wait, Action::Kill]
        );
    }

    #[test]
    fn a_kill_while_processing_counts_batches_once_all_is_enqueued() {
        assert_eq!(
            actions(
                Phase::Process,
                &[STORED, STORED, ENQUEUED, Event::AllEnqueued, STORED, STORED]
            ),
            [
                Action::Wait,
                Action::Wait,
                Action::Wait,
                Action::Wait,
                Action::Wait,
                Action::Kill
            ]
        );
    }

    #[test]
    fn a_kill_while_draining_asks_for_the_drain_once() {
        assert_eq!(
            actions(
                Phase::Drain,
                &[Event::AllEnqueued, STORED, STORED, STORED, Event::Draining]
            ),
            [
                Action::Wait,
                Action::Wait,
                Action::Drain,
                Action::Wait,
                Action::Kill
            ]
        );
    }
}
