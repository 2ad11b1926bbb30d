//! The rule of conservation for a dispatcher with a queue for each subscriber: it
//! counts copies.

use std::collections::{BTreeMap, VecDeque};

use stage_core::SubscriptionId;

use super::rule::Rule;
use super::stand::{Step, Subscribers};
use super::{TestEvent, Wants};

/// For a dispatcher that delivers each event, unless it is left over, to every
/// subscriber that wants it, in the subscriber's own time, or discards it.
pub(super) struct Copies<'a, E> {
    wants: &'a Wants<E>,
    /// The copies that each subscriber may still get, in order.
    inside: BTreeMap<SubscriptionId, VecDeque<E>>,
    /// Copies that cannot be delivered any more: the subscriber got a later event,
    /// or has left, or there was nobody.
    gone: usize,
    discarded: usize,
}

impl<'a, E: TestEvent> Copies<'a, E> {
    pub(super) const fn new(wants: &'a Wants<E>) -> Self {
        Self {
            wants,
            inside: BTreeMap::new(),
            gone: 0,
            discarded: 0,
        }
    }

    fn dispatched(&mut self, step: &Step<E>, subscribers: &Subscribers) {
        let taken = step.dispatched.iter();
        let taken = taken.filter(|event| !step.left_over.contains(event));
        for event in taken {
            let mut nobody = true;
            for (subscriber, id) in subscribers.iter_before(step) {
                nobody = false;
                if (self.wants)(subscriber, event) {
                    self.inside.entry(id).or_default().push_back(event.clone());
                }
            }
            self.gone += usize::from(nobody);
        }
    }

    fn delivered(&mut self, id: SubscriptionId, event: &E) -> Result<(), String> {
        let inside = self.inside.entry(id).or_default();
        let Some(at) = inside.iter().position(|copy| copy == event) else {
            return Err(format!(
                "{event:?} reached {id}, which does not want it, has had it, or has had a later one"
            ));
        };
        inside.drain(..=at);
        self.gone += at;
        Ok(())
    }
}

impl<E: TestEvent> Rule<E> for Copies<'_, E> {
    fn after(&mut self, step: &Step<E>, subscribers: &Subscribers) -> Result<(), String> {
        self.dispatched(step, subscribers);
        for (id, events) in &step.delivered {
            for event in events {
                self.delivered(*id, event)?;
            }
        }
        if let Some(event) = step.handed_back.first() {
            return Err(format!(
                "{event:?} was handed back, and would go to every subscriber again"
            ));
        }
        for id in step.left() {
            let inside = self.inside.remove(&id).unwrap_or_default();
            self.gone += inside.len();
        }
        self.discarded += step.discarded + step.rejected.len();
        let inside = self.inside.values().map(VecDeque::len).sum::<usize>() + self.gone;
        if inside.checked_sub(self.discarded) == Some(step.held) {
            return Ok(());
        }
        Err(format!(
            "{inside} copies of events were not delivered; it has discarded or rejected {} of \
             them and holds {}",
            self.discarded, step.held
        ))
    }
}
