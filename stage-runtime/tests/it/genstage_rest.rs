//! What GenStage's tests say of callbacks and messages, and no other file here
//! does.

use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::common::{pending, soon, word};
use futures::FutureExt;
use stage_core::{Deliveries, Dispatcher, SubscribeError};
use stage_runtime::ProducerHandle;
use stage_runtime::prelude::*;
use stage_test::probe::{Call, Calls, ConsumerProbe, ProducerProbe, RelayProbe, act, emit};
use tokio::sync::{Semaphore, oneshot};

fn silent() -> (ProducerHandle<ProducerProbe<u64>>, Calls<u64>) {
    let (probe, calls) = ProducerProbe::silent();
    (probe.stage().spawn(), calls)
}

/// GS142 GS143: nobody waits for the answer, and the stage moves all the same.
#[tokio::test(start_paused = true)]
async fn a_subscription_is_moved_whether_or_not_the_caller_waits() {
    for there_is_an_old_one in [true, false] {
        let (first, mut firsts) = silent();
        let (second, mut seconds) = silent();
        let (probe, mut calls) = ConsumerProbe::<u64>::new();
        let consumer = probe.stage().spawn();
        let old = if there_is_an_old_one {
            soon(consumer.subscribe(&first)).await.unwrap()
        } else {
            SubscriptionId::new(u64::MAX)
        };
        let unanswered = consumer
            .resubscribe(old, "elsewhere", &second)
            .now_or_never();
        assert!(unanswered.is_none(), "{unanswered:?}");
        if there_is_an_old_one {
            assert_eq!(calls.producer_joined().await.subscription, old);
            let (_, outcome) = firsts.consumer_left().await;
            assert_eq!(outcome.to_string(), "cancelled: elsewhere");
        }
        let new = calls.producer_joined().await.subscription;
        assert_ne!(new, old);
        assert_eq!(seconds.consumer_joined().await.subscription, new);
        pending(consumer.outcome()).await;
    }
}

/// A message with a reply of its own.
struct Early {
    events: Vec<u64>,
    reply: oneshot::Sender<&'static str>,
}

/// Emits what it is told to, when it gets a permit and not before.
struct Patient(Arc<Semaphore>);

impl Producer for Patient {
    type Event = u64;

    async fn handle_demand(&mut self, _: usize, _: &mut Emitter<'_, u64>) -> StageResult {
        Ok(())
    }
}

impl Handler<Early, u64> for Patient {
    type Reply = ();

    async fn handle(&mut self, early: Early, out: &mut Emitter<'_, u64>) -> StageResult {
        early.reply.send("early").map_err(str::to_owned)?;
        out.extend(early.events);
        self.0.acquire().await?.forget();
        Ok(())
    }
}

/// GS152: what a handler returns is the reply after the events; an earlier one
/// goes over a channel that the message brings along.
#[tokio::test(start_paused = true)]
async fn a_message_may_be_answered_before_its_events_are_sent() {
    let permits = Arc::new(Semaphore::new(0));
    let source = Patient(Arc::clone(&permits)).stage().spawn();
    let (probe, mut below) = ConsumerProbe::new();
    let consumer = probe.stage().spawn();
    soon(consumer.subscribe(&source)).await.unwrap();
    below.producer_joined().await;
    let (reply, answer) = oneshot::channel();
    let events = vec![1, 2, 3];
    source.cast(Early { events, reply }).unwrap();
    assert_eq!(soon(answer).await.unwrap(), "early");
    below.quiet().await;
    permits.add_permits(1);
    assert_eq!(below.events().await, [1, 2, 3]);
}

/// GS154 GS167: no stage is told of the end of others unasked; who wants to
/// know has it sent as an info.
#[tokio::test(start_paused = true)]
async fn the_end_of_another_stage_can_be_had_as_an_info() {
    let (watched, _) = silent();
    let (probe, mut producer_calls) = ProducerProbe::<u64>::silent();
    let producer = probe.stage().spawn().stage_ref();
    let (probe, mut consumer_calls) = ConsumerProbe::<u64>::new();
    let consumer = probe.stage().spawn().stage_ref();
    let ended = watched.stage_ref();
    let watch = tokio::spawn(async move {
        let outcome = ended.outcome().await;
        producer.info(outcome.clone()).is_ok() && consumer.info("it ended").is_ok()
    });
    producer_calls.quiet().await;
    consumer_calls.quiet().await;
    watched.stop("oops");
    assert!(soon(watch).await.unwrap());
    let name = producer_calls.info().await;
    assert!(name.ends_with("Outcome"), "{name}");
    assert_eq!(consumer_calls.info().await, "it ended");
}

