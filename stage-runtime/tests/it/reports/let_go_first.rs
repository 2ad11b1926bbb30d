//! Own, after a trial of acknowledged pipelines: whoever has heard that a stage has ended
//! finds that nothing is left of it. Of sixty shutdowns forty-two had returned while
//! messages of theirs were still alive.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use stage_runtime::prelude::*;

use super::support::*;

/// Takes its time to go, and is counted until then.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        std::thread::sleep(Duration::from_millis(2));
        self.0.fetch_sub(1, SeqCst);
    }
}

/// Has something itself, and emits more than it is asked for.
struct Source {
    count: Arc<AtomicUsize>,
    _own: Alive,
}

impl Producer for Source {
    type Event = Alive;

    async fn handle_demand(&mut self, _: usize, out: &mut Emitter<'_, Alive>) -> StageResult {
        for _ in 0..20 {
            out.push(Alive::new(&self.count));
        }
        Ok(())
    }
}

/// Never comes back from its first batch, or fails at it.
struct Sink {
    fails: bool,
    _own: Alive,
}

impl Consumer for Sink {
    type Event = Alive;

    async fn handle_events(
        &mut self,
        events: &mut Batch<Alive>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        let _one = events.pop_front();
        if self.fails {
            ms(5).await;
            return Err("stumbled".into());
        }
        ms(20).await;
        Ok(())
    }
}

async fn ended(how: u8) {
    let count = Arc::<AtomicUsize>::default();
    let pipeline = Pipeline::new();
    let own = Alive::new(&count);
    let source = Source {
        count: Arc::clone(&count),
        _own: own,
    };
    let source = source.stage().name("source").in_group(&pipeline).spawn();
    let own = Alive::new(&count);
    // As a factory it holds something, too.
    let (fails, held) = (how == 0, Alive::new(&count));
    let mut own = Some(own);
    let sink = supervised(move || {
        let _held = &held;
        Sink {
            fails,
            _own: own.take().unwrap(),
        }
    });
    let sink = sink.restart(Restart::on_failure().max_restarts(0)).stage();
    let sink = sink
        .subscribe_to(source.subscription().max_demand(6).min_demand(3))
        .in_group(&pipeline)
        .spawn();
    until("events are under way", || sink.stats().events_in > 0).await;
    match how {
        0 => {}
        1 => pipeline.stop("enough"),
        2 => pipeline.shutdown().await,
        _ => {
            source.abort();
            sink.abort();
        }
    }
    source.outcome().await;
    sink.outcome().await;
    let left = count.load(SeqCst);
    assert_eq!(left, 0, "are left after both have ended, by {how}");
    drop((source, sink));
}

#[test]
fn whoever_hears_that_a_stage_has_ended_finds_nothing_left_of_it() {
    for how in 0..4 {
        for _ in 0..rounds(5) {
            both(10, move || ended(how));
        }
    }
}
