//! The watchdog says so when nothing moves, once.

use std::time::Duration;

use crate::common::log::Log;
use stage_runtime::prelude::*;
use stage_test::probe::{ProducerProbe, emit};
use tracing::Level;

struct Takes(Duration);

impl Consumer for Takes {
    type Event = u64;

    async fn handle_events(&mut self, _: &mut Batch<u64>, _: &mut Context<'_>) -> StageResult {
        tokio::time::sleep(self.0).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn it_logs_an_explanation_once_for_each_standstill() {
    let (log, _guard) = Log::listen(Level::WARN);
    let count = |text: &str| log.text().matches(text).count();
    let secs = Duration::from_secs;

    let pipeline = Pipeline::new();
    pipeline.watchdog(secs(10));
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().name("source").in_group(&pipeline).spawn();
    Takes(secs(100))
        .stage()
        .name("slow")
        .subscribe_to(&source)
        .in_group(&pipeline)
        .spawn();
    above.demand().await;
    tokio::time::sleep(secs(60)).await;
    assert_eq!(count("nothing moves"), 0, "there is nothing to do");
    source.call(emit([1])).await.unwrap();
    tokio::time::sleep(secs(9)).await;
    assert_eq!(count("nothing moves"), 0);
    tokio::time::sleep(secs(50)).await;
    assert_eq!(count("nothing moves"), 1);
    assert_eq!(count("`slow` has been inside handle_events for"), 1);
    tokio::time::sleep(secs(60)).await;
    source.call(emit([2])).await.unwrap();
    tokio::time::sleep(secs(50)).await;
    assert_eq!(count("nothing moves"), 2);
}
