//! What nearly every pipeline uses: `use stages::prelude::*;`.

pub use stage_core::{
    Batch, BoxError, Cancel, Consumer, Context, DemandMode, Emitter, Gate, Handle, Info, Keep,
    Outcome, Peer, Producer, ProducerConsumer, StageResult, SubscriptionId,
};
pub use stage_dispatchers::{Broadcast, Demand, Partition, Selector};

pub use crate::builder::{ConsumerExt, ProducerConsumerExt, ProducerExt};
pub use crate::closures::{
    chunks_timeout, filter_map, flat_map, fold, for_each, for_each_ref, from_channel, from_fn,
    from_iter, from_stream, map, map_in_place, unfold,
};
pub use crate::handle::{ConsumerHandle, ProducerConsumerHandle, ProducerHandle, StageHandle};
pub use crate::per_event::per_event;
pub use crate::pipeline::Pipeline;
pub use crate::restart::Restart;
pub use crate::subscription::{IntoSubscription, Subscription};
pub use crate::supervised::supervised;
