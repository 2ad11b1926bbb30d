//! Reference: Particular/NServiceBus.SqlServer issue 35, "Stopping transport from custom
//! Fault Manager causes app to deadlock"; GenServer's "process attempted to call itself"
//!
//! A handler ends, drains, joins or calls the pipeline that it runs in. What could never
//! come to its end is refused with an error that says so; what can begin begins.

use std::time::Duration;

use stage_runtime::prelude::*;
use stage_runtime::{CallError, Error, StageRef, handle::Takes};
use tokio::sync::mpsc;

use super::support::*;

type Outcomes = mpsc::UnboundedSender<String>;

/// At the tenth event does something with its own pipeline.
struct Ends<F> {
    seen: Seen<u64>,
    at_ten: F,
}

impl<F, T> Consumer for Ends<F>
where
    F: FnMut() -> T + Send + 'static,
    T: Future<Output = ()> + Send,
{
    type Event = u64;

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        for n in events {
            self.seen.lock().unwrap().push(n);
            if n == 10 {
                (self.at_ten)().await;
            }
        }
        Ok(())
    }
}

/// A source without end, and a consumer that does this at the tenth event.
fn running<F, T>(pipeline: &Pipeline, at_ten: F) -> Seen<u64>
where
    F: FnMut() -> T + Send + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    let numbers = count(u64::MAX)
        .stage()
        .name("numbers")
        .in_group(pipeline)
        .spawn();
    let seen = seen();
    Ends {
        seen: seen.clone(),
        at_ten,
    }
    .stage()
    .name("sink")
    .subscribe_to(numbers.subscription().max_demand(20))
    .in_group(pipeline)
    .spawn();
    seen
}

#[test]
fn a_handler_may_drain_its_pipeline() {
    both_busy(10, || async {
        let pipeline = Pipeline::new();
        let its = pipeline.clone();
        let seen = running(&pipeline, move || {
            let its = its.clone();
            async move { its.drain(Duration::from_secs(60)).await.unwrap() }
        });
        within(5000, pipeline.join())
            .await
            .expect("it ends")
            .unwrap();
        let seen = seen.lock().unwrap();
        assert!(seen.iter().copied().eq(0..seen.len() as u64));
        stage_test::assert_settled(&pipeline);
    });
}

#[test]
fn a_handler_may_shut_its_pipeline_down() {
    both_busy(10, || async {
        let pipeline = Pipeline::new();
        let its = pipeline.clone();
        running(&pipeline, move || {
            let its = its.clone();
            async move { its.shutdown().await }
        });
        let joined = within(5000, pipeline.join()).await.expect("it ends");
        assert!(matches!(joined, Err(Error::Cancelled { .. })), "{joined:?}");
        stage_test::assert_settled(&pipeline);
    });
}

#[test]
fn a_handler_that_joins_its_pipeline_is_told_that_it_cannot() {
    both_busy(10, || async {
        let pipeline = Pipeline::new();
        let (told, mut outcomes) = mpsc::unbounded_channel();
        let its = pipeline.clone();
        running(&pipeline, move || {
            let (its, told): (_, Outcomes) = (its.clone(), told.clone());
            async move {
                let Err(error @ Error::InHandler { .. }) = its.join().await else {
                    panic!("it joined itself");
                };
                told.send(error.to_string()).unwrap();
                let until = its.run_until(std::future::pending::<()>(), Duration::MAX);
                assert!(matches!(until.await, Err(Error::InHandler { .. })));
                its.stop("enough");
            }
        });
        let said = within(5000, outcomes.recv()).await.unwrap().unwrap();
        assert!(said.contains("`sink`"), "{said}");
        assert!(within(5000, pipeline.join()).await.unwrap().is_err());
    });
}

/// Another pipeline's end, or one's own in a task, may be waited for.
#[test]
fn a_handler_may_wait_for_another_pipeline() {
    both(10, || async {
        let pipeline = Pipeline::new();
        let numbers = count(20).stage().in_group(&pipeline).spawn();
        let sink = Ends {
            seen: seen(),
            at_ten: || async {
                let inner = Pipeline::new();
                let numbers = count(100).stage().in_group(&inner).spawn();
                let all = all()
                    .stage()
                    .subscribe_to(&numbers)
                    .in_group(&inner)
                    .spawn();
                inner.join().await.unwrap();
                assert_eq!(all.join_stage().await.unwrap().0.len(), 100);
            },
        };
        sink.stage()
            .subscribe_to(&numbers)
            .in_group(&pipeline)
            .spawn();
        within(5000, pipeline.join()).await.unwrap().unwrap();
    });
}

/// Calls itself, subscribes itself, and says what came of it.
struct CallsItself {
    me: mpsc::UnboundedReceiver<StageRef<Self, Takes<u64>, stage_runtime::handle::Nothing>>,
    told: mpsc::UnboundedSender<(CallError, stage_core::SubscribeError)>,
}

struct Ping;

impl Handler<Ping> for CallsItself {
    type Reply = u64;

    async fn handle(
        &mut self,
        Ping: Ping,
        _out: &mut Emitter<'_, std::convert::Infallible>,
    ) -> StageResult<u64> {
        Ok(7)
    }
}

impl Consumer for CallsItself {
    type Event = u64;

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        events.pop_front();
        let me = self.me.recv().await.ok_or("nobody")?;
        let called = me.call(Ping).await.unwrap_err();
        let others = count(1).stage().spawn();
        let subscribed = me.subscribe(&others).await.unwrap_err();
        self.told.send((called, subscribed))?;
        // From a task of its own both go well.
        tokio::spawn(async move {
            assert_eq!(me.call(Ping).await.unwrap(), 7);
            me.subscribe(&others).await.unwrap();
        });
        Ok(())
    }
}

#[test]
fn a_handler_that_calls_its_own_stage_is_told_that_it_cannot() {
    both(10, || async {
        let (send_me, me) = mpsc::unbounded_channel();
        let (told, mut outcomes) = mpsc::unbounded_channel();
        let numbers = count(1).stage().spawn();
        let calls = CallsItself { me, told };
        let calls = calls.stage().name("calls").subscribe_to(&numbers).spawn();
        send_me.send(calls.stage_ref()).unwrap();
        let (called, subscribed) = within(5000, outcomes.recv()).await.unwrap().unwrap();
        assert!(matches!(called, CallError::InHandler { .. }));
        let subscribed = subscribed.to_string();
        assert!(
            subscribed.contains("handler of stage `calls`"),
            "{subscribed}"
        );
        calls.stop("enough");
        calls.outcome().await;
    });
}
