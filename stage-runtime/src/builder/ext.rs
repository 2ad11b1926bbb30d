//! The extension traits with `.stage()`.

use stage_core::{Consumer, Producer, ProducerConsumer};
use stage_dispatchers::Demand;

use super::{ConsumerBuilder, ProducerBuilder, ProducerConsumerBuilder};
use crate::supervised::{Source, Supervised};

/// `.stage()` for producers, [supervised](crate::supervised) or not.
pub trait ProducerExt {
    /// The producer.
    type Producer: Producer;

    /// Returns a builder for a stage that runs this producer.
    fn stage(self) -> ProducerBuilder<Self::Producer, Demand<<Self::Producer as Producer>::Event>>;
}

/// `.stage()` for consumers, [supervised](crate::supervised) or not.
pub trait ConsumerExt {
    /// The consumer.
    type Consumer: Consumer;

    /// Returns a builder for a stage that runs this consumer.
    fn stage(self) -> ConsumerBuilder<Self::Consumer>;
}

/// `.stage()` for producer-consumers, [supervised](crate::supervised) or not.
pub trait ProducerConsumerExt {
    /// The producer-consumer.
    type ProducerConsumer: ProducerConsumer;

    /// Returns a builder for a stage that runs this producer-consumer.
    fn stage(
        self,
    ) -> ProducerConsumerBuilder<
        Self::ProducerConsumer,
        Demand<<Self::ProducerConsumer as ProducerConsumer>::Out>,
    >;
}

impl<P: Producer> ProducerExt for P {
    type Producer = P;

    fn stage(self) -> ProducerBuilder<P, Demand<P::Event>> {
        ProducerBuilder::new(Source::once(self))
    }
}

impl<P: Producer> ProducerExt for Supervised<P> {
    type Producer = P;

    fn stage(self) -> ProducerBuilder<P, Demand<P::Event>> {
        ProducerBuilder::new(self.into())
    }
}

impl<C: Consumer> ConsumerExt for C {
    type Consumer = C;

    fn stage(self) -> ConsumerBuilder<C> {
        ConsumerBuilder::new(Source::once(self))
    }
}

impl<C: Consumer> ConsumerExt for Supervised<C> {
    type Consumer = C;

    fn stage(self) -> ConsumerBuilder<C> {
        ConsumerBuilder::new(self.into())
    }
}

impl<T: ProducerConsumer> ProducerConsumerExt for T {
    type ProducerConsumer = T;

    fn stage(self) -> ProducerConsumerBuilder<T, Demand<T::Out>> {
        ProducerConsumerBuilder::new(Source::once(self))
    }
}

impl<T: ProducerConsumer> ProducerConsumerExt for Supervised<T> {
    type ProducerConsumer = T;

    fn stage(self) -> ProducerConsumerBuilder<T, Demand<T::Out>> {
        ProducerConsumerBuilder::new(self.into())
    }
}
