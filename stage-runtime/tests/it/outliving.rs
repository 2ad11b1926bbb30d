//! Stages that outlive what they sent: a source waits for acknowledgements, a
//! relay for the work that it has begun.

use std::time::Duration;

use crate::common::acked::{Message, Queue};
use crate::common::{cancelled, pending, soon};
use stage_runtime::explain::Cause;
use stage_runtime::prelude::*;
use tokio::sync::mpsc;

const MS: Duration = Duration::from_millis(1);

/// Passes its messages to a task that settles them later.
struct Hands(mpsc::Sender<Message>);

impl Consumer for Hands {
    type Event = Message;

    async fn handle_events(
        &mut self,
        events: &mut Batch<Message>,
        _: &mut Context<'_>,
    ) -> StageResult {
        for message in events {
            self.0.send(message).await.map_err(|_| "nobody settles")?;
        }
        Ok(())
    }
}

/// Without `may_complete` the source was closed 285 ms before its last message
/// was settled.
#[tokio::test(start_paused = true)]
async fn a_source_stays_until_its_last_message_is_settled() {
    let queue = Queue::with(0..30);
    let source = queue.source();
    let log = std::sync::Arc::clone(&source.log);
    let source = source.stage().spawn();
    let (hand, mut handed) = mpsc::channel(100);
    let sink = Hands(hand).stage().subscribe_to(&source).spawn();
    for settled in 0..30 {
        assert_eq!(
            queue.unsettled(),
            if settled == 0 { 0 } else { 30 - settled }
        );
        soon(handed.recv()).await.unwrap().ack();
        if settled < 29 {
            pending(source.outcome()).await;
        }
    }
    soon(source.join()).await.unwrap();
    soon(sink.join()).await.unwrap();
    assert_eq!(queue.acked().len(), 30);
    let log = log.lock();
    assert_eq!((log[0], log[log.len() - 1]), ("start", "terminate"));
    assert!(
        log.contains(&"wake"),
        "it was woken without demand: {log:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_acknowledgements() {
    let pipeline = Pipeline::new();
    let queue = Queue::with(0..1_000);
    let source = queue.source();
    let log = std::sync::Arc::clone(&source.log);
    let source = source.stage().in_group(&pipeline).spawn();
    let (hand, mut handed) = mpsc::channel(10);
    let ten = source.subscription().max_demand(10);
    Hands(hand)
        .stage()
        .subscribe_to(ten)
        .in_group(&pipeline)
        .spawn();
    tokio::spawn(async move {
        while let Some(message) = handed.recv().await {
            tokio::time::sleep(MS).await;
            message.ack();
        }
    });
    tokio::time::sleep(5 * MS).await;
    pipeline.drain(Duration::from_secs(5)).await.unwrap();
    assert_eq!((queue.unsettled(), queue.returned().len()), (0, 0));
    assert!(!queue.acked().is_empty());
    assert_eq!(
        log.lock().iter().filter(|call| **call == "drain").count(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_drain_without_acknowledgements_names_the_source_and_what_it_holds() {
    let pipeline = Pipeline::new();
    let queue = Queue::with(0..20);
    let source = queue
        .source()
        .stage()
        .name("leases")
        .in_group(&pipeline)
        .spawn();
    let (hand, mut handed) = mpsc::channel(100);
    Hands(hand)
        .stage()
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    let mut kept = Vec::new();
    for _ in 0..20 {
        kept.push(soon(handed.recv()).await.unwrap());
    }
    let drained = pipeline.drain(Duration::from_secs(5));
    let watch = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        match pipeline.explain(Duration::from_secs(1)).cause() {
            Some(Cause::Holding {
                stage, held: 20, ..
            }) => assert_eq!(&*stage.name, "leases"),
            other => panic!("{other:?}"),
        }
    };
    let (drained, ()) = tokio::join!(drained, watch);
    let error = drained.unwrap_err();
    let leases = error.left.iter().find(|left| &*left.stage == "leases");
    assert_eq!(leases.unwrap().held, 20);
    assert!(error.to_string().contains("20"), "{error}");
    assert_eq!(queue.unsettled(), 20);
}

/// The state is asked again after a message and after a wake-up, and it is
/// asked for no events meanwhile.
#[tokio::test(start_paused = true)]
async fn a_stage_that_may_not_complete_gets_messages_and_no_demand() {
    struct Stays {
        stays: bool,
        demands: usize,
    }
    impl Producer for Stays {
        type Event = u64;
        async fn handle_demand(&mut self, _: usize, out: &mut Emitter<'_, u64>) -> StageResult {
            self.demands += 1;
            assert_eq!(self.demands, 1, "asked again after it has completed");
            out.push(1);
            out.complete();
            Ok(())
        }
        fn may_complete(&self) -> bool {
            !self.stays
        }
    }
    struct Go(bool);
    impl Handler<Go, u64> for Stays {
        type Reply = usize;
        async fn handle(&mut self, go: Go, out: &mut Emitter<'_, u64>) -> StageResult<usize> {
            self.stays = !go.0;
            out.push(2);
            Ok(self.demands)
        }
    }
    let stays = Stays {
        stays: true,
        demands: 0,
    };
    let source = stays.stage().spawn();
    let sum = stage_runtime::operators::fold(0, |sum, n: u64| sum + n);
    let sum = sum.stage().subscribe_to(&source).spawn();
    pending(source.outcome()).await;
    assert_eq!(soon(source.call(Go(false))).await.unwrap(), 1);
    pending(source.outcome()).await;
    assert_eq!(soon(source.call(Go(true))).await.unwrap(), 1);
    soon(source.join()).await.unwrap();
    // It has emitted the others when its consumer knew that it had completed.
    assert_eq!(soon(sum.output()).await.unwrap(), 1);
}

/// Doubles each event 10 ms later, in a task of its own.
struct Later {
    running: usize,
    done: (mpsc::UnboundedSender<u64>, mpsc::UnboundedReceiver<u64>),
    completing: bool,
}

impl Later {
    fn new() -> Self {
        Self {
            running: 0,
            done: mpsc::unbounded_channel(),
            completing: false,
        }
    }
}

impl ProducerConsumer for Later {
    type In = u64;
    type Out = u64;

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        out: &mut Emitter<'_, u64>,
    ) -> StageResult {
        for n in events {
            self.running += 1;
            let (done, waker) = (self.done.0.clone(), out.waker().clone());
            tokio::spawn(async move {
                tokio::time::sleep(10 * MS).await;
                let _ = done.send(n * 2);
                waker.wake();
            });
        }
        Ok(())
    }

    async fn handle_wake(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
        while let Ok(n) = self.done.1.try_recv() {
            self.running -= 1;
            out.push(n);
        }
        Ok(())
    }

    async fn handle_complete(&mut self, _: &mut Emitter<'_, u64>) -> StageResult {
        assert!(!self.completing, "handle_complete comes once");
        self.completing = true;
        Ok(())
    }

    fn may_complete(&self) -> bool {
        assert!(self.completing, "asked when handle_complete has returned");
        self.running == 0
    }

    fn held(&self) -> usize {
        self.running
    }
}

#[tokio::test(start_paused = true)]
async fn a_relay_emits_what_its_tasks_finish_after_its_input_has_ended() {
    let numbers = stage_runtime::operators::from_iter(0..100u64)
        .stage()
        .spawn();
    let later = Later::new().stage().subscribe_to(&numbers).spawn();
    let sum = stage_runtime::operators::fold(0, |sum, n: u64| sum + n);
    let sum = sum.stage().subscribe_to(&later).spawn();
    assert_eq!(soon(sum.output()).await.unwrap(), 9_900);
    let stats = later.stats();
    assert_eq!((stats.held, stats.lost, stats.events_out), (0, 0, 100));
}

#[tokio::test(start_paused = true)]
async fn what_a_relay_holds_is_seen_and_is_lost_with_it() {
    let numbers = stage_runtime::operators::from_iter(0..7u64).stage().spawn();
    let later = Later::new().stage().subscribe_to(&numbers).spawn();
    let sum = stage_runtime::operators::fold(0, |sum, n: u64| sum + n);
    let sum = sum.stage().subscribe_to(&later).spawn();
    tokio::time::sleep(5 * MS).await;
    assert_eq!(later.stats().held, 7);
    later.stop("enough");
    assert_eq!(cancelled(soon(sum.join()).await), "enough");
    assert_eq!((later.stats().held, later.stats().lost), (0, 7));
}

#[tokio::test(start_paused = true)]
async fn a_relay_hears_of_a_drain_once_and_still_handles_what_has_arrived() {
    #[derive(Default)]
    struct Relay(Vec<&'static str>);
    impl ProducerConsumer for Relay {
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
        async fn handle_drain(&mut self, _: &mut Emitter<'_, u64>) -> StageResult {
            self.0.push("drain");
            Ok(())
        }
        async fn handle_complete(&mut self, out: &mut Emitter<'_, u64>) -> StageResult {
            assert_eq!(self.0, ["drain"]);
            out.push(1_000_000);
            Ok(())
        }
    }
    let pipeline = Pipeline::new();
    let numbers = stage_runtime::operators::from_iter(0..).stage();
    let numbers = numbers.in_group(&pipeline).spawn();
    let relay = Relay::default().stage().subscribe_to(&numbers);
    let relay = relay.in_group(&pipeline).spawn();
    let last = stage_runtime::operators::fold(0, |_, n: u64| n).stage();
    let last = last.subscribe_to(&relay).in_group(&pipeline).spawn();
    tokio::task::yield_now().await;
    pipeline.drain(Duration::from_secs(5)).await.unwrap();
    assert_eq!(soon(last.output()).await.unwrap(), 1_000_000);
}

/// Completes when it is told to, and not by a drain.
struct Lasting(usize);

impl Producer for Lasting {
    type Event = u64;

    async fn handle_demand(&mut self, _: usize, _: &mut Emitter<'_, u64>) -> StageResult {
        Ok(())
    }

    async fn handle_drain(&mut self, _: &mut Emitter<'_, u64>) -> StageResult {
        self.0 += 1;
        Ok(())
    }
}

/// Completes the source; returns how often it has heard of a drain.
struct Now;

impl Handler<Now, u64> for Lasting {
    type Reply = usize;

    async fn handle(&mut self, _: Now, out: &mut Emitter<'_, u64>) -> StageResult<usize> {
        out.complete();
        Ok(self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_hears_of_a_drain_once_though_others_join_it() {
    let pipeline = Pipeline::new();
    let lasting = || {
        let source = Lasting(0).stage().in_group(&pipeline).spawn();
        // Without a consumer it would end.
        let sink = stage_runtime::operators::for_each(|_: u64| ()).stage();
        sink.subscribe_to(&source).in_group(&pipeline).spawn();
        source
    };
    let source = lasting();
    tokio::time::sleep(MS).await;
    let draining = tokio::spawn({
        let pipeline = pipeline.clone();
        async move { pipeline.drain(Duration::from_secs(5)).await }
    });
    for _ in 0..3 {
        tokio::time::sleep(MS).await;
        // Joins, and drains with the others.
        let late = lasting();
        tokio::time::sleep(MS).await;
        assert_eq!(soon(late.call(Now)).await.unwrap(), 1);
    }
    source.drain();
    tokio::time::sleep(MS).await;
    assert_eq!(soon(source.call(Now)).await.unwrap(), 1);
    soon(draining).await.unwrap().unwrap();
}
