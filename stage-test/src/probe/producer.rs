//! [`ProducerProbe`]: a producer for tests.

use std::fmt;

use stage_core::{Emitter, Handler, Info, Outcome, Peer, Producer, StageResult};

use super::Act;
use super::calls::{Call, Calls, Recorder};

type Answer<E> = Box<dyn FnMut(usize, &mut Emitter<'_, E>) -> StageResult + Send>;

/// A producer that answers demand with a function of the test, and emits events
/// when the test sends it a message.
pub struct ProducerProbe<E> {
    recorder: Recorder<E>,
    answer: Answer<E>,
}

impl<E: Clone + Send + 'static> ProducerProbe<E> {
    /// Returns a producer that calls `answer` in `handle_demand`.
    pub fn new(
        answer: impl FnMut(usize, &mut Emitter<'_, E>) -> StageResult + Send + 'static,
    ) -> (Self, Calls<E>) {
        let (recorder, calls) = Recorder::new();
        let answer = Box::new(answer);
        (Self { recorder, answer }, calls)
    }

    /// Returns a producer that emits nothing on demand.
    #[must_use]
    pub fn silent() -> (Self, Calls<E>) {
        Self::new(|_, _| Ok(()))
    }

    /// Calls `hook` in every handler, which then returns its result.
    #[must_use]
    pub fn on_call(mut self, hook: impl FnMut(&Call<E>) -> StageResult + Send + 'static) -> Self {
        self.recorder.set_hook(hook);
        self
    }
}

impl ProducerProbe<u64> {
    /// Returns a producer that counts up from 0 and always meets all demand.
    #[must_use]
    pub fn counting() -> (Self, Calls<u64>) {
        let mut next = 0;
        Self::new(move |demand, out| {
            out.extend((next..).take(demand));
            next += demand as u64;
            Ok(())
        })
    }
}

impl<E: Clone + Send + 'static> Producer for ProducerProbe<E> {
    type Event = E;

    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, E>) -> StageResult {
        self.recorder.record(&Call::Demand(demand))?;
        (self.answer)(demand, out)
    }

    async fn handle_subscribe(&mut self, consumer: &Peer, _: &mut Emitter<'_, E>) -> StageResult {
        self.recorder
            .record(&Call::ConsumerJoined(consumer.clone()))
    }

    async fn handle_cancel(
        &mut self,
        consumer: &Peer,
        outcome: &Outcome,
        _: &mut Emitter<'_, E>,
    ) -> StageResult {
        let call = Call::ConsumerLeft(consumer.clone(), outcome.clone());
        self.recorder.record(&call)
    }

    async fn handle_info(&mut self, info: Info, _: &mut Emitter<'_, E>) -> StageResult {
        self.recorder.record_info(&info)
    }

    async fn terminate(&mut self, outcome: &Outcome) {
        // `terminate` cannot return an error.
        let _ = self.recorder.record(&Call::Terminated(outcome.clone()));
    }
}

impl<E: Clone + Send + 'static> Handler<Act<E>, E> for ProducerProbe<E> {
    type Reply = ();

    async fn handle(&mut self, Act(action): Act<E>, out: &mut Emitter<'_, E>) -> StageResult {
        action(out)
    }
}

impl<E> fmt::Debug for ProducerProbe<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProducerProbe")
    }
}
