//! A producer for tests.

use std::fmt;

use stage_core::{Emitter, Handler, Info, Outcome, Peer, Producer, StageResult};

use super::Act;
use super::calls::{Call, Calls, Recorder};

type Answer<E> = Box<dyn FnMut(usize, &mut Emitter<'_, E>) -> StageResult + Send>;

/// A producer that answers demand with a function of the test's, and emits
/// whatever the test has it emit by message.
pub struct ProducerProbe<E> {
    recorder: Recorder<E>,
    answer: Answer<E>,
}

impl<E: Clone + Send + 'static> ProducerProbe<E> {
    /// A producer that calls `answer` when it is asked.
    pub fn new(
        answer: impl FnMut(usize, &mut Emitter<'_, E>) -> StageResult + Send + 'static,
    ) -> (Self, Calls<E>) {
        let (recorder, calls) = Recorder::new();
        let answer = Box::new(answer);
        (Self { recorder, answer }, calls)
    }

    /// A producer that answers demand with nothing.
    #[must_use]
    pub fn silent() -> (Self, Calls<E>) {
        Self::new(|_, _| Ok(()))
    }

    /// Calls `hook` in every handler; what it returns, the handler returns.
    #[must_use]
    pub fn on_call(mut self, hook: impl FnMut(&Call<E>) -> StageResult + Send + 'static) -> Self {
        self.recorder.set_hook(hook);
        self
    }
}

impl ProducerProbe<u64> {
    /// A producer that counts up from 0 and always emits what it is asked for.
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
        // There is nobody to return an error to.
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
