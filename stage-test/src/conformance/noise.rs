//! The rule that invalid calls change nothing: of two dispatchers driven alike,
//! only one gets invalid calls, and both must act alike.

use std::num::NonZeroUsize;

use fastrand::Rng;
use stage_core::{Deliveries, Dispatcher, SubscriptionId};

use super::rule::{Broken, at};
use super::script::{Op, script};
use super::stand::Stand;
use super::{Conformance, TestEvent};

pub(super) fn check<D: Dispatcher>(suite: &Conformance<D>, seed: u64) -> Result<(), Broken>
where
    D::Event: TestEvent,
{
    let mut quiet = Stand::new(suite);
    let mut noisy = Stand::new(suite);
    let mut rng = Rng::with_seed(seed);
    for (index, op) in script(seed, suite.subscribers).into_iter().enumerate() {
        unknown_id(&mut noisy, suite, &mut rng).map_err(at(index))?;
        second_subscription(&mut noisy, suite).map_err(at(index))?;
        let subscribed: Vec<_> = quiet.subscribers.iter().map(|(_, id)| id).collect();
        let (expected, actual) = (quiet.step(op), noisy.step(op));
        if !matches!(op, Op::Subscribe(_))
            && let Some(step) = &actual
            && let Some(id) = step.evicted.iter().find(|id| !subscribed.contains(id))
        {
            return Err(at(index)(format!(
                "{id} was evicted, but was not subscribed"
            )));
        }
        if expected != actual {
            return Err(at(index)(format!(
                "{op:?} should do {expected:?}, but after calls that make no sense does {actual:?}"
            )));
        }
    }
    Ok(())
}

fn unknown_id<D: Dispatcher>(
    stand: &mut Stand<'_, D>,
    suite: &Conformance<D>,
    rng: &mut Rng,
) -> Result<(), String> {
    let stranger = SubscriptionId::new(u64::MAX);
    let mut out = Deliveries::new();
    let dispatcher = &mut stand.dispatcher;
    if dispatcher
        .reroute(stranger, (suite.route)(0), &mut out)
        .is_ok()
    {
        return Err("an unknown id was given a new route".into());
    }
    let (call, demand) = match rng.u8(0..3) {
        0 => ("cancel", dispatcher.cancel(stranger, &mut out)),
        1 => {
            let demand = dispatcher.take_back(stranger, Vec::new(), &mut out);
            ("take_back", demand)
        }
        _ => {
            let demand = dispatcher.ask(stranger, NonZeroUsize::MAX, &mut out);
            ("ask", demand)
        }
    };
    let silent = out.take_sends().len() == 0
        && out.take_handed_back().len() == 0
        && out.take_requested() == 0;
    if demand == 0 && silent {
        Ok(())
    } else {
        Err(format!(
            "the {call} of an unknown id returned {demand}, or moved events"
        ))
    }
}

fn second_subscription<D: Dispatcher>(
    stand: &mut Stand<'_, D>,
    suite: &Conformance<D>,
) -> Result<(), String> {
    for (subscriber, id) in stand.subscribers.iter() {
        if stand
            .dispatcher
            .subscribe(id, (suite.route)(subscriber))
            .is_ok()
        {
            return Err(format!("{id} could subscribe a second time"));
        }
    }
    Ok(())
}
