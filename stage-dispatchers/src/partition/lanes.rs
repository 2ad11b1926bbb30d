//! Moving events to their lanes.

use stage_core::Batch;

use super::plan::{Plan, Target};

/// Where events go, by a function over one. The functions here are called for a
/// batch and not for an event, so that the loop over the events is compiled
/// together with the user's function.
pub(super) trait Targets<E>: Send {
    /// Plans events one after the other. Should the function panic, the events
    /// before are planned.
    fn plan(&self, events: &[E], plan: &mut Plan);

    /// Moves events, whatever the room, each behind the others of its lane. Should
    /// the function panic, the event at which it did is the first of those left.
    fn sort(&self, events: &mut Batch<E>, lanes: &mut [Vec<E>], plan: &mut Plan);
}

impl<E, F: Fn(&E) -> Target + Send> Targets<E> for F {
    fn plan(&self, events: &[E], plan: &mut Plan) {
        plan.extend(events, self);
    }

    fn sort(&self, events: &mut Batch<E>, lanes: &mut [Vec<E>], plan: &mut Plan) {
        while let Some(lane) = fill(events, lanes, plan, self) {
            lanes[lane].extend(events.pop_front());
        }
    }
}

/// Moves events until one finds its lane's buffer full; returns that lane, and
/// leaves the event.
///
/// To make room is not for here: where a loop calls nothing, its state and what
/// it hashes with are all in registers.
#[inline(never)]
fn fill<E>(
    events: &mut Batch<E>,
    lanes: &mut [Vec<E>],
    plan: &mut Plan,
    target: impl Fn(&E) -> Target,
) -> Option<usize> {
    let mut events = events.drain();
    while let Some(event) = events.as_slice().first() {
        let to = match target(event) {
            Target::Partition(index) => index,
            Target::Nowhere => plan.nowhere(),
            Target::Astray(why) => plan.note_astray(why),
        };
        match lanes.get_mut(to) {
            Some(lane) if lane.len() < lane.capacity() => {
                if let Some(event) = events.next() {
                    lane.push(event);
                }
            }
            _ => return Some(to),
        }
    }
    None
}

/// Moves planned events, each behind the others of its lane.
pub(super) fn scatter<E>(events: &mut Batch<E>, plan: &Plan, lanes: &mut [Vec<E>]) {
    for (event, &lane) in events.drain().zip(plan.lanes()) {
        lanes[lane as usize].push(event);
    }
}
