//! Events that a consumer was sent and did not handle are offered to their
//! producer before they are buffered.

use std::time::Duration;

use crate::common::acked::{Message, Queue};
use crate::common::{failure, pending, soon};
use stage_runtime::ProducerHandle;
use stage_runtime::prelude::*;
use stage_test::assert_settled;
use stage_test::probe::{ConsumerProbe, ProducerProbe, emit};

/// Acknowledges its messages until it fails at one.
struct FailsAt(u64);

impl Consumer for FailsAt {
    type Event = Message;

    async fn handle_events(
        &mut self,
        events: &mut Batch<Message>,
        _: &mut Context<'_>,
    ) -> StageResult {
        for message in events {
            if message.number == self.0 {
                return Err("went wrong".into());
            }
            message.ack();
        }
        Ok(())
    }
}

/// Before there was `handle_returned`, 15 of 40 leased messages stayed in the source's buffer and
/// were delivered again when their leases had run out.
#[tokio::test(start_paused = true)]
async fn a_source_may_take_back_what_a_consumer_has_not_handled() {
    let pipeline = Pipeline::new();
    let queue = Queue::with(0..10);
    let mut source = queue.source();
    source.takes_back = true;
    let source = source.stage().in_group(&pipeline).spawn();
    let bad = FailsAt(3).stage().subscribe_to(&source).spawn();
    failure(soon(bad.join()).await);
    // All are settled, so the source completes: it is not held up by a buffer
    // that nobody reads.
    soon(source.join()).await.unwrap();
    assert_eq!(queue.acked(), [0, 1, 2]);
    assert_eq!(queue.returned(), [3, 4, 5, 6, 7, 8, 9]);
    let stats = &pipeline.snapshot().stages[0].stats;
    assert_eq!((stats.handed_back, stats.taken_back), (6, 6));
    assert_eq!((stats.buffered, stats.discarded), (0, 0));
    assert_settled(&pipeline);
}

#[tokio::test(start_paused = true)]
async fn what_it_leaves_goes_to_the_others_in_order() {
    let queue = Queue::with(0..20);
    let source = queue.source();
    let log = std::sync::Arc::clone(&source.log);
    let source = source.stage().spawn();
    let five = || source.subscription().max_demand(5).min_demand(4);
    let bad = FailsAt(1).stage().subscribe_to(five()).spawn();
    failure(soon(bad.join()).await);
    let sink = FailsAt(u64::MAX).stage().subscribe_to(five()).spawn();
    soon(sink.join()).await.unwrap();
    soon(source.join()).await.unwrap();
    let rest = (2..20).collect::<Vec<_>>();
    assert_eq!((queue.acked()[0], &queue.acked()[1..]), (0, &rest[..]));
    assert_eq!(queue.returned(), [1]);
    assert!(log.lock().contains(&"returned"));
}

/// Takes every other event that comes back, emits one, and then fails.
struct Picky {
    next: u64,
    fails: bool,
}

impl Producer for Picky {
    type Event = u64;

    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, u64>) -> StageResult {
        for n in self.next..self.next + demand as u64 {
            out.push(n);
        }
        self.next += demand as u64;
        Ok(())
    }

    async fn handle_returned(
        &mut self,
        returned: &mut Batch<u64>,
        out: &mut Emitter<'_, u64>,
    ) -> StageResult {
        returned.pop_front();
        out.push(1_000);
        if self.fails {
            return Err("went wrong with what came back".into());
        }
        Ok(())
    }
}

/// What it leaves stands before what it emits, and both before what is younger.
#[tokio::test(start_paused = true)]
async fn what_is_left_comes_before_what_the_handler_emits() {
    for fails in [false, true] {
        let make = move || Picky { next: 0, fails };
        let source = supervised(make).stage().spawn();
        let (probe, mut first) = ConsumerProbe::<u64>::manual();
        let one = probe.stage().subscribe_to(&source).spawn();
        let id = first.producer_joined().await.subscription;
        one.ask(id, 4);
        assert_eq!(first.gather(4).await, [0, 1, 2, 3]);
        // Held up while more is on the link.
        let slow = Slow.stage();
        let three = source.subscription().max_demand(3).min_demand(2);
        let slow = slow.subscribe_to(three).spawn();
        tokio::time::sleep(Duration::from_millis(5)).await;
        slow.abort();
        soon(slow.outcome()).await;
        pending(source.outcome()).await;
        assert_eq!(source.stats().taken_back, 1);
        assert_eq!(source.stats().restarts, u64::from(fails));
        one.ask(id, 3);
        // 4, 5 and 6 were sent to the slow one; it had 4 in hand.
        let again = first.gather(3).await;
        assert_eq!(&again[1..], [6, 1_000], "{again:?}");
    }
}

