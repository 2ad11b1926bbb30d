//! Own: a stage waits to be restarted, and is told something meanwhile. Whatever else
//! happens in that wait, it takes notice when it is back.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use stage_runtime::ProducerHandle;
use stage_runtime::operators::for_each;
use stage_runtime::prelude::*;

use super::support::*;

/// Leaves its waker behind, and fails the first time it is asked.
struct Fails {
    left: Arc<Mutex<Option<Waker>>>,
    first: bool,
}

impl Producer for Fails {
    type Event = u64;

    async fn handle_demand(&mut self, _: usize, out: &mut Emitter<'_, u64>) -> StageResult {
        if self.first {
            *self.left.lock().unwrap() = Some(out.waker().clone());
            return Err("stumbled".into());
        }
        Ok(())
    }
}

/// A pipeline whose source has failed and waits; its waker was woken in the wait.
async fn waiting() -> (Pipeline, ProducerHandle<Fails>) {
    let (left, made) = (
        Arc::<Mutex<Option<Waker>>>::default(),
        AtomicBool::new(false),
    );
    let its = Arc::clone(&left);
    let ms = Duration::from_millis;
    let pipeline = Pipeline::new();
    let make = move || Fails {
        left: Arc::clone(&its),
        first: !made.swap(true, SeqCst),
    };
    let source = supervised(make)
        .restart(Restart::on_failure().backoff(ms(200), ms(400)))
        .stage()
        .name("source")
        .in_group(&pipeline)
        .spawn();
    for_each(|_: u64| ())
        .stage()
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    until("it has failed", || left.lock().unwrap().is_some()).await;
    super::support::ms(20).await;
    left.lock().unwrap().take().unwrap().wake();
    (pipeline, source)
}

#[test]
fn a_subscription_made_while_a_stage_waits_is_answered() {
    both(10, || async {
        let (pipeline, source) = waiting().await;
        let late = for_each(|_: u64| ()).stage().name("late").spawn();
        let answer = within(3000, late.subscribe(&source)).await;
        assert!(matches!(answer, Some(Ok(_))), "{answer:?}");
        assert_eq!(source.stats().restarts, 1);
        pipeline.shutdown().await;
    });
}

#[test]
fn a_drain_that_begins_while_a_stage_waits_comes_to_its_end() {
    both(10, || async {
        let (pipeline, _source) = waiting().await;
        pipeline.drain(Duration::from_secs(3)).await.unwrap();
    });
}

#[test]
fn a_gate_shut_while_a_stage_waits_is_shut() {
    both(10, || async {
        let (pipeline, source) = waiting().await;
        source.set_gate(Gate::Closed);
        until("the gate is shut", || {
            pipeline.snapshot().stages[0].gate_closed
        })
        .await;
        pipeline.shutdown().await;
    });
}
