//! The rule that every event is exactly one of delivered, held, left over,
//! handed back, discarded, and rejected.

use std::collections::HashSet;

use stage_core::Dispatcher;

use super::copies::Copies;
use super::rule::{Broken, Rule, watch};
use super::stand::{Step, Subscribers};
use super::{Audience, Conformance, TestEvent, Wants};

pub(super) fn check<D: Dispatcher>(suite: &Conformance<D>, seed: u64) -> Result<(), Broken>
where
    D::Event: TestEvent,
{
    match &suite.audience {
        Audience::OneSubscriber => watch(suite, seed, ForOne::new()),
        Audience::EverySubscriber(wants) => watch(suite, seed, ForEvery { wants }),
        Audience::EachInItsOwnTime(wants) => watch(suite, seed, Copies::new(wants)),
    }
}

/// For a dispatcher that delivers each event to one subscriber.
struct ForOne<E> {
    inside: HashSet<E>,
    discarded: usize,
}

impl<E: TestEvent> ForOne<E> {
    fn new() -> Self {
        Self {
            inside: HashSet::new(),
            discarded: 0,
        }
    }

    fn out(&mut self, events: &[E], what: &str) -> Result<(), String> {
        for event in events {
            if !self.inside.remove(event) {
                return Err(format!("{event:?} was {what}, but was not inside"));
            }
        }
        Ok(())
    }
}

impl<E: TestEvent> Rule<E> for ForOne<E> {
    fn after(&mut self, step: &Step<E>, _seats: &Subscribers) -> Result<(), String> {
        self.inside.extend(step.dispatched.iter().cloned());
        for (_, events) in &step.delivered {
            self.out(events, "delivered")?;
        }
        self.out(&step.left_over, "left over")?;
        self.out(&step.handed_back, "handed back")?;
        self.out(&step.rejected, "rejected")?;
        self.discarded += step.discarded;
        // A dispatcher reports the number of discarded events, not the events.
        let held = self.inside.len().checked_sub(self.discarded);
        if held == Some(step.held) {
            return Ok(());
        }
        Err(format!(
            "{} events went in and did not come out; it has discarded {} of them and holds {}",
            self.inside.len(),
            self.discarded,
            step.held
        ))
    }
}

/// For a dispatcher that delivers each event, unless it is left over, to every
/// subscriber that wants it.
struct ForEvery<'a, E> {
    wants: &'a Wants<E>,
}

impl<E: TestEvent> Rule<E> for ForEvery<'_, E> {
    fn after(&mut self, step: &Step<E>, subscribers: &Subscribers) -> Result<(), String> {
        let left: HashSet<&E> = step.left_over.iter().collect();
        let gone = step.dispatched.iter().filter(|event| !left.contains(event));
        for (subscriber, id) in subscribers.iter() {
            let expected: Vec<&E> = gone
                .clone()
                .filter(|event| (self.wants)(subscriber, event))
                .collect();
            let delivered: Vec<&E> = step
                .delivered
                .iter()
                .filter(|(to, _)| *to == id)
                .flat_map(|(_, events)| events)
                .collect();
            if expected != delivered {
                return Err(format!("{id} should get {expected:?}, got {delivered:?}"));
            }
        }
        Ok(())
    }
}
