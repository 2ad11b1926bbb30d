//! [`Rule`] and [`Broken`]: a rule that is checked after each step, and its
//! error.

use std::fmt;

use stage_core::Dispatcher;

use super::script::script;
use super::stand::{Stand, Step, Subscribers};
use super::{Conformance, TestEvent};

/// A rule that is checked after each step.
pub(super) trait Rule<E> {
    /// Checks a step; `subscribers` are the subscribers after it. The error describes
    /// the violation.
    fn after(&mut self, step: &Step<E>, subscribers: &Subscribers) -> Result<(), String>;
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

/// Adds the number of the step, from 1, to the description of a violation.
pub(super) fn at(step: usize) -> impl FnOnce(String) -> Broken {
    move |what| Broken {
        step: step + 1,
        what,
    }
}

/// Drives the dispatcher with the script of `seed` and checks `rule` after each
/// step.
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
            rule.after(&step, &stand.subscribers).map_err(at(index))?;
        }
    }
    Ok(())
}
