use stage_runtime::prelude::*;

struct Source;

impl Producer for Source {
    type Event = u64;

    async fn handle_demand(&mut self, _: usize, _: &mut Emitter<'_, u64>) -> StageResult {
        Ok(())
    }

    async fn handle_subscribe(&mut self, _: &Peer, _: &mut Emitter<'_, u64>) -> StageResult {
        Ok(DemandMode::Manual)
    }
}

struct Relay;

impl ProducerConsumer for Relay {
    type In = u64;
    type Out = u64;

    async fn handle_events(&mut self, _: &mut Batch<u64>, _: &mut Emitter<'_, u64>) -> StageResult {
        Ok(())
    }

    async fn handle_subscribe(&mut self, _: &Peer, _: &mut Emitter<'_, u64>) -> StageResult {
        Ok(DemandMode::Manual)
    }
}

fn main() {}
