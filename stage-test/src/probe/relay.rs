//! [`RelayProbe`]: a producer-consumer for tests.

use std::fmt;

use stage_core::{
    Batch, DemandMode, Emitter, Handler, Info, Outcome, Peer, ProducerConsumer, StageResult,
};

use super::Act;
use super::calls::{Call, Calls, Recorder};

type Relay<I, O> = Box<dyn FnMut(&mut Batch<I>, &mut Emitter<'_, O>) -> StageResult + Send>;
type Last<O> = Box<dyn FnMut(&mut Emitter<'_, O>) -> StageResult + Send>;

/// A producer-consumer that handles events with a function of the test.
pub struct RelayProbe<I, O> {
    recorder: Recorder<I>,
    relay: Relay<I, O>,
    last: Last<O>,
}

impl<I, O> RelayProbe<I, O>
where
    I: Clone + Send + 'static,
    O: Send + 'static,
{
    /// Returns a producer-consumer that calls `relay` with every batch.
    pub fn new(
        relay: impl FnMut(&mut Batch<I>, &mut Emitter<'_, O>) -> StageResult + Send + 'static,
    ) -> (Self, Calls<I>) {
        let (recorder, calls) = Recorder::new();
        let probe = Self {
            recorder,
            relay: Box::new(relay),
            last: Box::new(|_| Ok(())),
        };
        (probe, calls)
    }

    /// Calls `last` in `handle_complete`.
    #[must_use]
    pub fn at_the_end(
        mut self,
        last: impl FnMut(&mut Emitter<'_, O>) -> StageResult + Send + 'static,
    ) -> Self {
        self.last = Box::new(last);
        self
    }

    /// Calls `hook` in every handler, which then returns its result.
    #[must_use]
    pub fn on_call(mut self, hook: impl FnMut(&Call<I>) -> StageResult + Send + 'static) -> Self {
        self.recorder.set_hook(hook);
        self
    }
}

impl<I, O> ProducerConsumer for RelayProbe<I, O>
where
    I: Clone + Send + Sync + 'static,
    O: Send + 'static,
{
    type In = I;
    type Out = O;

    async fn handle_events(
        &mut self,
        events: &mut Batch<I>,
        out: &mut Emitter<'_, O>,
    ) -> StageResult {
        self.recorder.record(&Call::Events(events.to_vec()))?;
        (self.relay)(events, out)
    }

    async fn handle_producer_subscribe(
        &mut self,
        producer: &Peer,
        _: &mut Emitter<'_, O>,
    ) -> StageResult<DemandMode> {
        self.recorder
            .record(&Call::ProducerJoined(producer.clone()))?;
        Ok(DemandMode::Automatic)
    }

    async fn handle_producer_cancel(
        &mut self,
        producer: &Peer,
        outcome: &Outcome,
        _: &mut Emitter<'_, O>,
    ) -> StageResult {
        let call = Call::ProducerLeft(producer.clone(), outcome.clone());
        self.recorder.record(&call)
    }

    async fn handle_subscribe(&mut self, consumer: &Peer, _: &mut Emitter<'_, O>) -> StageResult {
        self.recorder
            .record(&Call::ConsumerJoined(consumer.clone()))
    }

    async fn handle_cancel(
        &mut self,
        consumer: &Peer,
        outcome: &Outcome,
        _: &mut Emitter<'_, O>,
    ) -> StageResult {
        let call = Call::ConsumerLeft(consumer.clone(), outcome.clone());
        self.recorder.record(&call)
    }

    async fn handle_info(&mut self, info: Info, _: &mut Emitter<'_, O>) -> StageResult {
        self.recorder.record_info(&info)
    }

    async fn handle_complete(&mut self, out: &mut Emitter<'_, O>) -> StageResult {
        self.recorder.record(&Call::Completing)?;
        (self.last)(out)
    }

    async fn terminate(&mut self, outcome: &Outcome) {
        // `terminate` cannot return an error.
        let _ = self.recorder.record(&Call::Terminated(outcome.clone()));
    }
}

impl<I, O> Handler<Act<O>, O> for RelayProbe<I, O>
where
    I: Clone + Send + 'static,
    O: Send + 'static,
{
    type Reply = ();

    async fn handle(&mut self, Act(action): Act<O>, out: &mut Emitter<'_, O>) -> StageResult {
        action(out)
    }
}

impl<I, O> fmt::Debug for RelayProbe<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RelayProbe")
    }
}
