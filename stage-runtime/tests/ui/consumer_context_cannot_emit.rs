use stage_runtime::prelude::*;

struct Sink;

impl Consumer for Sink {
    type Event = u64;

    async fn handle_events(&mut self, _: &mut Batch<u64>, cx: &mut Context<'_>) -> StageResult {
        cx.push(1);
        Ok(())
    }
}

fn main() {}
