//! The rule that demand saturates: repeated asks for `usize::MAX` wrap nothing.

use std::num::NonZeroUsize;

use stage_core::{Dispatcher, Supply};

use super::demand::NeverMoreThanAsked;
use super::rule::{Broken, Rule, at};
use super::script::{Op, STEPS, script};
use super::stand::Stand;
use super::{Conformance, TestEvent};

const PLENTY: usize = 16;

pub(super) fn check<D: Dispatcher>(suite: &Conformance<D>, seed: u64) -> Result<(), Broken>
where
    D::Event: TestEvent,
{
    let mut stand = Stand::new(suite);
    let mut rule = NeverMoreThanAsked::default();
    for (index, op) in script(seed, suite.subscribers).into_iter().enumerate() {
        let op = match op {
            Op::Ask(subscriber, _) => Op::Ask(subscriber, NonZeroUsize::MAX),
            other => other,
        };
        if let Some(step) = stand.step(op) {
            rule.after(&step, &stand.subscribers).map_err(at(index))?;
        }
        settles(&mut stand.dispatcher, index).map_err(at(index))?;
    }
    everything_goes(&mut stand, suite.subscribers).map_err(at(STEPS))
}

/// Checks that a subscriber that asks for one more than `usize::MAX` still gets
/// events.
fn everything_goes<D: Dispatcher>(
    stand: &mut Stand<'_, D>,
    subscribers: usize,
) -> Result<(), String>
where
    D::Event: TestEvent,
{
    while stand.step(Op::TakeBack).is_some() {}
    for subscriber in 0..subscribers {
        stand.step(Op::Subscribe(subscriber));
        stand.step(Op::Ask(subscriber, NonZeroUsize::MAX));
        stand.step(Op::Ask(subscriber, NonZeroUsize::MIN));
    }
    match stand.step(Op::Dispatch(PLENTY)) {
        Some(step) if !step.left_over.is_empty() || step.held > 0 => Err(format!(
            "all have asked without end, yet {} events are left over and {} held",
            step.left_over.len(),
            step.held
        )),
        _ => Ok(()),
    }
}

/// Checks that a dispatcher returns no more demand from `at_rest` once upstream
/// owes what it returned before; otherwise its producer would be called for
/// ever.
fn settles<D: Dispatcher>(dispatcher: &mut D, index: usize) -> Result<(), String> {
    let mut supply = Supply::default();
    if index.is_multiple_of(2) {
        supply.owed = usize::MAX;
    }
    supply.owed = supply.owed.saturating_add(dispatcher.at_rest(supply));
    match dispatcher.at_rest(supply) {
        0 => Ok(()),
        more => Err(format!(
            "at rest it wants {more} more, though upstream owes the {} it wanted",
            supply.owed
        )),
    }
}
