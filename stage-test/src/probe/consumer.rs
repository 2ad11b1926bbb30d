//! [`ConsumerProbe`]: a consumer for tests.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use stage_core::{
    Batch, Consumer, Context, DemandMode, Emitter, Handler, Info, Outcome, Peer, StageResult,
};
use tokio::sync::Semaphore;

use super::Act;
use super::calls::{Call, Calls, Recorder};

/// A consumer that records its calls for the test.
pub struct ConsumerProbe<E> {
    recorder: Recorder<E>,
    mode: DemandMode,
    permits: Option<Arc<Semaphore>>,
}

impl<E: Clone + Send + 'static> ConsumerProbe<E> {
    /// Returns a consumer that asks automatically.
    #[must_use]
    pub fn new() -> (Self, Calls<E>) {
        let (recorder, calls) = Recorder::new();
        let probe = Self {
            recorder,
            mode: DemandMode::Automatic,
            permits: None,
        };
        (probe, calls)
    }

    /// Returns a consumer in manual mode, which asks only when it is told to.
    #[must_use]
    pub fn manual() -> (Self, Calls<E>) {
        let (mut probe, calls) = Self::new();
        probe.mode = DemandMode::Manual;
        (probe, calls)
    }

    /// Makes `handle_events` wait for one of `permits`, after it has recorded
    /// the call. Each batch uses up a permit.
    #[must_use]
    pub fn held_by(mut self, permits: &Arc<Semaphore>) -> Self {
        self.permits = Some(Arc::clone(permits));
        self
    }

    /// Calls `hook` in every handler, which then returns its result.
    #[must_use]
    pub fn on_call(mut self, hook: impl FnMut(&Call<E>) -> StageResult + Send + 'static) -> Self {
        self.recorder.set_hook(hook);
        self
    }
}

impl<E: Clone + Send + Sync + 'static> Consumer for ConsumerProbe<E> {
    type Event = E;

    async fn handle_events(&mut self, events: &mut Batch<E>, _: &mut Context<'_>) -> StageResult {
        self.recorder.record(&Call::Events(events.to_vec()))?;
        if let Some(permits) = &self.permits {
            permits.acquire().await?.forget();
        }
        Ok(())
    }

    async fn handle_subscribe(
        &mut self,
        producer: &Peer,
        _: &mut Context<'_>,
    ) -> StageResult<DemandMode> {
        self.recorder
            .record(&Call::ProducerJoined(producer.clone()))?;
        Ok(self.mode)
    }

    async fn handle_cancel(
        &mut self,
        producer: &Peer,
        outcome: &Outcome,
        _: &mut Context<'_>,
    ) -> StageResult {
        let call = Call::ProducerLeft(producer.clone(), outcome.clone());
        self.recorder.record(&call)
    }

    async fn handle_info(&mut self, info: Info, _: &mut Context<'_>) -> StageResult {
        self.recorder.record_info(&info)
    }

    async fn terminate(&mut self, outcome: &Outcome) {
        // `terminate` cannot return an error.
        let _ = self.recorder.record(&Call::Terminated(outcome.clone()));
    }
}

impl<E: Clone + Send + Sync + 'static> Handler<Act<Infallible>> for ConsumerProbe<E> {
    type Reply = ();

    async fn handle(
        &mut self,
        Act(action): Act<Infallible>,
        out: &mut Emitter<'_, Infallible>,
    ) -> StageResult {
        action(out)
    }
}

impl<E> fmt::Debug for ConsumerProbe<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConsumerProbe")
    }
}
