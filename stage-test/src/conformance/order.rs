//! The rule that delivered and left-over events keep the order of dispatch.

use std::collections::HashMap;

use stage_core::{Dispatcher, SubscriptionId};

use super::rule::{Broken, Rule, watch};
use super::stand::{Step, Subscribers};
use super::{Conformance, TestEvent};

pub(super) fn check<D: Dispatcher>(suite: &Conformance<D>, seed: u64) -> Result<(), Broken>
where
    D::Event: TestEvent,
{
    let rule: Order<D::Event> = Order {
        places: HashMap::new(),
        last: HashMap::new(),
    };
    watch(suite, seed, rule)
}

struct Order<E> {
    /// The place of each event in the order of dispatch.
    places: HashMap<E, usize>,
    /// The place of the last event that a subscription got.
    last: HashMap<SubscriptionId, usize>,
}

impl<E: TestEvent> Rule<E> for Order<E> {
    fn after(&mut self, step: &Step<E>, _seats: &Subscribers) -> Result<(), String> {
        for event in &step.dispatched {
            self.places.insert(event.clone(), self.places.len());
        }
        for (id, events) in &step.delivered {
            for event in events {
                let place = self.places.get(event).copied();
                if place <= self.last.get(id).copied() {
                    return Err(format!("{event:?} reached {id} out of order"));
                }
                self.last.extend(place.map(|place| (*id, place)));
            }
        }
        if step
            .left_over
            .is_sorted_by_key(|event| self.places.get(event))
        {
            Ok(())
        } else {
            Err(format!("left over out of order: {:?}", step.left_over))
        }
    }
}