/// GS168
#[tokio::test(start_paused = true)]
async fn terminate_is_the_last_call_of_consumers_and_relays_too() {
    for stopped in [true, false] {
        let (source, _) = silent();
        let (probe, mut middle) = RelayProbe::<u64, u64>::new(|_, _| Ok(()));
        let relay = probe.stage().subscribe_to(&source).spawn();
        let (probe, mut below) = ConsumerProbe::<u64>::new();
        let consumer = probe.stage().subscribe_to(&relay).spawn();
        below.producer_joined().await;
        if stopped {
            relay.stop("enough");
        } else {
            let complete = act(|out| {
                out.complete();
                Ok(())
            });
            soon(source.call(complete)).await.unwrap();
        }
        let ended = word(&soon(consumer.outcome()).await);
        assert_eq!(ended, if stopped { "cancelled" } else { "completed" });
        for calls in [middle.drain().await, below.drain().await] {
            let is_last = |call: &Call<u64>| matches!(call, Call::Terminated(_));
            assert_eq!(calls.iter().filter(|call| is_last(call)).count(), 1);
            match calls.last() {
                Some(Call::Terminated(outcome)) => assert_eq!(word(outcome), ended),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// GS186; passed over here.
#[tokio::test(start_paused = true)]
async fn asking_over_a_subscription_that_is_not_there_asks_nobody() {
    let (source, mut above) = silent();
    let consumer = ConsumerProbe::<u64>::manual().0.stage().spawn();
    let terms = source.subscription().on_cancel(CancelMode::Temporary);
    let id = soon(consumer.subscribe(terms)).await.unwrap();
    above.consumer_joined().await;
    consumer.ask(SubscriptionId::new(u64::MAX), 10);
    above.quiet().await;
    consumer.cancel(id, "enough");
    above.consumer_left().await;
    consumer.ask(id, 10);
    above.quiet().await;
    pending(consumer.outcome()).await;
    source.call(emit([1])).await.unwrap();
    assert_eq!(source.stats().delivered, 0);
}

/// Sends everything to one subscription that there is not.
struct Astray;

impl Dispatcher for Astray {
    type Event = u64;
    type Route = ();

    fn subscribe(&mut self, _: SubscriptionId, (): ()) -> Result<usize, SubscribeError> {
        Ok(0)
    }

    fn cancel(&mut self, _: SubscriptionId, _: &mut Deliveries<u64>) -> usize {
        0
    }

    fn ask(&mut self, _: SubscriptionId, asked: NonZeroUsize, _: &mut Deliveries<u64>) -> usize {
        asked.get()
    }

    fn dispatch(&mut self, events: Batch<u64>, out: &mut Deliveries<u64>) -> Batch<u64> {
        out.deliver(SubscriptionId::new(u64::MAX), events);
        Batch::new()
    }
}

/// GS188: a link belongs to one subscription, so that no consumer can get what
/// is for another; what is for nobody is discarded and counted.
#[tokio::test(start_paused = true)]
async fn events_for_a_subscription_that_is_not_there_reach_nobody() {
    let (probe, mut above) = ProducerProbe::silent();
    let source = probe.stage().dispatcher(Astray).spawn();
    let (probe, mut below) = ConsumerProbe::<u64>::new();
    let consumer = probe.stage().spawn();
    soon(consumer.subscribe(&source)).await.unwrap();
    below.producer_joined().await;
    assert_eq!(above.demand().await, 1000);
    source.call(emit([1, 2, 3])).await.unwrap();
    below.quiet().await;
    let stats = source.stats();
    assert_eq!((stats.discarded, stats.delivered), (3, 0));
    pending(source.outcome()).await;
    pending(consumer.outcome()).await;
}
