//! Messages to a running stage (H1, H3 to H6).

use std::convert::Infallible;
use std::sync::Arc;

use crate::common::{fail, failure, pending, soon};
use futures::FutureExt;
use stage_runtime::operators::from_iter;
use stage_runtime::prelude::*;
use stage_runtime::{CallError, CastError};
use stage_test::probe::{Call, ConsumerProbe, ProducerProbe, RelayProbe, act, emit};
use tokio::sync::Semaphore;

/// Remembers what it was told, of every type of message it takes.
#[derive(Default)]
struct Diary(Vec<String>);

struct Read;

impl Consumer for Diary {
    type Event = u64;

    async fn handle_events(&mut self, _: &mut Batch<u64>, _: &mut Context<'_>) -> StageResult {
        Ok(())
    }
}

impl Handler<&'static str> for Diary {
    type Reply = usize;

    async fn handle(
        &mut self,
        text: &'static str,
        _: &mut Emitter<'_, Infallible>,
    ) -> StageResult<usize> {
        self.0.push(text.into());
        Ok(self.0.len())
    }
}

impl Handler<u64> for Diary {
    type Reply = ();

    async fn handle(&mut self, number: u64, _: &mut Emitter<'_, Infallible>) -> StageResult {
        self.0.push(number.to_string());
        Ok(())
    }
}

impl Handler<Read> for Diary {
    type Reply = Vec<String>;

    async fn handle(
        &mut self,
        _: Read,
        _: &mut Emitter<'_, Infallible>,
    ) -> StageResult<Vec<String>> {
        Ok(self.0.clone())
    }
}

#[tokio::test(start_paused = true)]
async fn messages_of_several_types_are_handled_in_order() {
    let diary = Diary::default().stage().spawn();
    diary.cast("one").unwrap();
    diary.cast(2u64).unwrap();
    assert_eq!(soon(diary.call("three")).await.unwrap(), 3);
    let elsewhere = diary.stage_ref();
    elsewhere.cast(4u64).unwrap();
    assert_eq!(
        soon(diary.call(Read)).await.unwrap(),
        ["one", "2", "three", "4"]
    );
}

/// GS151
#[tokio::test(start_paused = true)]
async fn the_reply_comes_after_the_events() {
    let (probe, mut above) = ProducerProbe::silent();
    let source = probe.stage().spawn();
    let (probe, mut below) = ConsumerProbe::new();
    probe.stage().subscribe_to(&source).spawn();
    above.demand().await;
    below.producer_joined().await;
    soon(source.call(emit([1u64, 2, 3]))).await.unwrap();
    assert_eq!(source.stats().delivered, 3);
    assert_eq!(below.events().await, [1, 2, 3]);
}

