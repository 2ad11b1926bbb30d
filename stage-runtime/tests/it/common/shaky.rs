//! A source and a relay that fail now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use stage_runtime::prelude::*;

use super::failure_plan::Shaky;

/// Emits numbers that no other source emits, up to a limit that few reach, and
/// fails now and then before it emits one.
pub(crate) struct Source {
    pub(crate) next: Arc<AtomicU64>,
    /// Has an end, or time that is paused would not go on beside it.
    pub(crate) left: Arc<AtomicU64>,
    pub(crate) shaky: Shaky,
    pub(crate) slow: bool,
}

impl Producer for Source {
    type Event = u64;

    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, u64>) -> StageResult {
        if self.slow {
            tokio::time::sleep(Duration::from_millis(self.shaky.random.u64(0..3))).await;
        }
        for _ in 0..demand {
            if self.left.load(Relaxed) == 0 {
                out.complete();
                break;
            }
            if self.shaky.stumbles() {
                return self.shaky.stumble();
            }
            self.left.fetch_sub(1, Relaxed);
            out.push(self.next.fetch_add(1, Relaxed));
        }
        Ok(())
    }
}

/// Hands events on; fails now and then, and loses the event it had taken.
pub(crate) struct Relay {
    pub(crate) shaky: Shaky,
    pub(crate) slow: bool,
}

impl ProducerConsumer for Relay {
    type In = u64;
    type Out = u64;

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        out: &mut Emitter<'_, u64>,
    ) -> StageResult {
        if self.slow {
            tokio::time::sleep(Duration::from_millis(self.shaky.random.u64(0..3))).await;
        }
        while let Some(n) = events.pop_front() {
            if self.shaky.stumbles() {
                self.shaky.failure_plan.note(n, "lost");
                return self.shaky.stumble();
            }
            out.push(n);
        }
        Ok(())
    }
}
