use stage_runtime::prelude::*;

struct Sink;

impl Consumer for Sink {
    type Event = u64;

    async fn handle_events(&mut self, _: &mut Batch<u64>, _: &mut Context<'_>) -> StageResult {
        Ok(())
    }

    async fn handle_subscribe(
        &mut self,
        _: &Peer,
        _: &mut Context<'_>,
    ) -> StageResult<DemandMode> {
        Ok("unknown")
    }
}

struct Relay;

impl ProducerConsumer for Relay {
    type In = u64;
    type Out = u64;

    async fn handle_events(&mut self, _: &mut Batch<u64>, _: &mut Emitter<'_, u64>) -> StageResult {
        Ok(())
    }

    async fn handle_producer_subscribe(
        &mut self,
        _: &Peer,
        _: &mut Emitter<'_, u64>,
    ) -> StageResult<DemandMode> {
        Ok("unknown")
    }
}

fn main() {}