/// The same where somebody waits for them.
#[tokio::test(start_paused = true)]
async fn what_is_left_is_sent_before_what_the_handler_emits() {
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let numbers = probe.stage().spawn();
    let source = Repeats.stage().subscribe_to(&numbers).spawn();
    let slow = Slow.stage().subscribe_to(&source).spawn();
    above.demand().await;
    soon(numbers.call(emit(0..4))).await.unwrap();
    pending(source.outcome()).await;
    let (probe, mut below) = ConsumerProbe::<u64>::new();
    let _sink = probe.stage().subscribe_to(&source).spawn();
    pending(source.outcome()).await;
    // It had 0 in hand, or all of them.
    slow.stop("enough");
    slow.abort();
    soon(slow.outcome()).await;
    assert_eq!(below.gather(5).await, [0, 1, 2, 3, 1_000]);
}

/// Passes events on, and says where some came back.
struct Repeats;

impl ProducerConsumer for Repeats {
    type In = u64;
    type Out = u64;

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        out: &mut Emitter<'_, u64>,
    ) -> StageResult {
        out.extend(events);
        Ok(())
    }

    async fn handle_returned(
        &mut self,
        _: &mut Batch<u64>,
        out: &mut Emitter<'_, u64>,
    ) -> StageResult {
        out.push(1_000);
        Ok(())
    }
}

/// Never returns.
struct Slow;

impl Consumer for Slow {
    type Event = u64;

    async fn handle_events(&mut self, _: &mut Batch<u64>, _: &mut Context<'_>) -> StageResult {
        std::future::pending().await
    }
}

/// A broadcast has delivered them to others too, so nothing comes back.
#[tokio::test(start_paused = true)]
async fn a_broadcast_returns_nothing() {
    let queue = Picky {
        next: 0,
        fails: true,
    };
    let source = queue.stage().dispatcher(Broadcast::new()).spawn();
    let slow = Slow.stage().subscribe_to(&source).spawn();
    tokio::time::sleep(Duration::from_millis(5)).await;
    slow.abort();
    soon(slow.outcome()).await;
    pending(source.outcome()).await;
    assert_eq!(source.stats().taken_back, 0);
}

/// Keeps the first event that comes back, and then does as it is told.
struct Takes {
    waits: bool,
}

impl Producer for Takes {
    type Event = u64;

    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, u64>) -> StageResult {
        out.extend(0..demand as u64);
        Ok(())
    }

    async fn handle_returned(
        &mut self,
        returned: &mut Batch<u64>,
        _: &mut Emitter<'_, u64>,
    ) -> StageResult {
        if self.waits {
            returned.pop_front();
            return std::future::pending().await;
        }
        // More than there was.
        *returned = (0..100).collect();
        Ok(())
    }
}

async fn gets_three_back(waits: bool) -> (Pipeline, ProducerHandle<Takes>) {
    let pipeline = Pipeline::new();
    let source = Takes { waits }.stage().in_group(&pipeline).spawn();
    let three = source.subscription().max_demand(3).min_demand(0);
    let slow = Slow.stage().subscribe_to(three).in_group(&pipeline).spawn();
    tokio::time::sleep(Duration::from_millis(5)).await;
    slow.abort();
    soon(slow.outcome()).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    (pipeline, source)
}

/// The events belong to the stage and not to the handler's future.
#[tokio::test(start_paused = true)]
async fn a_handler_that_is_dropped_loses_no_event_uncounted() {
    let (pipeline, source) = gets_three_back(true).await;
    source.abort();
    soon(source.outcome()).await;
    let stats = source.stats();
    assert_eq!((stats.handed_back, stats.taken_back), (3, 1));
    assert_eq!(stats.discarded, 2);
    assert_settled(&pipeline);
}

/// As of a batch that is handled: the excess was never emitted.
#[tokio::test(start_paused = true)]
async fn a_handler_that_leaves_more_than_came_back_adds_nothing() {
    let (pipeline, source) = gets_three_back(false).await;
    let stats = source.stats();
    assert_eq!((stats.taken_back, stats.buffered), (0, 3));
    source.stop("enough");
    soon(source.outcome()).await;
    assert_settled(&pipeline);
}
