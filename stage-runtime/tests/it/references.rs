//! References without the type of their stage: `StageControl`, `Outlet`, `Caller`, and the
//! aliases for those with it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crate::common::{cancelled, pending, soon};
use stage_core::SubscribeError;
use stage_runtime::handle::{
    Caller, ConsumerRef, Outlet, ProducerConsumerRef, ProducerRef, StageControl,
};
use stage_runtime::operators::{Fold, FromIter, Map, fold, for_each, from_iter, map};
use stage_runtime::per_event::{ChildCounts, CountChildren};
use stage_runtime::prelude::*;
use stage_runtime::snapshot::StageKind;
use stage_runtime::{CallError, CastError};
use stage_test::probe::{Act, ConsumerProbe, ProducerProbe, act, emit};
use tokio::sync::Semaphore;

/// What a program keeps of its stages. No bound on the types of the events, the routes and
/// the messages: a bound would be asked of every struct around this one.
struct Kept<E, R, M> {
    outlet: Outlet<E, R>,
    caller: Caller<M, ()>,
    control: StageControl,
}

/// The bug that this would be: ractor#379, an erased reference whose `send_after` never
/// reached the actor.
#[tokio::test(start_paused = true)]
async fn every_part_of_a_reference_reaches_the_stage() {
    let (probe, mut calls) = ProducerProbe::<u64>::silent();
    let source = probe.stage().name("source").gate(Gate::Closed).spawn();
    let kept = Kept {
        outlet: source.outlet(),
        caller: source.caller(),
        control: source.control(),
    };
    // The parts are enough without the reference.
    drop(source);
    let (probe, mut below) = ConsumerProbe::new();
    let consumer = probe.stage().spawn();
    soon(consumer.subscribe(&kept.outlet)).await.unwrap();
    assert_eq!(&*calls.consumer_joined().await.stage, consumer.name());
    below.producer_joined().await;
    soon(kept.caller.call(emit([1]))).await.unwrap();
    kept.caller.cast(emit([2])).unwrap();
    below.quiet().await;
    kept.outlet.set_gate(Gate::Open);
    assert_eq!(below.gather(2).await, [1, 2]);
    for control in [
        &kept.control,
        &kept.outlet.control(),
        &kept.caller.control(),
    ] {
        assert_eq!(control.name(), "source");
        assert_eq!(control.id(), kept.control.id());
        assert_eq!(control.kind(), StageKind::Producer);
        assert_eq!(control.stats().events_out, 2);
    }
    kept.control.stop("enough");
    let outcome = soon(kept.caller.control().outcome()).await;
    assert_eq!(outcome.to_string(), "cancelled: enough");
}

#[tokio::test(start_paused = true)]
async fn stages_of_different_types_are_kept_in_one_map() {
    let source = from_iter(0..u64::MAX).stage().name("source").spawn();
    let relay = map(|n: u64| n).stage().name("relay").subscribe_to(&source);
    let relay = relay.spawn();
    let jobs = per_event(|_: u64| std::future::pending()).stage();
    let jobs = jobs.name("jobs").subscribe_to(&relay).spawn();
    let stages: HashMap<String, StageControl> = [source.control(), relay.control(), jobs.control()]
        .map(|stage| (stage.name().to_owned(), stage))
        .into();
    assert_eq!(stages.len(), 3);
    assert_eq!(stages["relay"].kind(), StageKind::ProducerConsumer);
    assert_eq!(stages["jobs"].kind(), StageKind::Consumer);
    let waiting = stages["jobs"].clone();
    let waiting = tokio::spawn(async move { waiting.outcome().await.to_string() });
    pending(stages["jobs"].outcome()).await;
    for stage in stages.values() {
        stage.stop("enough");
        assert_eq!(soon(stage.outcome()).await.to_string(), "cancelled: enough");
        assert!(stage.is_ended());
    }
    assert_eq!(soon(waiting).await.unwrap(), "cancelled: enough");
    assert_eq!(cancelled(soon(jobs.join()).await), "enough");
}

#[tokio::test(start_paused = true)]
async fn outlets_subscribe_by_every_kind_of_route() {
    async fn sum_of(subscription: Subscription<u64>) -> u64 {
        let sum = fold(0, |sum, n: u64| sum + n).stage();
        let sum = sum.subscribe_to(subscription).spawn();
        soon(sum.output()).await.unwrap()
    }
    let numbers = || from_iter(1..=10u64).stage();

    let plain: Outlet<u64> = numbers().spawn().outlet();
    assert_eq!(sum_of(plain.subscription()).await, 55);

    let all: Outlet<u64, Selector<u64>> = numbers().dispatcher(Broadcast::new()).spawn().outlet();
    assert_eq!(sum_of(all.selector(|n| n % 2 == 0)).await, 30);

    let parity = Partition::by_index(2, |n: &u64| usize::try_from(n % 2).ok()).unwrap();
    let parts = numbers().dispatcher(parity).spawn().outlet();
    let (even, odd) = tokio::join!(sum_of(parts.partition(0)), sum_of(parts.partition(1)));
    assert_eq!((even, odd), (30, 25));
}

