//! One interface to the three kinds of stage, so that they share one event loop.
//!
//! The three user traits differ in their callbacks: a consumer gets a `Context`
//! where the others get an `Emitter`, and a producer-consumer names its callbacks by
//! the side that they are about. [`Role`] gives them one set of names. The event
//! loop is compiled once per stage type, and calls that a kind does not have compile
//! to nothing.

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

/// A kind of stage: its types, and the calls that the event loop makes.
///
/// Each kind overrides the calls that its user trait has. The event loop never
/// makes the others, because the halves of that kind give no reason to.
pub(crate) trait Role: Send + 'static {
    /// The user's type.
    type Stage: Send + 'static;
    /// The events it takes; [`Infallible`] for a producer.
    type In: Send + 'static;
    /// The events it emits; [`Infallible`] for a consumer.
    type Out: Send + 'static;
    /// The half that takes events.
    type ConsumerHalf: Consuming<Self::In>;
    /// The half that sends events.
    type ProducerHalf<D: Dispatcher<Event = Self::Out>>: Producing<D>;

    /// Whether the stage takes events.
    const CONSUMES: bool;
    /// Whether the stage emits events.
    const PRODUCES: bool;
    /// Makes the first call of a state.
    fn handle_start(
        stage: &mut Self::Stage,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send;

    /// Emits up to `demand` events.
    fn handle_demand(
        stage: &mut Self::Stage,
        demand: usize,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (stage, demand, out);
        ready(Ok(()))
    }

    /// Handles a batch.
    fn handle_events(
        stage: &mut Self::Stage,
        events: &mut Batch<Self::In>,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (stage, events, out);
        ready(Ok(()))
    }

    /// Reports a new subscription to a producer. Returns how to ask over it.
    fn producer_subscribed(
        stage: &mut Self::Stage,
        producer: &Peer,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult<DemandMode>> + Send {
        let _ = (stage, producer, out);
        ready(Ok(DemandMode::Automatic))
    }

    /// Reports that a subscription to a producer has ended.
    fn producer_cancelled(
        stage: &mut Self::Stage,
        producer: &Peer,
        outcome: &Outcome,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (stage, producer, outcome, out);
        ready(Ok(()))
    }

    /// Reports that a consumer has subscribed.
    fn consumer_subscribed(
        stage: &mut Self::Stage,
        consumer: &Peer,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (stage, consumer, out);
        ready(Ok(()))
    }

    /// Reports that a consumer has cancelled and settled what it was sent.
    fn consumer_cancelled(
        stage: &mut Self::Stage,
        consumer: &Peer,
        outcome: &Outcome,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (stage, consumer, outcome, out);
        ready(Ok(()))
    }

    /// Reports that all input has ended: the last chance to emit.
    fn handle_complete(
        stage: &mut Self::Stage,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (stage, out);
        ready(Ok(()))
    }

    /// Handles an info whose turn has come.
    fn handle_info(
        stage: &mut Self::Stage,
        info: Info,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send;

    /// Offers events that a consumer was sent and did not handle.
    fn handle_returned(
        stage: &mut Self::Stage,
        returned: &mut Batch<Self::Out>,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (stage, returned, out);
        ready(Ok(()))
    }

    /// Reports that the stage's own waker was woken, or its timer has run out.
    fn handle_wake(
        stage: &mut Self::Stage,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send;

    /// Reports to a stage that emits that it drains.
    fn handle_drain(
        stage: &mut Self::Stage,
        out: &mut Emitter<'_, Self::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        let _ = (stage, out);
        ready(Ok(()))
    }

    /// Whether a stage that is otherwise done may complete now.
    fn may_complete(stage: &Self::Stage) -> bool;

    /// Checks the options of the stage itself, before it is spawned and after each
    /// restart.
    fn validate(stage: &Self::Stage) -> StageResult;

    /// Returns how many events the state of the stage holds.
    fn held(stage: &Self::Stage) -> usize;

    /// Makes the last call of a state.
    fn terminate(stage: &mut Self::Stage, outcome: &Outcome) -> impl Future<Output = ()> + Send;
}

/// The role of a [`Producer`].
pub(crate) struct ProducerRole<P>(PhantomData<fn() -> P>);

impl<P: Producer> Role for ProducerRole<P> {
    type Stage = P;
    type In = Infallible;
    type Out = P::Event;
    type ConsumerHalf = NoConsumerHalf;
    type ProducerHalf<D: Dispatcher<Event = P::Event>> = ProducerHalf<D>;

    const CONSUMES: bool = false;
    const PRODUCES: bool = true;

    fn handle_start(
        stage: &mut P,
        out: &mut Emitter<'_, P::Event>,
    ) -> impl Future<Output = StageResult> + Send {
        stage.handle_start(out)
    }

    fn handle_returned(
        stage: &mut P,
        returned: &mut Batch<P::Event>,
        out: &mut Emitter<'_, P::Event>,
    ) -> impl Future<Output = StageResult> + Send {
        stage.handle_returned(returned, out)
    }

    fn handle_wake(
        stage: &mut P,
        out: &mut Emitter<'_, P::Event>,
    ) -> impl Future<Output = StageResult> + Send {
        stage.handle_wake(out)
    }

    fn may_complete(stage: &P) -> bool {
        stage.may_complete()
    }

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

/// The role of a [`Consumer`].
pub(crate) struct ConsumerRole<C>(PhantomData<fn() -> C>);

impl<C: Consumer> Role for ConsumerRole<C> {
    type Stage = C;
    type In = C::Event;
    type Out = Infallible;
    type ConsumerHalf = ConsumerHalf<C::Event>;
    type ProducerHalf<D: Dispatcher<Event = Infallible>> = NoProducerHalf;

    const CONSUMES: bool = true;
    const PRODUCES: bool = false;

    fn handle_start(
        stage: &mut C,
        out: &mut Emitter<'_, Infallible>,
    ) -> impl Future<Output = StageResult> + Send {
        stage.handle_start(out.context())
    }

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

/// The role of a [`ProducerConsumer`].
pub(crate) struct ProducerConsumerRole<T>(PhantomData<fn() -> T>);

impl<T: ProducerConsumer> Role for ProducerConsumerRole<T> {
    type Stage = T;
    type In = T::In;
    type Out = T::Out;
    type ConsumerHalf = ConsumerHalf<T::In>;
    type ProducerHalf<D: Dispatcher<Event = T::Out>> = ProducerHalf<D>;

    const CONSUMES: bool = true;
    const PRODUCES: bool = true;

    fn handle_start(
        stage: &mut T,
        out: &mut Emitter<'_, T::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        stage.handle_start(out)
    }

    fn handle_returned(
        stage: &mut T,
        returned: &mut Batch<T::Out>,
        out: &mut Emitter<'_, T::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        stage.handle_returned(returned, out)
    }

    fn handle_wake(
        stage: &mut T,
        out: &mut Emitter<'_, T::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        stage.handle_wake(out)
    }

    fn may_complete(stage: &T) -> bool {
        stage.may_complete()
    }

    fn handle_drain(
        stage: &mut T,
        out: &mut Emitter<'_, T::Out>,
    ) -> impl Future<Output = StageResult> + Send {
        stage.handle_drain(out)
    }

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
