//! What planted bugs showed that no test saw. `tests/planted` at the root has the bugs.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use crate::common::{pending, soon};
use stage_runtime::operators::{fold, for_each, from_iter};
use stage_runtime::prelude::*;
use stage_runtime::{RestartStrategy, snapshot::LinkTotals};
use stage_test::assert_settled;
use stage_test::probe::{ConsumerProbe, ProducerProbe, emit};

const fn at_once() -> Restart {
    Restart::on_failure().backoff(Duration::ZERO, Duration::ZERO)
}

/// A handler, as a closure that fails.
struct Fails<F>(F);

impl<F: FnMut(&mut Batch<u64>) + Send + 'static> Consumer for Fails<F> {
    type Event = u64;

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        (self.0)(events);
        Err("stumbled".into())
    }
}

/// What became of ten events of which the first batch, of five, was handled like this.
async fn totals_after(handler: impl FnMut(&mut Batch<u64>) + Send + 'static) -> LinkTotals {
    let pipeline = Pipeline::new();
    let (probe, _above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().in_group(&pipeline).spawn();
    let fails = Fails(handler).stage();
    let fails = fails
        .subscribe_to(source.subscription().max_demand(10).min_demand(5))
        .spawn();
    source.call(emit(0..10)).await.unwrap();
    soon(fails.outcome()).await;
    // What came back is looked at before it is asked again.
    pending(std::future::pending::<()>()).await;
    let snapshot = pipeline.snapshot();
    snapshot.links[0].totals
}

/// What a handler split off is in its hand; what it had taken before is done.
#[tokio::test(start_paused = true)]
async fn what_a_failed_handler_split_off_is_lost_with_it() {
    let totals = totals_after(|events| {
        events.pop_front();
        drop(events.split_to(2));
    });
    let totals = totals.await;
    assert_eq!((totals.handled, totals.lost, totals.handed_back), (1, 2, 7));
    let totals = totals_after(|events| {
        events.pop_front();
        drop(events.split_to(9));
    });
    let totals = totals.await;
    assert_eq!((totals.handled, totals.lost, totals.handed_back), (1, 4, 5));
    let totals = totals_after(|events| {
        events.pop_front();
        drop(events.split_off_with(1, Vec::new));
    });
    let totals = totals.await;
    assert_eq!((totals.handled, totals.lost, totals.handed_back), (1, 3, 6));
}

/// Asks by hand for one event, once, and fails on it.
struct AsksOnce {
    asked: Arc<AtomicBool>,
    failed: Arc<AtomicUsize>,
}

impl Consumer for AsksOnce {
    type Event = u64;

    async fn handle_subscribe(
        &mut self,
        producer: &Peer,
        cx: &mut Context<'_>,
    ) -> StageResult<DemandMode> {
        if !self.asked.swap(true, SeqCst) {
            cx.ask(producer.subscription, 1);
        }
        Ok(DemandMode::Manual)
    }

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        events.pop_front();
        self.failed.fetch_add(1, SeqCst);
        Err("stumbled".into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_producer_completes_when_its_last_event_is_lost_to_a_failure() {
    let (asked, failed) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let count = Arc::clone(&failed);
    let numbers = from_iter(0..1_u64).stage().spawn();
    let sink = supervised(move || AsksOnce {
        asked: Arc::clone(&asked),
        failed: Arc::clone(&failed),
    })
    .restart(at_once())
    .stage()
    .subscribe_to(&numbers)
    .spawn();
    soon(numbers.join()).await.unwrap();
    soon(sink.join()).await.unwrap();
    assert_eq!(count.load(SeqCst), 1);
}

/// The first state sets a timer and fails; the second must not get it.
struct SetsATimer {
    first: bool,
    infos: Arc<AtomicUsize>,
}

impl Consumer for SetsATimer {
    type Event = u64;

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        cx: &mut Context<'_>,
    ) -> StageResult {
        events.pop_front();
        cx.info_after(Duration::from_secs(1), "of which state?");
        if self.first {
            return Err("stumbled".into());
        }
        Ok(())
    }

    async fn handle_info(&mut self, _info: Info, _cx: &mut Context<'_>) -> StageResult {
        self.infos.fetch_add(1, SeqCst);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_delay_that_a_failed_state_set_is_not_the_new_ones() {
    let infos = Arc::<AtomicUsize>::default();
    let (count, mut first) = (Arc::clone(&infos), true);
    let (probe, _above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().spawn();
    let sink = supervised(move || SetsATimer {
        first: std::mem::take(&mut first),
        infos: Arc::clone(&infos),
    })
    .restart(at_once())
    .stage()
    .subscribe_to(&source)
    .spawn();
    source.call(emit([1])).await.unwrap();
    pending(sink.outcome()).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!((sink.stats().restarts, count.load(SeqCst)), (1, 0));
    // The new state's own comes.
    source.call(emit([2])).await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(count.load(SeqCst), 1);
}

/// Is woken by another thread while it is polled, once for each event.
struct WokenMeanwhile;

impl Consumer for WokenMeanwhile {
    type Event = u64;

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        for _ in events {
            let mut woken = false;
            poll_fn(|cx| {
                if std::mem::replace(&mut woken, true) {
                    return Poll::Ready(());
                }
                let waker = cx.waker().clone();
                let thread = std::thread::spawn(move || waker.wake());
                thread.join().map_or(Poll::Ready(()), |()| Poll::Pending)
            })
            .await;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_co_located_stage_that_is_woken_while_it_is_polled_is_polled_again() {
    let pipeline = Pipeline::new();
    let group = pipeline.group(RestartStrategy::OneForOne).co_located();
    let numbers = from_iter(0..20_u64).stage().in_group(&group).spawn();
    let sink = WokenMeanwhile.stage().subscribe_to(&numbers);
    soon(sink.in_group(&group).spawn().join()).await.unwrap();
}

/// More links than a stage shows one by one: their sums stay.
#[tokio::test(start_paused = true)]
async fn what_went_over_links_that_are_no_longer_shown_is_in_the_sums() {
    const LINKS: u64 = 200;
    let pipeline = Pipeline::new();
    let sink = ConsumerProbe::<u64>::new()
        .0
        .stage()
        .in_group(&pipeline)
        .spawn();
    for n in 0..LINKS {
        let source = from_iter(0..n % 3).stage().spawn();
        let terms = source.subscription().on_cancel(CancelMode::Temporary);
        soon(sink.subscribe(terms)).await.unwrap();
        soon(source.join()).await.unwrap();
    }
    pending(std::future::pending::<()>()).await;
    let snapshot = pipeline.snapshot();
    assert!((snapshot.links.len() as u64) < LINKS);
    let stage = &snapshot.stages[0];
    let shown: u64 = snapshot.links.iter().map(|link| link.totals.handled).sum();
    let all: u64 = (0..LINKS).map(|n| n % 3).sum();
    assert_eq!(stage.past.handled + shown, all);
    assert_eq!(stage.past.delivered, stage.past.handled);
    assert_settled(&pipeline);
}

#[tokio::test(start_paused = true)]
async fn events_in_a_partitions_queue_are_discarded_with_their_producer() {
    let parts = Partition::by_index(2, |n: &u64| Some((*n % 2) as usize)).unwrap();
    let pipeline = Pipeline::new();
    let (probe, _above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().dispatcher(parts).in_group(&pipeline).spawn();
    let seen = Arc::<Mutex<Vec<u64>>>::default();
    let list = Arc::clone(&seen);
    let even = for_each(move |n: u64| list.lock().unwrap().push(n));
    let even = even.stage().subscribe_to(source.partition(0));
    let _even = even.in_group(&pipeline).spawn();
    source.call(emit(0..10)).await.unwrap();
    pending(std::future::pending::<()>()).await;
    assert_eq!(source.stats().buffered, 5);
    source.stop("enough");
    soon(source.outcome()).await;
    assert_eq!((source.stats().discarded, source.stats().buffered), (5, 0));
    soon(pipeline.shutdown()).await;
    assert_eq!(seen.lock().unwrap().len(), 5);
    assert_settled(&pipeline);
}

/// Cancels a subscription as soon as it hears of it.
struct CancelsAtOnce;

impl Consumer for CancelsAtOnce {
    type Event = u64;

    async fn handle_subscribe(
        &mut self,
        producer: &Peer,
        cx: &mut Context<'_>,
    ) -> StageResult<DemandMode> {
        cx.cancel(producer.subscription, "no, thank you");
        Ok(DemandMode::Automatic)
    }

    async fn handle_events(&mut self, _: &mut Batch<u64>, _cx: &mut Context<'_>) -> StageResult {
        Err("it has asked for nothing".into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_cancelled_before_it_opens_asks_for_nothing() {
    let pipeline = Pipeline::new();
    let numbers = from_iter(0..10_u64).stage().in_group(&pipeline).spawn();
    let terms = numbers.subscription().on_cancel(CancelMode::Temporary);
    let cancels = CancelsAtOnce
        .stage()
        .subscribe_to(terms)
        .in_group(&pipeline)
        .spawn();
    pending(cancels.outcome()).await;
    let snapshot = pipeline.snapshot();
    let asked = snapshot.links.iter().map(|link| link.totals.asked);
    assert_eq!(asked.sum::<u64>(), 0);
}

/// It handles what it has, asks for nothing more, and is sent nothing more: what
/// comes meanwhile is for the other.
#[tokio::test(start_paused = true)]
async fn a_consumer_that_leaves_is_sent_nothing_more() {
    let pipeline = Pipeline::new();
    let (probe, _above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().in_group(&pipeline).spawn();
    let permits = Arc::new(tokio::sync::Semaphore::new(0));
    let (probe, mut leaving_calls) = ConsumerProbe::new();
    let leaving = probe.held_by(&permits).stage().in_group(&pipeline).spawn();
    let terms = source.subscription().max_demand(10).min_demand(9);
    let id = leaving
        .subscribe(terms.on_cancel(CancelMode::Temporary))
        .await;
    source.call(emit(0..4)).await.unwrap();
    assert_eq!(leaving_calls.events().await, [0]);
    leaving.cancel(id.unwrap(), "moving on");
    permits.add_permits(1);
    assert_eq!(leaving_calls.events().await, [1]);
    let (probe, mut other_calls) = ConsumerProbe::new();
    let _other = probe
        .stage()
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    source.call(emit(4..9)).await.unwrap();
    assert_eq!(other_calls.gather(5).await, [4, 5, 6, 7, 8]);
    let link = |pipeline: &Pipeline| pipeline.snapshot().links[0].totals;
    let before = link(&pipeline);
    assert_eq!((before.delivered, before.handled), (4, 1));
    permits.add_permits(100);
    assert_eq!(leaving_calls.gather(2).await, [2, 3]);
    pending(std::future::pending::<()>()).await;
    let after = link(&pipeline);
    assert_eq!((after.delivered, after.handled), (4, 4));
    assert_eq!(after.asked, before.asked);
    assert_settled(&pipeline);
}

/// They are asked to stop, and have their last call, before their tasks are dropped.
#[tokio::test(start_paused = true)]
async fn what_is_left_at_the_deadline_of_a_drain_is_stopped_and_not_dropped() {
    let pipeline = Pipeline::new();
    let (probe, _above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().in_group(&pipeline).spawn();
    let (probe, mut calls) = ConsumerProbe::<u64>::manual();
    let sink = probe
        .stage()
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    source.call(emit([1])).await.unwrap();
    let started = tokio::time::Instant::now();
    pipeline.drain(Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(started.elapsed(), Duration::from_secs(1));
    match soon(calls.terminated()).await {
        Outcome::Cancelled(reason) => assert!(reason.to_string().contains("deadline")),
        other => panic!("{other}"),
    }
    soon(sink.outcome()).await;
}

/// Has taken in five events that it emits one by one while it drains, and fails at
/// the second.
struct Drains {
    draining: bool,
    told: Arc<AtomicUsize>,
    left: Arc<AtomicUsize>,
    failed: Arc<AtomicBool>,
}

impl Producer for Drains {
    type Event = u64;

    async fn handle_demand(&mut self, _: usize, out: &mut Emitter<'_, u64>) -> StageResult {
        if !self.draining {
            return Ok(());
        }
        let left = self.left.load(SeqCst);
        if left == 0 {
            out.complete();
            return Ok(());
        }
        if left == 4 && !self.failed.swap(true, SeqCst) {
            return Err("stumbled".into());
        }
        self.left.store(left - 1, SeqCst);
        out.push(left as u64);
        out.again();
        Ok(())
    }

    async fn handle_drain(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
        self.draining = true;
        self.told.fetch_add(1, SeqCst);
        out.again();
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn the_new_state_of_a_source_that_drains_is_told_so() {
    let (told, failed) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
    let left = Arc::new(AtomicUsize::new(5));
    let its_told = Arc::clone(&told);
    let pipeline = Pipeline::new();
    let source = supervised(move || Drains {
        draining: false,
        told: Arc::clone(&its_told),
        left: Arc::clone(&left),
        failed: Arc::clone(&failed),
    });
    let source = source
        .restart(at_once())
        .stage()
        .in_group(&pipeline)
        .spawn();
    let all = fold(Vec::new(), |mut all: Vec<u64>, n| {
        all.push(n);
        all
    });
    let all = all
        .stage()
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    pending(std::future::pending::<()>()).await;
    // Draining twice does not tell it twice.
    let limit = Duration::from_secs(5);
    let (one, two) = tokio::join!(pipeline.drain(limit), pipeline.drain(limit));
    one.unwrap();
    two.unwrap();
    assert_eq!(soon(all.output()).await.unwrap(), [5, 4, 3, 2, 1]);
    assert_eq!(told.load(SeqCst), 2);
}

/// Drops what it is given and panics.
struct PanicsWithEvents;

impl stage_core::Dispatcher for PanicsWithEvents {
    type Event = u64;
    type Route = ();

    fn subscribe(
        &mut self,
        _: SubscriptionId,
        (): (),
    ) -> Result<usize, stage_core::SubscribeError> {
        Ok(0)
    }

    fn cancel(&mut self, _: SubscriptionId, _: &mut stage_core::Deliveries<u64>) -> usize {
        0
    }

    fn ask(
        &mut self,
        _: SubscriptionId,
        demand: std::num::NonZeroUsize,
        _: &mut stage_core::Deliveries<u64>,
    ) -> usize {
        demand.get()
    }

    fn dispatch(
        &mut self,
        mut events: Batch<u64>,
        out: &mut stage_core::Deliveries<u64>,
    ) -> Batch<u64> {
        out.deliver(SubscriptionId::new(u64::MAX), events.split_to(2));
        panic!("stumbled");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_dispatcher_had_in_hand_when_it_panicked_is_discarded() {
    let pipeline = Pipeline::new();
    let (probe, _above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().dispatcher(PanicsWithEvents);
    let source = source.in_group(&pipeline).spawn();
    source.call(emit(0..5)).await.unwrap_err();
    assert!(matches!(soon(source.outcome()).await, Outcome::Failed(_)));
    // Two were for nobody it knows, three were gone with it.
    let stats = source.stats();
    assert_eq!((stats.events_out, stats.discarded), (5, 5));
    assert_settled(&pipeline);
}