#[tokio::test(start_paused = true)]
async fn an_outlet_of_a_stage_that_has_ended_refuses() {
    let source = from_iter(0..3u64).stage().name("source").spawn();
    let outlet = source.outlet();
    source.stop("enough");
    soon(source.outcome()).await;
    outlet.set_gate(Gate::Open);
    let consumer = for_each(|_: u64| ()).stage().spawn();
    let refused = soon(consumer.subscribe(&outlet)).await.unwrap_err();
    assert!(
        matches!(&refused, SubscribeError::ProducerEnded { producer, .. } if &**producer == "source"),
        "{refused}"
    );
    pending(consumer.outcome()).await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_says_no_as_its_reference_does() {
    let permits = Arc::new(Semaphore::new(0));
    let (probe, mut calls) = ConsumerProbe::<u64>::new();
    let source = from_iter(0..1u64).stage().spawn();
    let consumer = probe
        .held_by(&permits)
        .stage()
        .name("consumer")
        .subscribe_to(&source);
    let consumer = consumer.spawn();
    let caller: Caller<Act<std::convert::Infallible>, ()> = consumer.caller();
    assert_eq!(
        format!("{caller:?}"),
        r#"Caller { stage: "consumer", closed: false, .. }"#
    );
    calls.events().await;
    // It is in a handler, so its mailbox fills.
    for _ in 0..1024 {
        caller.cast(act(|_| Ok(()))).unwrap();
    }
    let full = caller.cast(act(|_| Ok(()))).unwrap_err();
    assert!(matches!(full, CastError::Full { capacity: 1024, .. }));
    let mut waits = tokio::spawn({
        let caller = caller.clone();
        async move { caller.call(act(|_| Ok(()))).await }
    });
    pending(&mut waits).await;
    permits.add_permits(1);
    soon(waits).await.unwrap().unwrap();

    assert!(soon(consumer.outcome()).await.is_completed());
    assert!(caller.is_closed());
    assert!(matches!(
        caller.cast(act(|_| Ok(()))).unwrap_err(),
        CastError::Ended { stage, .. } if &*stage == "consumer"
    ));
    assert!(matches!(
        soon(caller.call(act(|_| Ok(())))).await,
        Err(CallError::Ended { stage }) if &*stage == "consumer"
    ));
}

/// A question of `Asks` to itself.
struct AskYourself;

/// A stage that holds what calls it.
struct Asks {
    myself: Option<Caller<AskYourself, Result<(), CallError>>>,
    dropped: Arc<AtomicBool>,
}

impl Consumer for Asks {
    type Event = u64;

    async fn handle_events(&mut self, _: &mut Batch<u64>, _: &mut Context<'_>) -> StageResult {
        Ok(())
    }
}

impl Handler<AskYourself> for Asks {
    type Reply = Result<(), CallError>;

    async fn handle(
        &mut self,
        _: AskYourself,
        _: &mut Emitter<'_>,
    ) -> StageResult<Result<(), CallError>> {
        match &self.myself {
            Some(myself) => Ok(myself.call(AskYourself).await?),
            None => Ok(Ok(())),
        }
    }
}

/// The message that hands a stage its own caller.
struct Meet(Caller<AskYourself, Result<(), CallError>>);

impl Handler<Meet> for Asks {
    type Reply = ();

    async fn handle(&mut self, Meet(myself): Meet, _: &mut Emitter<'_>) -> StageResult {
        self.myself = Some(myself);
        Ok(())
    }
}

impl Drop for Asks {
    fn drop(&mut self) {
        self.dropped.store(true, SeqCst);
    }
}

fn asks() -> (Asks, Arc<AtomicBool>) {
    let dropped = Arc::new(AtomicBool::new(false));
    let asks = Asks {
        myself: None,
        dropped: Arc::clone(&dropped),
    };
    (asks, dropped)
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_calls_its_own_stage_through_a_caller_is_told() {
    let (stage, _) = asks();
    let stage = stage.stage().name("asks").spawn();
    soon(stage.call(Meet(stage.caller()))).await.unwrap();
    // The error of the call is the error of the handler, with which the stage fails.
    soon(stage.call(AskYourself)).await.unwrap_err().to_string();
    let outcome = soon(stage.outcome()).await.to_string();
    assert!(outcome.contains("asks"), "{outcome}");
    assert!(outcome.starts_with("failed"), "{outcome}");
}

/// actix#187: a map of addresses kept its actors alive. akka-core#1236: a reference to a
/// terminated actor kept what the actor was made of.
#[tokio::test(start_paused = true)]
async fn references_keep_neither_the_stage_running_nor_its_state() {
    for completes in [true, false] {
        let (stage, dropped) = asks();
        let stage = stage.stage().spawn();
        let (control, caller) = (stage.control(), stage.caller::<AskYourself>());
        let again = stage.stage_ref();
        drop(stage);
        if completes {
            control.complete();
        } else {
            control.stop("enough");
        }
        soon(control.outcome()).await;
        assert!(dropped.load(SeqCst), "completes: {completes}");
        assert!(caller.is_closed() && again.is_ended());
    }
}

/// xactor#30 and actix#418: an actor that holds a handle to itself never ends, and what it
/// is made of leaks.
#[tokio::test(start_paused = true)]
async fn a_stage_that_holds_its_own_caller_is_dropped() {
    let (stage, dropped) = asks();
    let stage = stage.stage().spawn();
    soon(stage.call(Meet(stage.caller()))).await.unwrap();
    // A second one is in the mailbox when the stage ends.
    stage.cast(Meet(stage.caller())).unwrap();
    stage.complete();
    soon(stage.outcome()).await;
    assert!(!dropped.load(SeqCst), "kept for `join_stage`");
    drop(stage);
    assert!(dropped.load(SeqCst));
}

#[tokio::test(start_paused = true)]
async fn a_call_reaches_the_state_after_a_restart() {
    let (factory, restarted) = {
        let restarted = Arc::new(AtomicBool::new(false));
        let made = Arc::clone(&restarted);
        let factory = move || {
            let again = made.swap(true, SeqCst);
            let (probe, _) = ProducerProbe::<u64>::new(move |_, _| match again {
                true => Ok(()),
                false => Err("the first fails".into()),
            });
            probe
        };
        (factory, restarted)
    };
    let source = supervised(factory).stage().spawn();
    let caller: Caller<Act<u64>, ()> = source.caller();
    let (probe, mut calls) = ConsumerProbe::new();
    let _consumer = probe.stage().subscribe_to(&source.outlet()).spawn();
    while source.stats().restarts == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert!(restarted.load(SeqCst) && !caller.is_closed());
    soon(caller.call(emit([5]))).await.unwrap();
    assert_eq!(calls.gather(1).await, [5]);
}

#[tokio::test(start_paused = true)]
async fn callers_of_closures_are_kept_in_one_map() {
    let mails = per_event(|_: String| std::future::pending())
        .stage()
        .spawn();
    let images = per_event(|_: u32| std::future::pending()).stage();
    let images = images
        .subscribe_to(&from_iter(0..3u32).stage().spawn())
        .spawn();
    let queues: HashMap<&str, Caller<CountChildren, ChildCounts>> =
        [("mails", mails.caller()), ("images", images.caller())].into();
    while soon(queues["images"].call(CountChildren))
        .await
        .unwrap()
        .running
        < 3
    {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        soon(queues["mails"].call(CountChildren))
            .await
            .unwrap()
            .running,
        0
    );
}

/// A consumer without subscriptions has no handler from which it could learn its waker.
#[tokio::test(start_paused = true)]
async fn a_stage_is_woken_from_outside() {
    struct Sleeps;
    impl Consumer for Sleeps {
        type Event = u64;
        async fn handle_events(&mut self, _: &mut Batch<u64>, _: &mut Context<'_>) -> StageResult {
            Ok(())
        }
        async fn handle_wake(&mut self, cx: &mut Context<'_>) -> StageResult {
            cx.complete();
            Ok(())
        }
    }
    let sleeps = Sleeps.stage().spawn();
    let waker = sleeps.waker();
    pending(sleeps.outcome()).await;
    waker.wake_by_ref();
    assert!(soon(sleeps.outcome()).await.is_completed());
    waker.wake();
}

type Numbers = FromIter<std::ops::Range<u64>>;
type Same = Map<fn(u64) -> u64, u64, u64>;
type Sum = Fold<u64, fn(u64, u64) -> u64, u64>;

/// References with all their types, as a struct names them.
struct Typed {
    numbers: ProducerRef<Numbers>,
    broadcast: ProducerRef<Numbers, Selector<u64>>,
    same: ProducerConsumerRef<Same>,
    sum: ConsumerRef<Sum>,
}

#[tokio::test(start_paused = true)]
async fn references_have_aliases() {
    let numbers = from_iter(0..4u64).stage().spawn();
    let broadcast = from_iter(0..4u64).stage().dispatcher(Broadcast::new());
    let same = map((|n| n) as fn(u64) -> u64)
        .stage()
        .subscribe_to(&numbers);
    let same = same.spawn();
    let add: fn(u64, u64) -> u64 = |sum, n| sum + n;
    let sum = fold(0, add).stage().subscribe_to(&same).spawn();
    let typed = Typed {
        numbers: numbers.stage_ref(),
        broadcast: broadcast.spawn().stage_ref(),
        same: same.stage_ref(),
        sum: sum.stage_ref(),
    };
    assert_eq!(soon(sum.output()).await.unwrap(), 6);
    for ended in [
        typed.numbers.control(),
        typed.same.control(),
        typed.sum.control(),
    ] {
        assert!(soon(ended.outcome()).await.is_completed());
    }
    assert!(!typed.broadcast.is_ended());
}
