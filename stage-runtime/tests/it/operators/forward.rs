//! `forward`: a consumer that writes into any sink.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll};

use futures::channel::mpsc;
use futures::{Sink, StreamExt};
use stage_core::Bound;
use stage_runtime::operators::{forward, from_iter};
use stage_runtime::prelude::*;
use stage_runtime::queue;
use stage_test::assert_settled;
use stage_test::probe::ProducerProbe;

use super::{at_once, collect, ms};
use crate::common::{failure, soon};

/// What was done with a sink.
#[derive(Debug, Default)]
struct Done {
    sent: Vec<u64>,
    flushed: usize,
    closed: bool,
}

/// A sink that fails where it is told to, once.
#[derive(Clone, Default)]
struct Shaky {
    done: Arc<Mutex<Done>>,
    fails: Arc<Mutex<Option<At>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Ready(usize),
    Send(u64),
    Flush,
    Close,
}

impl Shaky {
    fn new(at: impl Into<Option<At>>) -> Self {
        Self {
            done: Arc::default(),
            fails: Arc::new(Mutex::new(at.into())),
        }
    }

    fn step(&self, at: At) -> Result<(), String> {
        let failing = self.fails.lock().unwrap().take_if(|fails| *fails == at);
        failing.map_or(Ok(()), |_| Err("broken pipe".to_owned()))
    }
}

impl Sink<u64> for Shaky {
    type Error = String;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<Result<(), String>> {
        let sent = self.done.lock().unwrap().sent.len();
        Poll::Ready(self.step(At::Ready(sent)))
    }

