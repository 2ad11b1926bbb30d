//! `.stage()`, on whatever can be one.

use stage_core::{Consumer, Producer, ProducerConsumer};
use stage_dispatchers::Demand;

use super::{ConsumerBuilder, ProducerBuilder, ProducerConsumerBuilder};

/// `.stage()` for producers.
pub trait ProducerExt: Producer + Sized {
    /// Starts to build a stage of this producer.
    fn stage(self) -> ProducerBuilder<Self, Demand<Self::Event>> {
        ProducerBuilder::new(self)
    }
}

/// `.stage()` for consumers.
pub trait ConsumerExt: Consumer + Sized {
    /// Starts to build a stage of this consumer.
    fn stage(self) -> ConsumerBuilder<Self> {
        ConsumerBuilder::new(self)
    }
}

/// `.stage()` for producer-consumers.
pub trait ProducerConsumerExt: ProducerConsumer + Sized {
    /// Starts to build a stage of this producer-consumer.
    fn stage(self) -> ProducerConsumerBuilder<Self, Demand<Self::Out>> {
        ProducerConsumerBuilder::new(self)
    }
}

impl<P: Producer> ProducerExt for P {}
impl<C: Consumer> ConsumerExt for C {}
impl<T: ProducerConsumer> ProducerConsumerExt for T {}
