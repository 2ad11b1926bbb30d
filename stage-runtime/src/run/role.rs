//! One face for the three kinds of stage, so that there is one loop.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::marker::PhantomData;

use stage_core::{
    Batch, Consumer, DemandMode, Dispatcher, Emitter, Info, Outcome, Peer, Producer,
    ProducerConsumer, StageResult,
};

use super::consumer_half::ConsumerHalf;
use super::halves::{Consuming, NoConsumerHalf, NoProducerHalf, Producing};
use super::producer_half::ProducerHalf;

/// What the loop calls. A kind of stage overrides the calls it has; the others
/// do nothing and are never reached, because nothing leads to them.
pub(crate) trait Role: Send + 'static {
    type Stage: Send + 'static;
    type In: Send + 'static;
    type Out: Send + 'static;
    /// What it takes events by.
    type ConsumerHalf: Consuming<Self::In>;
    /// What it sends events by.
    type ProducerHalf<D: Dispatcher<Event = Self::Out>>: Producing<D>;

    /// Whether it handles events.
    const CONSUMES: bool;
    /// Whether it emits events.
    const PRODUCES: bool;
    /// Whether its own waker has `handle_wake` called.
    const WAKES: bool = Self::CONSUMES && !Self::PRODUCES;

    fn handle_demand(
        stage: &mut Self::Stage,
        demand: usize,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (stage, demand, out);
        ready(Ok(()))
    }

    fn handle_events(
        stage: &mut Self::Stage,
        events: &mut Batch<Self::In>,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (stage, events, out);
        ready(Ok(()))
    }

    fn producer_subscribed(
        stage: &mut Self::Stage,
        producer: &Peer,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult<DemandMode>> + Send {
        let _ = (stage, producer, out);
        ready(Ok(DemandMode::Automatic))
    }

    fn producer_cancelled(
        stage: &mut Self::Stage,
        producer: &Peer,
        outcome: &Outcome,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (stage, producer, outcome, out);
        ready(Ok(()))
    }

    fn consumer_subscribed(
        stage: &mut Self::Stage,
        consumer: &Peer,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (stage, consumer, out);
        ready(Ok(()))
    }

    fn consumer_cancelled(
        stage: &mut Self::Stage,
        consumer: &Peer,
        outcome: &Outcome,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (stage, consumer, outcome, out);
        ready(Ok(()))
    }

    fn handle_complete(
        stage: &mut Self::Stage,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (stage, out);
        ready(Ok(()))
    }

    fn handle_info(
        stage: &mut Self::Stage,
        info: Info,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send;

    fn handle_wake(
        stage: &mut Self::Stage,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (stage, out);
        ready(Ok(()))
    }

    fn handle_drain(
        stage: &mut Self::Stage,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (stage, out);
        ready(Ok(()))
    }

    fn may_complete(stage: &Self::Stage) -> bool {
        let _ = stage;
        true
    }

    fn validate(stage: &Self::Stage) -> StageResult;

    fn held(stage: &Self::Stage) -> usize;

    fn terminate(stage: &mut Self::Stage, outcome: &Outcome) -> impl Future<Output = ()> + Send;
}

pub(crate) struct ProducerRole<P>(PhantomData<fn() -> P>);

impl<P: Producer> Role for ProducerRole<P> {
    type Stage = P;
    type In = Infallible;
    type Out = P::Event;
    type ConsumerHalf = NoConsumerHalf;
    type ProducerHalf<D: Dispatcher<Event = P::Event>> = ProducerHalf<D>;

    const CONSUMES: bool = false;
    const PRODUCES: bool = true;

    fn handle_demand(
        stage: &mut P,
        demand: usize,
        out: &mut Emitter<'_, P::Event>,
    ) -> impl Future<Output = StageResult> + Send {
        stage.handle_demand(demand, out)
    }

    fn consumer_subscribed(
        stage: &mut P,
        consumer: &Peer,
        out: &mut Emitter<'_, P::Event>,
    ) -> impl Future<Output = StageResult> + Send {
        stage.handle_subscribe(consumer, out)
    }

    fn consumer_cancelled(
        stage: &mut P,
        consumer: &Peer,
        outcome: &Outcome,
        out: &mut Emitter<'_, P::Event>,
    ) -> impl Future<Output = StageResult> + Send {
        stage.handle_cancel(consumer, outcome, out)
    }

    fn handle_info(
        stage: &mut P,
        info: Info,
        out: &mut Emitter<'_, P::Event>,
    ) -> impl Future<Output = StageResult> + Send {
        stage.handle_info(info, out)
    }

    fn handle_drain(
        stage: &mut P,
        out: &mut Emitter<'_, P::Event>,
    ) -> impl Future<Output = StageResult> + Send {
        stage.handle_drain(out)
    }

    fn validate(stage: &P) -> StageResult {
        stage.validate()
    }

    fn held(stage: &P) -> usize {
        stage.held()
    }

    fn terminate(stage: &mut P, outcome: &Outcome) -> impl Future<Output = ()> + Send {
        stage.terminate(outcome)
    }
}

pub(crate) struct ConsumerRole<C>(PhantomData<fn() -> C>);

impl<C: Consumer> Role for ConsumerRole<C> {
    type Stage = C;
    type In = C::Event;
    type Out = Infallible;
    type ConsumerHalf = ConsumerHalf<C::Event>;
    type ProducerHalf<D: Dispatcher<Event = Infallible>> = NoProducerHalf;

    const CONSUMES: bool = true;
    const PRODUCES: bool = false;

    fn handle_events(
        stage: &mut C,
        events: &mut Batch<C::Event>,
        out: &mut Emitter<'_, Infallible>,
    ) -> impl Future<Output = StageResult> + Send {
        stage.handle_events(events, out.context())
    }

    fn producer_subscribed(
        stage: &mut C,
        producer: &Peer,
        out: &mut Emitter<'_, Infallible>,
    ) -> impl Future<Output = StageResult<DemandMode>> + Send {
        stage.handle_subscribe(producer, out.context())
    }

    fn producer_cancelled(
        stage: &mut C,
        producer: &Peer,
        outcome: &Outcome,
        out: &mut Emitter<'_, Infallible>,
    ) -> impl Future<Output = StageResult> + Send {
        stage.handle_cancel(producer, outcome, out.context())
    }

    fn handle_info(
        stage: &mut C,
        info: Info,
        out: &mut Emitter<'_, Infallible>,
    ) -> impl Future<Output = StageResult> + Send {
        stage.handle_info(info, out.context())
    }

    fn handle_wake(
        stage: &mut C,
        out: &mut Emitter<'_, Infallible>,
    ) -> impl Future<Output = StageResult> + Send {
        stage.handle_wake(out.context())
    }

    fn may_complete(stage: &C) -> bool {
        stage.may_complete()
    }

    fn validate(stage: &C) -> StageResult {
        stage.validate()
    }

    fn held(stage: &C) -> usize {
        stage.held()
    }

    fn terminate(stage: &mut C, outcome: &Outcome) -> impl Future<Output = ()> + Send {
        stage.terminate(outcome)
    }
}

pub(crate) struct ProducerConsumerRole<T>(PhantomData<fn() -> T>);

impl<T: ProducerConsumer> Role for ProducerConsumerRole<T> {
    type Stage = T;
    type In = T::In;
    type Out = T::Out;
    type ConsumerHalf = ConsumerHalf<T::In>;
    type ProducerHalf<D: Dispatcher<Event = T::Out>> = ProducerHalf<D>;

    const CONSUMES: bool = true;
    const PRODUCES: bool = true;

    fn handle_events(
        stage: &mut T,
        events: &mut Batch<T::In>,
        out: &mut Emitter<'_, T::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        stage.handle_events(events, out)
    }

    fn producer_subscribed(
        stage: &mut T,
        producer: &Peer,
        out: &mut Emitter<'_, T::Out>,
    ) -> impl Future<Output = StageResult<DemandMode>> + Send {
        stage.handle_producer_subscribe(producer, out)
    }

    fn producer_cancelled(
        stage: &mut T,
        producer: &Peer,
        outcome: &Outcome,
        out: &mut Emitter<'_, T::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        stage.handle_producer_cancel(producer, outcome, out)
    }

    fn consumer_subscribed(
        stage: &mut T,
        consumer: &Peer,
        out: &mut Emitter<'_, T::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        stage.handle_subscribe(consumer, out)
    }

    fn consumer_cancelled(
        stage: &mut T,
        consumer: &Peer,
        outcome: &Outcome,
        out: &mut Emitter<'_, T::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        stage.handle_cancel(consumer, outcome, out)
    }

    fn handle_complete(
        stage: &mut T,
        out: &mut Emitter<'_, T::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        stage.handle_complete(out)
    }

    fn handle_info(
        stage: &mut T,
        info: Info,
        out: &mut Emitter<'_, T::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        stage.handle_info(info, out)
    }

    fn validate(stage: &T) -> StageResult {
        stage.validate()
    }

    fn held(stage: &T) -> usize {
        stage.held()
    }

    fn terminate(stage: &mut T, outcome: &Outcome) -> impl Future<Output = ()> + Send {
        stage.terminate(outcome)
    }
}
