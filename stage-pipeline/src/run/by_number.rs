//! [`ByNumber`]: one type for the dispatchers of a pool, with or without partitions.

use std::num::NonZeroUsize;

use stages::dispatcher::{Bottleneck, Deliveries, Dispatcher, PartitionRoute, Supply};

use stages::{Batch, Demand, Partition, SubscribeError, SubscriptionId};

use super::BuildError;
use crate::message::Message;

/// A dispatcher whose subscribers say their number in the pool, whether it matters to
/// `D` or not.
pub(crate) struct ByNumber<D: Dispatcher> {
    dispatcher: D,
    route: fn(usize) -> D::Route,
}

/// A dispatcher of any kind, by number.
pub(crate) type Numbered<E> = Box<dyn Dispatcher<Event = E, Route = usize>>;

/// Which member of the next pool gets a message.
#[derive(Debug, Clone)]
pub(crate) enum Routes {
    /// Whoever has asked for most.
    Any,
    /// The member that the partition of the message belongs to, of so many.
    Partitions(usize),
    /// The batcher that the message names.
    Batchers(Vec<&'static str>),
}

/// The messages that may wait for a slow partition or batcher, before it holds up the
/// others.
const QUEUED: usize = 100;

impl Routes {
    pub(crate) fn dispatcher<T: Send + 'static>(&self) -> Result<Numbered<Message<T>>, BuildError> {
        match self {
            Self::Batchers(names) if names.len() > 1 => {
                let count = names.len();
                let names = names.clone();
                partitions(count, move |message: &Message<T>| {
                    Some(
                        message
                            .batcher()
                            .and_then(|name| index_of(&names, name))
                            .unwrap_or(0),
                    )
                })
            }
            Self::Any | Self::Batchers(_) => Ok(ByNumber::any()),
            &Self::Partitions(count) => partitions(count, move |message: &Message<T>| {
                Some(message.envelope.partition as usize % count)
            }),
        }
    }
}

pub(crate) fn index_of(names: &[&'static str], name: &str) -> Option<usize> {
    names.iter().position(|known| *known == name)
}

/// A dispatcher of `count` partitions, which `index` chooses.
pub(crate) fn partitions<E: Send + 'static>(
    count: usize,
    index: impl Fn(&E) -> Option<usize> + Send + 'static,
) -> Result<Numbered<E>, BuildError> {
    let dispatcher =
        Partition::by_index(count, index).map_err(|error| BuildError::Stages(error.into()))?;
    Ok(Box::new(ByNumber {
        dispatcher: dispatcher.queue_bound(QUEUED),
        route: PartitionRoute::to_partition,
    }))
}

impl<E: Send + 'static> ByNumber<Demand<E>> {
    /// A dispatcher that gives events to whoever has asked for most.
    pub(crate) fn any() -> Numbered<E> {
        Box::new(Self {
            dispatcher: Demand::new(),
            route: |_| (),
        })
    }
}

impl<D: Dispatcher> Dispatcher for ByNumber<D> {
    type Event = D::Event;
    type Route = usize;

    fn subscribe(&mut self, id: SubscriptionId, number: usize) -> Result<usize, SubscribeError> {
        self.dispatcher.subscribe(id, (self.route)(number))
    }

    fn cancel(&mut self, id: SubscriptionId, out: &mut Deliveries<D::Event>) -> usize {
        self.dispatcher.cancel(id, out)
    }

    fn ask(
        &mut self,
        id: SubscriptionId,
        demand: NonZeroUsize,
        out: &mut Deliveries<D::Event>,
    ) -> usize {
        self.dispatcher.ask(id, demand, out)
    }

    fn dispatch(
        &mut self,
        events: Batch<D::Event>,
        out: &mut Deliveries<D::Event>,
    ) -> Batch<D::Event> {
        self.dispatcher.dispatch(events, out)
    }

    fn at_rest(&mut self, supply: Supply) -> usize {
        self.dispatcher.at_rest(supply)
    }

    fn take_back(
        &mut self,
        id: SubscriptionId,
        unhandled: Vec<Batch<D::Event>>,
        out: &mut Deliveries<D::Event>,
    ) -> usize {
        self.dispatcher.take_back(id, unhandled, out)
    }

    fn bottleneck(&self) -> Option<Bottleneck> {
        self.dispatcher.bottleneck()
    }

    fn held(&self) -> usize {
        self.dispatcher.held()
    }

    fn take_held(&mut self) -> Vec<Batch<D::Event>> {
        self.dispatcher.take_held()
    }
}
