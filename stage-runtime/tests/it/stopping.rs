//! A stage ends itself as cancelled, from any of its handlers.

use crate::common::{cancelled, soon};
use stage_runtime::operators::{fold, from_iter};
use stage_runtime::prelude::*;
use stage_test::assert_settled;
use stage_test::probe::{ConsumerProbe, ProducerProbe, act};

/// The trial's F9: a source that had buffered events could end only by a
/// failure or through a handle that it does not have.
#[tokio::test(start_paused = true)]
async fn a_source_ends_itself_with_a_reason() {
    let pipeline = Pipeline::new();
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().in_group(&pipeline).spawn();
    let (probe, mut below) = ConsumerProbe::<u64>::new();
    let two = source.subscription().max_demand(2);
    let sink = probe.stage().subscribe_to(two).in_group(&pipeline).spawn();
    above.demand().await;
    let stop = act(|out: &mut Emitter<'_, u64>| {
        out.extend(0..5);
        out.stop("the subscriber is too slow");
        Ok(())
    });
    soon(source.call(stop)).await.unwrap();
    assert_eq!(below.gather(2).await, [0, 1]);
    assert_eq!(
        cancelled(soon(sink.join()).await),
        "the subscriber is too slow"
    );
    assert_eq!(source.stats().discarded, 3);
    assert_settled(&pipeline);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_ends_itself_hands_the_rest_back() {
    struct Three(u64);
    impl Consumer for Three {
        type Event = u64;
        async fn handle_events(
            &mut self,
            events: &mut Batch<u64>,
            cx: &mut Context<'_>,
        ) -> StageResult {
            self.0 += events.len() as u64;
            if self.0 >= 3 {
                cx.stop("enough");
            }
            Ok(())
        }
    }
    let source = from_iter(0..10u64).stage().spawn();
    let one_by_one = source.subscription().max_demand(5).min_demand(4);
    let three = Three(0).stage().subscribe_to(one_by_one).spawn();
    assert_eq!(soon(three.outcome()).await.to_string(), "cancelled: enough");
    assert_eq!(three.stats().events_in, 3);
    // Events of the call that stopped it count as handled.
    assert_eq!(three.stats().lost, 0);
    let rest = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(&source);
    assert_eq!(soon(rest.spawn().output()).await.unwrap(), 42);
}

/// It is not a failure: a supervised stage is not restarted, and its pipeline
/// goes on.
#[tokio::test(start_paused = true)]
async fn a_stage_that_stops_itself_is_not_restarted() {
    struct Stops;
    impl Producer for Stops {
        type Event = u64;
        async fn handle_start(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
            out.stop("nothing to do");
            Ok(())
        }
        async fn handle_demand(&mut self, _: usize, _: &mut Emitter<'_, u64>) -> StageResult {
            panic!("asked after it has stopped itself")
        }
    }
    let source = supervised(|| Stops)
        .restart(Restart::always())
        .stage()
        .spawn();
    let outcome = soon(source.outcome()).await;
    assert_eq!(outcome.to_string(), "cancelled: nothing to do");
    assert_eq!(source.stats().restarts, 0);
}
