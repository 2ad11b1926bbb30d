//! Events whose destructor panics; handlers that block their thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use stage_runtime::operators::{for_each, from_iter};
use stage_runtime::prelude::*;
use stage_test::assert_settled;

use crate::common::log::Log;
use crate::common::wiring::{demanding, restarts};
use crate::common::{seeds, soon};

/// Panics when it is dropped, if it is to.
#[derive(Debug)]
struct Touchy {
    bad: bool,
    dropped: Arc<AtomicU64>,
}

impl Drop for Touchy {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Relaxed);
        // A second panic would end the process.
        assert!(!self.bad || std::thread::panicking(), "dropped");
    }
}

/// Leaves all, some or none of its batch to be dropped by the stage.
struct Leaves(fastrand::Rng);

impl Consumer for Leaves {
    type Event = Touchy;

    async fn handle_events(
        &mut self,
        events: &mut Batch<Touchy>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        match self.0.u8(0..3) {
            0 => events.advance(self.0.usize(0..=events.len())),
            1 => {
                let some = self.0.usize(0..=events.len());
                events.into_iter().take(some).for_each(drop);
            }
            _ => {}
        }
        Ok(())
    }
}

#[test]
fn an_event_whose_drop_panics_fails_its_consumer_after_the_bookkeeping() {
    seeds(200, |seed, mut random| async move {
        let count = random.u64(1..200);
        let bad = random.u64(0..count);
        let dropped = Arc::<AtomicU64>::default();
        let counted = Arc::clone(&dropped);
        let pipeline = Pipeline::new();
        let events = (0..count).map(move |n| Touchy {
            bad: n == bad,
            dropped: Arc::clone(&counted),
        });
        let source = from_iter(events).stage().in_group(&pipeline).spawn();
        for _ in 0..random.usize(1..4) {
            let mut fork = random.fork();
            supervised(move || Leaves(fork.fork()))
                .restart(restarts(&mut random))
                .stage()
                .subscribe_to(demanding(source.subscription(), &mut random, 20))
                .in_group(&pipeline)
                .spawn();
        }
        soon(pipeline.join()).await.unwrap();
        assert_settled(&pipeline);
        drop(source);
        drop(pipeline);
        tokio::task::yield_now().await;
        assert_eq!(dropped.load(Relaxed), count, "seed {seed}");
    });
}

/// In real time and once: the clock that measures a blocked thread cannot be
/// paused.
#[test]
fn a_handler_that_blocks_its_thread_is_named_in_the_log() {
    let (log, _guard) = Log::listen(tracing::Level::WARN);
    let pipeline = Pipeline::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let source = from_iter(0..2u64).stage().in_group(&pipeline).spawn();
        let blocks = for_each(|n: u64| {
            if n == 0 {
                std::thread::sleep(Duration::from_millis(1_100));
            }
        });
        blocks
            .stage()
            .name("blocker")
            .subscribe_to(&source)
            .in_group(&pipeline)
            .spawn();
        soon(pipeline.join()).await.unwrap();
    });
    assert_settled(&pipeline);
    let said = log.text();
    let warned: Vec<_> = said
        .lines()
        .filter(|line| line.contains("blocked its thread"))
        .collect();
    assert_eq!(warned.len(), 1, "{said}");
    assert!(
        warned[0].contains("WARN")
            && warned[0].contains("stage=blocker")
            && warned[0].contains("handle_events"),
        "{said}"
    );
}
