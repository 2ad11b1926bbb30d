//! Events at a limited rate.

use std::marker::PhantomData;
use std::time::Duration;

use stage_core::{Batch, DemandMode, Emitter, Info, Outcome, Peer, ProducerConsumer, StageResult};

use super::allowance::Allowance;
use crate::operators::OptionError;
use crate::operators::debug::debug_as_name;

/// Passes events on at a limited rate; made by [`throttle`].
pub struct Throttle<E> {
    events: usize,
    period: Duration,
    allowance: Allowance,
    passing: PhantomData<fn(E) -> E>,
}

/// Infos to itself: these events are sent, or were sent a period ago.
enum Passed {
    Now(usize),
    Before(usize),
}

/// A producer-consumer that passes every event on, at most `events` in any span of
/// `period`, wherever the span begins.
///
/// It asks its producers for as many events as the rate allows, when it allows them:
/// nothing is buffered or dropped, and a fast producer waits. `events` of them may
/// pass at once; for an even flow, allow 1 event in a shorter period. A period counts
/// from the moment an event is sent to a consumer, to the millisecond of tokio's timer.
///
/// Within the rate it asks as its demand limits say. Several producers share the rate
/// equally; a producer with nothing to send keeps its share. To give the whole rate to
/// the producers that have events, put an [`inspect`](super::inspect) in front that
/// subscribes to all of them. A new state of a [supervised](crate::supervised) stage
/// begins with the whole allowance.
///
/// # Errors
///
/// 0 `events` or a `period` of zero fails the stage with an [`OptionError`].
///
/// ```
/// use stage_runtime::operators::{fold, from_iter, throttle};
/// use stage_runtime::prelude::*;
/// use std::time::{Duration, Instant};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let begin = Instant::now();
/// let numbers = from_iter(0..30).stage().spawn();
/// let slowed = throttle(10, Duration::from_millis(20)).stage().subscribe_to(&numbers).spawn();
/// let sum = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(&slowed).spawn();
/// assert_eq!(sum.output().await?, 435);
/// assert!(begin.elapsed() >= Duration::from_millis(40)); // 10 at once, and 10 after each period.
/// # Ok(())
/// # }
/// ```
///
/// Source: the rate limiter of GenStage's documentation, and `throttle` of Akka
/// streams. `tokio_stream::StreamExt::throttle` is this with 1 event in a period.
#[must_use]
pub fn throttle<E: Send + 'static>(events: usize, period: Duration) -> Throttle<E> {
    Throttle {
        events,
        period,
        allowance: Allowance::new(events),
        passing: PhantomData,
    }
}

impl<E: Send + 'static> ProducerConsumer for Throttle<E> {
    type In = E;
    type Out = E;

    async fn handle_events(
        &mut self,
        events: &mut Batch<E>,
        out: &mut Emitter<'_, E>,
    ) -> StageResult {
        let count = events.len();
        events.move_into(out.as_mut_vec());
        // An info waits until the events before it have left the buffer.
        out.info_after(Duration::ZERO, Passed::Now(count));
        self.allowance.handled(count, out.context());
        Ok(())
    }

    async fn handle_producer_subscribe(
        &mut self,
        producer: &Peer,
        out: &mut Emitter<'_, E>,
    ) -> StageResult<DemandMode> {
        Ok(self.allowance.subscribed(producer, out.context()))
    }

    async fn handle_producer_cancel(
        &mut self,
        producer: &Peer,
        _outcome: &Outcome,
        out: &mut Emitter<'_, E>,
    ) -> StageResult {
        self.allowance.ended(producer, out.context());
        Ok(())
    }

    async fn handle_info(&mut self, info: Info, out: &mut Emitter<'_, E>) -> StageResult {
        match info.downcast() {
            Ok(Passed::Now(count)) => out.info_after(self.period, Passed::Before(count)),
            Ok(Passed::Before(count)) => self.allowance.allow(count, out.context()),
            Err(_ask) => self.allowance.ask(out.context()),
        }
        Ok(())
    }

    fn validate(&self) -> StageResult {
        let fix = "set it to the number of events that may pass in a period";
        OptionError::check_not_zero("throttle", "events", self.events, fix)?;
        if self.period.is_zero() {
            return Err(OptionError {
                operator: "throttle",
                option: "period",
                value: "0 s".to_owned(),
                range: "above 0 s",
                fix: "set it to the time in which `events` may pass, or leave `throttle` out",
            }
            .into());
        }
        Ok(())
    }
}

debug_as_name!(Throttle<E>);
