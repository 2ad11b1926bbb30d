//! A source that restarts.

use stage_core::Bound;
use stage_runtime::RestartStrategy;
use stage_runtime::prelude::*;
use stage_runtime::queue::{QueueOptions, queue};
use stage_test::assert_settled;

use super::{is_stored, said, sheds};
use crate::common::{fail, soon};
use crate::operators::{at_once, collect_from};

/// Fails once.
struct Fails(bool);

impl Consumer for Fails {
    type Event = u64;

    async fn handle_events(&mut self, events: &mut Batch<u64>, _: &mut Context<'_>) -> StageResult {
        if std::mem::take(&mut self.0) {
            return fail("once");
        }
        for _ in events {}
        Ok(())
    }
}

/// A stage of its group fails, and the source restarts with it: what waits in the queue
/// is for its new state.
#[tokio::test(start_paused = true)]
async fn what_is_queued_is_for_the_next_state() {
    let pipeline = Pipeline::new();
    let group = pipeline.group(RestartStrategy::OneForAll);
    let (shed, hook) = sheds();
    let (inlet, source) = queue(QueueOptions::new(Bound::Events(16)).shed(hook));
    let source = supervised(source.into_factory()).restart(at_once());
    let source = source.stage().in_group(&group).spawn();
    let (ones, more) = queue(Bound::Events(16));
    let more = more.stage().in_group(&pipeline).spawn();
    let mut first = true;
    let fails = supervised(move || Fails(std::mem::take(&mut first))).restart(at_once());
    let fails = fails.stage().subscribe_to(&more).in_group(&group).spawn();

    assert!((0..5_u64).all(|n| is_stored(&inlet.push(n))));
    assert!(is_stored(&ones.push(1)));
    while source.stats().restarts == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    assert_eq!((source.stats().discarded, inlet.counts().len), (0, 5));
    assert!(is_stored(&inlet.push(5)));
    let all = collect_from(source.subscription().max_demand(2), &pipeline);
    drop((inlet, ones));
    assert_eq!(soon(all.output()).await.unwrap(), [0, 1, 2, 3, 4, 5]);
    soon(fails.join()).await.unwrap();
    soon(source.join()).await.unwrap();
    assert!(shed.lock().unwrap().is_empty());
    assert_settled(&pipeline);
}

/// It ends for good: then the queue is gone, though there was a factory.
#[tokio::test(start_paused = true)]
async fn a_supervised_source_that_ends_takes_its_queue_with_it() {
    let (shed, hook) = sheds();
    let (inlet, source) = queue(QueueOptions::new(Bound::Events(16)).shed(hook));
    let source = supervised(source.into_factory()).stage().spawn();
    assert!((0..3_u64).all(|n| is_stored(&inlet.push(n))));
    let stats = source.stage_ref();
    source.stop("enough");
    soon(source.outcome()).await;
    assert_eq!(said(inlet.push(3)), ("gone", vec![3]));
    assert_eq!(stats.stats().discarded, 3);
    assert_eq!(shed.lock().unwrap().len(), 1);
}