    fn start_send(self: Pin<&mut Self>, n: u64) -> Result<(), String> {
        self.step(At::Send(n))?;
        self.done.lock().unwrap().sent.push(n);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<Result<(), String>> {
        self.step(At::Flush)?;
        let done = &mut *self.done.lock().unwrap();
        done.flushed = done.sent.len();
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Task<'_>) -> Poll<Result<(), String>> {
        self.step(At::Close)?;
        self.done.lock().unwrap().closed = true;
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn all_is_sent_flushed_and_closed() {
    let pipeline = Pipeline::new();
    let sink = Shaky::default();
    let done = Arc::clone(&sink.done);
    let numbers = from_iter(0..2_000_u64).stage().in_group(&pipeline).spawn();
    let sent = forward(sink)
        .stage()
        .subscribe_to(&numbers)
        .in_group(&pipeline)
        .spawn();
    soon(sent.join()).await.unwrap();
    let done = done.lock().unwrap();
    assert!(done.sent.iter().copied().eq(0..2_000));
    assert!(done.flushed == 2_000 && done.closed);
    assert_settled(&pipeline);
}

/// Reference: vectordotdev/vector pull requests 5069 and 5082: a sink is to be flushed
/// when there is nothing more to send now, not only at the end.
#[tokio::test(start_paused = true)]
async fn what_was_sent_is_flushed_while_the_source_is_silent() {
    let sink = Shaky::default();
    let done = Arc::clone(&sink.done);
    let (probe, _calls) = ProducerProbe::silent();
    let source = probe.stage().spawn();
    let sent = forward(sink).stage().subscribe_to(&source).spawn();
    soon(source.call(stage_test::probe::emit(0..3)))
        .await
        .unwrap();
    tokio::time::sleep(ms(1)).await;
    assert_eq!(done.lock().unwrap().flushed, 3);
    sent.stop("enough");
    soon(sent.outcome()).await;
    assert!(
        !done.lock().unwrap().closed,
        "only a completed stage closes it"
    );
}

/// What becomes of ten events, in batches of at most five, if the sink fails there.
async fn failing(at: At, retain: bool) -> (Vec<u64>, u64) {
    let pipeline = Pipeline::new();
    let sink = Shaky::new(at);
    let done = Arc::clone(&sink.done);
    let numbers = from_iter(0..10_u64).stage().in_group(&pipeline).spawn();
    let sent = supervised(move || forward(sink.clone()))
        .restart(at_once())
        .stage();
    let sent = if retain { sent.retain_taken() } else { sent };
    let sent = sent
        .subscribe_to(numbers.subscription().max_demand(10))
        .in_group(&pipeline)
        .spawn();
    let stats = sent.stage_ref();
    soon(sent.join()).await.unwrap();
    assert_settled(&pipeline);
    let done = done.lock().unwrap();
    assert!(done.closed || at == At::Close);
    (done.sent.clone(), stats.stats().lost)
}

#[tokio::test(start_paused = true)]
async fn an_event_that_was_not_accepted_is_lost_or_tried_again() {
    let without_7 = vec![0, 1, 2, 3, 4, 5, 6, 8, 9];
    assert_eq!(failing(At::Send(7), false).await, (without_7, 1));
    assert_eq!(failing(At::Send(7), true).await, (Vec::from_iter(0..10), 0));
}

/// A sink that is not ready leaves the event in its batch. The one before it was in hand.
#[tokio::test(start_paused = true)]
async fn an_event_the_sink_was_not_ready_for_is_not_lost() {
    assert_eq!(
        failing(At::Ready(0), false).await,
        (Vec::from_iter(0..10), 0)
    );
    assert_eq!(
        failing(At::Ready(7), false).await,
        (Vec::from_iter(0..10), 1)
    );
}

/// The sink may have written none of the batch: all of it is in hand until the flush.
#[tokio::test(start_paused = true)]
async fn a_batch_that_was_not_flushed_is_lost_or_tried_again() {
    assert_eq!(failing(At::Flush, false).await, (Vec::from_iter(0..10), 5));
    let twice: Vec<u64> = (0..5).chain(0..10).collect();
    assert_eq!(failing(At::Flush, true).await, (twice, 0));
}

#[tokio::test(start_paused = true)]
async fn an_error_of_closing_it_does_not_undo_the_completion() {
    assert_eq!(failing(At::Close, false).await, (Vec::from_iter(0..10), 0));
}

#[tokio::test(start_paused = true)]
async fn the_error_of_the_sink_ends_the_stage() {
    let numbers = from_iter(0..10_u64).stage().spawn();
    let sent = forward(Shaky::new(At::Send(3)));
    let sent = sent.stage().name("out").subscribe_to(&numbers).spawn();
    let text = failure(soon(sent.join()).await).to_string();
    assert_eq!(text, "stage `out` failed: broken pipe");
}

/// A sink that is full holds the pipeline up.
#[tokio::test(start_paused = true)]
async fn back_pressure_of_the_sink_reaches_the_producer() {
    let (sink, mut stream) = mpsc::channel::<u64>(0);
    let (probe, _calls) = ProducerProbe::counting();
    let numbers = probe.stage().spawn();
    let _sent = forward(sink)
        .stage()
        .subscribe_to(numbers.subscription().max_demand(4))
        .spawn();
    tokio::time::sleep(ms(10)).await;
    assert_eq!(numbers.stats().delivered, 4);
    assert_eq!(stream.next().await, Some(0));
    assert_eq!(stream.next().await, Some(1));
    tokio::time::sleep(ms(10)).await;
    assert!(numbers.stats().delivered <= 8, "{:?}", numbers.stats());
}

/// One pipeline pushes into another.
#[tokio::test(start_paused = true)]
async fn two_pipelines_are_joined_by_a_sink() {
    let (inlet, pushed) = queue(Bound::Events(2));
    let numbers = from_iter(0..500_u64).stage().spawn();
    let sent = forward(inlet.into_sink())
        .stage()
        .subscribe_to(&numbers)
        .spawn();
    let pushed = pushed.stage().spawn();
    let all = collect().stage().subscribe_to(&pushed).spawn();
    assert_eq!(soon(all.output()).await.unwrap(), Vec::from_iter(0..500));
    soon(sent.join()).await.unwrap();
}
