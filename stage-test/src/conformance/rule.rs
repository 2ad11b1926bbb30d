//! What a rule is, and what it says when it is broken.

use std::fmt;

use stage_core::Dispatcher;

use super::script::script;
use super::stand::{Seats, Stand, Step};
use super::{Conformance, TestEvent};

/// A rule that looks at one step after the other.
pub(super) trait Rule<E> {
    /// Looks at a step; `seats` are the subscribers after it. The error says
    /// what is wrong.
    fn after(&mut self, step: &Step<E>, seats: &Seats) -> Result<(), String>;
}

/// A broken rule.
#[derive(Debug)]
pub(super) struct Broken {
    step: usize,
    what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {}: {}", self.step, self.what)
    }
}

/// Names the step, from 1, at which a rule was broken.
pub(super) fn at(step: usize) -> impl FnOnce(String) -> Broken {
    move |what| Broken {
        step: step + 1,
        what,
    }
}

/// Drives the dispatcher by the script of `seed` under the eyes of `rule`.
pub(super) fn watch<D: Dispatcher>(
    suite: &Conformance<D>,
    seed: u64,
    mut rule: impl Rule<D::Event>,
) -> Result<(), Broken>
where
    D::Event: TestEvent,
{
    let mut stand = Stand::new(suite);
    for (index, op) in script(seed, suite.subscribers).into_iter().enumerate() {
        if let Some(step) = stand.step(op) {
            rule.after(&step, &stand.seats).map_err(at(index))?;
        }
    }
    Ok(())
}
