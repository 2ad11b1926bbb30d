//! `from_live_stream`: a stream that is polled whatever the demand.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context as Task, Poll};
use std::time::Duration;

use futures::channel::mpsc;
use futures::stream::{self, Stream, StreamExt};
use stage_core::Bound;
use stage_runtime::operators::{OptionError, from_live_stream, from_stream};
use stage_runtime::prelude::*;
use stage_runtime::queue::WhenFull;
use stage_runtime::{ShedReason, SpawnError};
use stage_test::assert_settled;
use stage_test::probe::ConsumerProbe;

use super::sheds;
use crate::common::{cancelled, soon};
use crate::operators::{collect, collect_from, ms};

/// A socket: it answers a ping each 10 ms, but only when it is polled; and now and then
/// it has a message.
struct Socket {
    ping: tokio::time::Interval,
    answered: Arc<AtomicUsize>,
    messages: mpsc::UnboundedReceiver<u64>,
}

impl Stream for Socket {
    type Item = u64;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<Option<u64>> {
        while self.ping.poll_tick(cx).is_ready() {
            self.answered.fetch_add(1, SeqCst);
        }
        self.messages.poll_next_unpin(cx)
    }
}

fn socket() -> (Socket, Arc<AtomicUsize>, mpsc::UnboundedSender<u64>) {
    let answered = Arc::<AtomicUsize>::default();
    let (sender, messages) = mpsc::unbounded();
    let socket = Socket {
        ping: tokio::time::interval(ms(10)),
        answered: Arc::clone(&answered),
        messages,
    };
    (socket, answered, sender)
}

/// Reference: snapview/tokio-tungstenite issue 88, "are pings handled in async mode?";
/// paritytech/substrate issue 3190, "Telemetry websocket connection does not respond to
/// PING": they are answered only while the stream is polled.
///
/// Nobody asks, and the pings are answered nevertheless. With `from_stream` they are not.
#[tokio::test(start_paused = true)]
async fn pings_are_answered_while_nobody_asks() {
    let (quiet, unanswered, _messages) = socket();
    let _quiet = from_stream(quiet).stage().spawn();
    let (socket, answered, messages) = socket();
    let live = from_live_stream(socket, Bound::Events(2), WhenFull::DropOldest);
    let live = live.stage().spawn();
    let asks_nothing = ConsumerProbe::<u64>::manual().0;
    let _consumer = asks_nothing.stage().subscribe_to(&live).spawn();
    for n in 0..100 {
        messages.unbounded_send(n).unwrap();
        tokio::time::sleep(ms(10)).await;
    }
    assert!(answered.load(SeqCst) >= 100, "{answered:?}");
    assert_eq!(unanswered.load(SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_is_shed() {
    for (policy, kept) in [
        (WhenFull::DropOldest, 97..100),
        (WhenFull::DropNewest, 0..3),
    ] {
        let (shed, hook) = sheds();
        let live = from_live_stream(stream::iter(0..100_u64), Bound::Events(3), policy);
        let live = live.shed(hook).stage().spawn();
        tokio::time::sleep(ms(1)).await;
        let all = collect().stage().subscribe_to(&live).spawn();
        assert_eq!(soon(all.output()).await.unwrap(), Vec::from_iter(kept));
        soon(live.join()).await.unwrap();
        let sheds = shed.lock().unwrap();
        assert_eq!(sheds.len(), 97);
        assert!(sheds.iter().all(|(reason, _)| *reason == ShedReason::Full));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stage_whose_queue_is_full_is_detached() {
    let live = from_live_stream(stream::iter(0..100_u64), Bound::Events(3), WhenFull::Detach);
    let live = live.stage().spawn();
    let why = cancelled(soon(live.join()).await);
    assert!(why.contains("was full"), "{why}");
}

/// It stops to poll, and goes on when there is room; nothing is lost.
#[tokio::test(start_paused = true)]
async fn with_wait_it_reads_no_more_than_its_bound() {
    let read = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&read);
    let numbers = stream::iter(0..5_000_u64).inspect(move |_| {
        count.fetch_add(1, SeqCst);
    });
    let pipeline = Pipeline::new();
    let live = from_live_stream(numbers, Bound::Events(10), WhenFull::Wait);
    let live = live.stage().in_group(&pipeline).spawn();
    tokio::time::sleep(ms(1)).await;
    assert_eq!(read.load(SeqCst), 10);
    let all = collect_from(live.subscription().max_demand(7), &pipeline);
    assert_eq!(soon(all.output()).await.unwrap(), Vec::from_iter(0..5_000));
    assert_settled(&pipeline);
}

/// A stream that is always ready does not keep its stage from anything.
#[tokio::test(start_paused = true)]
async fn a_stream_without_a_pause_lets_its_stage_stop() {
    let live = from_live_stream(
        stream::repeat(7_u64),
        Bound::Events(3),
        WhenFull::DropOldest,
    );
    let live = live.stage().spawn();
    let all = collect().stage().subscribe_to(&live).spawn();
    while all.stats().events_in < 1_000 {
        tokio::task::yield_now().await;
    }
    live.stop("enough");
    assert_eq!(cancelled(soon(live.join()).await), "enough");
}

#[tokio::test(start_paused = true)]
async fn it_completes_without_demand_when_the_stream_ends() {
    let live = from_live_stream(stream::empty::<u64>(), Bound::Events(3), WhenFull::Wait);
    soon(live.stage().spawn().join()).await.unwrap();
}

/// A drain drops the stream and emits what was read.
#[tokio::test(start_paused = true)]
async fn a_drain_emits_what_was_read() {
    let pipeline = Pipeline::new();
    let endless = stream::iter(0..5_u64).chain(stream::once(pending()));
    let live = from_live_stream(endless, Bound::Events(16), WhenFull::Wait);
    let live = live.stage().in_group(&pipeline).spawn();
    tokio::time::sleep(ms(1)).await;
    let all = collect_from(live.subscription().max_demand(2), &pipeline);
    soon(pipeline.drain(Duration::from_secs(5))).await.unwrap();
    assert_eq!(soon(all.output()).await.unwrap(), [0, 1, 2, 3, 4]);
    assert_settled(&pipeline);
}

#[tokio::test(start_paused = true)]
async fn a_bound_of_zero_names_the_operator() {
    let none = from_live_stream(stream::empty::<u64>(), Bound::Events(0), WhenFull::Wait);
    let Err(SpawnError::Invalid { error, .. }) = none.stage().try_spawn() else {
        panic!("a queue of nothing");
    };
    let error = error.downcast_ref::<OptionError>().unwrap();
    assert_eq!(error.operator, "from_live_stream");
}
