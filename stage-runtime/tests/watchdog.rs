//! The watchdog says so when nothing moves, once.

mod common;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stage_runtime::prelude::*;
use stage_test::probe::{ProducerProbe, emit};
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn count(&self, text: &str) -> usize {
        let log = self.0.lock().expect("nobody panics with it");
        String::from_utf8_lossy(&log).matches(text).count()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panics with it").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

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
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let secs = Duration::from_secs;

    let pipeline = Pipeline::new();
    pipeline.watchdog(secs(10));
    let (probe, mut above) = ProducerProbe::<u64>::silent();
    let source = probe.stage().name("source").spawn_in(&pipeline);
    Takes(secs(100))
        .stage()
        .name("slow")
        .subscribe_to(&source)
        .spawn_in(&pipeline);
    above.demand().await;
    tokio::time::sleep(secs(60)).await;
    assert_eq!(log.count("nothing moves"), 0, "there is nothing to do");
    source.call(emit([1])).await.unwrap();
    tokio::time::sleep(secs(9)).await;
    assert_eq!(log.count("nothing moves"), 0);
    tokio::time::sleep(secs(50)).await;
    assert_eq!(log.count("nothing moves"), 1);
    assert_eq!(log.count("`slow` has been inside handle_events for"), 1);
    tokio::time::sleep(secs(60)).await;
    source.call(emit([2])).await.unwrap();
    tokio::time::sleep(secs(50)).await;
    assert_eq!(log.count("nothing moves"), 2);
}
