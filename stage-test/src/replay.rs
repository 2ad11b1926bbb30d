//! [`replay`]: replays a recorded script against a dispatcher.

use std::num::NonZeroUsize;

use stage_core::{Batch, Deliveries, Dispatcher, SubscriptionId};

use crate::traces::{Delivered, DispatcherStep, DispatcherTrace, Recorded};

/// Drives `dispatcher` with the script of `recorded` and compares every answer
/// with the recorded one.
///
/// `route` converts a consumer's recorded options into the dispatcher's route.
/// Events left over or handed back are dropped, as when the trace was recorded.
///
/// # Panics
///
/// If an answer differs. The message names file, line and step.
pub fn replay<D, O, R>(
    dispatcher: &mut D,
    recorded: &Recorded<DispatcherTrace<O, R>>,
    route: impl Fn(&R) -> D::Route,
) where
    D: Dispatcher<Event = u64>,
{
    let mut out = Deliveries::new();
    let mut steps = recorded.trace.steps.iter().enumerate().peekable();
    while let Some((index, step)) = steps.next() {
        let at = recorded.at(index);
        match step {
            DispatcherStep::Subscribe {
                consumer,
                options,
                demand,
            } => {
                let answer = dispatcher.subscribe(id(*consumer), route(options));
                assert_eq!(answer, Ok(*demand), "{at}: demand of the subscription");
            }
            DispatcherStep::Cancel { consumer, demand } => {
                let id = id(*consumer);
                let cancelled = dispatcher.cancel(id, &mut out);
                let answer = cancelled + dispatcher.take_back(id, Vec::new(), &mut out);
                assert_eq!(answer, *demand, "{at}: demand of the cancellation");
                out.take_handed_back();
            }
            DispatcherStep::Ask {
                consumer,
                count,
                demand,
                delivered,
            } => {
                let count = NonZeroUsize::new(*count).expect("a trace asks for at least 1");
                let answer = dispatcher.ask(id(*consumer), count, &mut out);
                assert_eq!(answer, *demand, "{at}: demand of the ask");
                assert_eq!(take_delivered(&mut out), *delivered, "{at}: deliveries");
            }
            DispatcherStep::Replenish { .. } => {
                panic!("{at}: a replenish that does not follow a dispatch")
            }
            DispatcherStep::Dispatch {
                events,
                leftover,
                delivered,
            } => {
                let left = dispatcher.dispatch(Batch::from(events.clone()), &mut out);
                assert_eq!(left[..], leftover[..], "{at}: left over");
                assert_eq!(take_delivered(&mut out), *delivered, "{at}: deliveries");

                let mut replenished = 0;
                while let Some((_, DispatcherStep::Replenish { demand })) =
                    steps.next_if(|(_, step)| matches!(step, DispatcherStep::Replenish { .. }))
                {
                    replenished += demand;
                }
                // GenStage does not ask again for events that a hash dropped;
                // this crate does.
                let mended = out.take_discarded();
                let requested = out.take_requested();
                assert!(
                    (replenished..=replenished + mended).contains(&requested),
                    "{at}: requested {requested}, GenStage {replenished}, {mended} were dropped"
                );
            }
        }
    }
}

const fn id(consumer: u64) -> SubscriptionId {
    SubscriptionId::new(consumer)
}

fn take_delivered(out: &mut Deliveries<u64>) -> Delivered {
    let mut delivered = Delivered::new();
    for (to, batch) in out.take_sends() {
        delivered.entry(to.get()).or_default().extend(batch);
    }
    delivered
}