/// GS153
#[tokio::test(start_paused = true)]
async fn a_message_may_end_the_stage_and_is_answered() {
    let (probe, _) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let complete = act(|out| {
        out.complete();
        Ok(())
    });
    soon(source.call(complete)).await.unwrap();
    soon(source.join()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_gives_the_message_back() {
    let diary = Diary::default().stage().name("diary").spawn();
    for n in 0..1024u64 {
        diary.cast(n).unwrap();
    }
    let refused = diary.cast("too much").unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("`diary`") && text.contains("1024"), "{text}");
    assert!(matches!(refused, CastError::Full { capacity: 1024, .. }));
    assert_eq!(refused.into_message(), "too much");
    // Infos wait in the same place.
    assert_eq!(diary.info(7u8).unwrap_err().into_message(), 7);
    // A call waits for room.
    assert_eq!(soon(diary.call(Read)).await.unwrap().len(), 1024);
    diary.cast("there is room").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_while_a_handler_runs() {
    let source = from_iter(0..3u64).stage().spawn();
    let permits = Arc::new(Semaphore::new(0));
    let (probe, mut calls) = ConsumerProbe::new();
    let consumer = probe
        .held_by(&permits)
        .stage()
        .subscribe_to(&source)
        .spawn();
    calls.events().await;
    pending(consumer.call(act(|_| Ok(())))).await;
    for _ in 0..1023 {
        consumer.cast(act(|_| Ok(()))).unwrap();
    }
    assert!(consumer.cast(act(|_| Ok(()))).is_err());
    pending(consumer.call(act(|_| Ok(())))).await;
    permits.add_permits(100);
    soon(consumer.outcome()).await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_is_handled_all_the_same() {
    let (probe, _) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let mut call = Box::pin(source.call(emit([1, 2])));
    assert!(call.as_mut().now_or_never().is_none());
    drop(call);
    soon(source.call(emit([3]))).await.unwrap();
    assert_eq!(source.stats().buffered, 3);
}

#[tokio::test(start_paused = true)]
async fn an_ended_stage_takes_no_message() {
    let diary = Diary::default().stage().name("diary").spawn();
    diary.stop("enough");
    soon(diary.outcome()).await;
    let refused = diary.cast("late").unwrap_err();
    assert!(matches!(refused, CastError::Ended { .. }));
    assert!(refused.to_string().contains("`diary` has ended"));
    assert_eq!(refused.into_message(), "late");
    assert_eq!(diary.info("late").unwrap_err().into_message(), "late");
    let error = soon(diary.call(Read)).await.unwrap_err();
    assert!(matches!(error, CallError::Ended { .. }));
    assert!(error.to_string().contains("`diary` did not reply"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_was_seen_to_end_takes_no_message() {
    for round in 0..2_000 {
        let diary = Diary::default().stage().spawn();
        diary.stop("enough");
        soon(diary.outcome()).await;
        assert!(diary.cast("late").is_err(), "round {round}");
        assert!(soon(diary.call(Read)).await.is_err(), "round {round}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_its_stage_is_told_and_so_are_those_behind_it() {
    let (probe, _) = ProducerProbe::<u64>::silent();
    let source = probe.stage().name("source").spawn();
    let failing = source.call(act(|_| fail("went wrong")));
    let behind = source.call(act(|_| Ok(())));
    let (failing, behind) = soon(futures::future::join(failing, behind)).await;
    assert!(matches!(failing.unwrap_err(), CallError::Ended { .. }));
    assert!(behind.is_err());
    let failure = failure(soon(source.join()).await);
    assert_eq!(failure.to_string(), "stage `source` failed: went wrong");
}

#[tokio::test(start_paused = true)]
async fn messages_are_handled_between_batches() {
    let source = from_iter(0..4u64).stage().spawn();
    let permits = Arc::new(Semaphore::new(0));
    let (probe, mut calls) = ConsumerProbe::new();
    let consumer = probe
        .held_by(&permits)
        .stage()
        .subscribe_to(source.subscription().max_demand(4).min_demand(3))
        .spawn();
    assert_eq!(calls.events().await, [0]);
    // It comes before the three that have arrived already.
    let stats = consumer.stage_ref();
    let (seen, mut sees) = tokio::sync::oneshot::channel();
    consumer
        .cast(act(move |_| {
            seen.send(stats.stats().events_in).unwrap();
            Ok(())
        }))
        .unwrap();
    permits.add_permits(10);
    soon(consumer.join()).await.unwrap();
    assert_eq!(sees.try_recv().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_messages_does_not_stop_the_events() {
    let (probe, mut above) = ProducerProbe::counting();
    let source = probe.stage().spawn();
    let (probe, mut below) = ConsumerProbe::new();
    let terms = source.subscription().max_demand(2).min_demand(1);
    let consumer = probe.stage().subscribe_to(terms).spawn();
    let flooded = consumer.stage_ref();
    let flood = tokio::spawn(async move {
        loop {
            while flooded.cast(act(|_| Ok(()))).is_ok() {}
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(below.gather(500).await, (0..500).collect::<Vec<_>>());
    above.demand().await;
    flood.abort();
}

#[tokio::test(start_paused = true)]
async fn a_relay_may_emit_when_it_gets_a_message() {
    let (relay, mut calls) = RelayProbe::<u64, u64>::new(|_, _| Ok(()));
    let relay = relay.stage().spawn();
    soon(relay.call(emit([1, 2]))).await.unwrap();
    let (probe, mut below) = ConsumerProbe::new();
    probe.stage().subscribe_to(&relay).spawn();
    assert_eq!(below.gather(2).await, [1, 2]);
    let calls = calls.drain().await;
    assert!(
        matches!(calls.as_slice(), [Call::ConsumerJoined(_)]),
        "{calls:?}"
    );
}
