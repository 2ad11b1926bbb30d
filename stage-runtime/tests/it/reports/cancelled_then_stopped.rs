//! Own: a subscription is cancelled, and its consumer is stopped, or fails, before it has
//! handled what had arrived. (What is left of a race in m02.)
//!
//! "What a consumer has not handled when it ends goes back to its producers, for their
//! other consumers or the next." The producer lives, and has another consumer.

use super::support::*;
use stage_runtime::prelude::*;

/// Takes one event after the other, and fails at one.
struct OneByOne {
    seen: Seen<u64>,
    fails: bool,
}

impl Consumer for OneByOne {
    type Event = u64;

    async fn handle_events(&mut self, events: &mut Batch<u64>, _: &mut Context<'_>) -> StageResult {
        while let Some(&event) = events.peek() {
            ms(20).await;
            if self.fails && event == 3 {
                return Err("three".into());
            }
            self.seen.lock().unwrap().push(event);
            events.advance(1);
        }
        Ok(())
    }
}

async fn run(fails: bool) {
    let pipeline = Pipeline::new();
    let numbers = count(20)
        .stage()
        .name("numbers")
        .in_group(&pipeline)
        .spawn();
    let seen = seen();
    let leaving = OneByOne {
        seen: seen.clone(),
        fails,
    }
    .stage()
    .name("leaving")
    .spawn();
    // Ten are asked for, and handled one at a time.
    let ten = numbers
        .subscription()
        .max_demand(10)
        .min_demand(9)
        .on_cancel(CancelMode::Temporary);
    let id = leaving.subscribe(ten).await.unwrap();
    ms(30).await;
    leaving.cancel(id, "somebody else is to do this");
    ms(30).await;
    if !fails {
        leaving.stop("at once");
    }
    leaving.outcome().await;
    let _stays = slow(&seen, 0)
        .stage()
        .name("stays")
        .subscribe_to(&numbers)
        .in_group(&pipeline)
        .spawn();
    within(3000, pipeline.join())
        .await
        .expect("it completes")
        .unwrap();
    let mut events = seen.lock().unwrap().clone();
    events.sort_unstable();
    assert!(
        events.iter().copied().eq(0..20),
        "{} of 20 were handled: {events:?}; `{}` discarded {}, `leaving` {}",
        events.len(),
        numbers.name(),
        numbers.stats().discarded,
        leaving.stats().discarded,
    );
}

#[test]
fn what_had_arrived_goes_back_when_the_consumer_is_stopped() {
    both(8, || run(false));
}

#[test]
fn what_had_arrived_goes_back_when_the_consumer_fails() {
    both(8, || run(true));
}

/// The end of the producer waits for what was sent, also over a link that was cancelled.
#[test]
fn a_producer_does_not_complete_before_what_it_sent_is_handled() {
    both(8, || async {
        let numbers = count(10).stage().name("numbers").spawn();
        let seen = seen();
        let leaving = OneByOne {
            seen: seen.clone(),
            fails: true,
        }
        .stage()
        .spawn();
        let ten = numbers
            .subscription()
            .max_demand(10)
            .min_demand(9)
            .on_cancel(CancelMode::Temporary);
        let id = leaving.subscribe(ten).await.unwrap();
        ms(30).await;
        leaving.cancel(id, "somebody else is to do this");
        ms(10).await;
        let other = slow(&seen, 0).stage().subscribe_to(&numbers).spawn();
        other.outcome().await;
        leaving.stop("done");
        leaving.outcome().await;
        let events = seen.lock().unwrap().len();
        assert_eq!(
            events,
            10,
            "`numbers` {}, and {events} of 10 were handled",
            numbers.outcome().await
        );
    });
}
