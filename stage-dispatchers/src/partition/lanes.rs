//! Moves events to their lanes.

use stage_core::Batch;

use super::plan::{Plan, Target};

/// The targets of events, computed by a function of one event. The methods take
/// a batch rather than an event, so that their loop is compiled together with
/// the user's function.
pub(super) trait Targets<E>: Send {
    /// Plans events one after another. If the function panics, the events
    /// before are planned.
    fn plan(&self, events: &[E], plan: &mut Plan);

    /// Moves each event behind the others of its lane, without regard to room.
    /// If the function panics at an event, that event is the first one left.
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

/// Moves events to their lanes. Stops at an event whose lane has no spare
/// capacity, leaves it in the batch, and returns the lane.
///
/// The caller grows the lane: a loop without calls keeps its state and the hash
/// state in registers.
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

/// Moves each planned event behind the others of its lane.
pub(super) fn scatter<E>(events: &mut Batch<E>, plan: &Plan, lanes: &mut [Vec<E>]) {
    for (event, &lane) in events.drain().zip(plan.lanes()) {
        lanes[lane as usize].push(event);
    }
}
