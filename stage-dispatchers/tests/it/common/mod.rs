//! Short words for driving a dispatcher by hand.

use std::num::NonZeroUsize;

use stage_core::{Batch, Deliveries, Dispatcher, SubscriptionId};

pub(crate) fn id(number: u64) -> SubscriptionId {
    SubscriptionId::new(number)
}

/// A dispatcher and what it wrote.
pub(crate) struct Bench<D: Dispatcher> {
    pub(crate) dispatcher: D,
    pub(crate) out: Deliveries<D::Event>,
}

impl<D: Dispatcher> Bench<D> {
    pub(crate) fn new(dispatcher: D) -> Self {
        Self {
            dispatcher,
            out: Deliveries::new(),
        }
    }

    pub(crate) fn subscribe(&mut self, number: u64, route: D::Route) {
        assert_eq!(self.dispatcher.subscribe(id(number), route), Ok(0));
    }

    pub(crate) fn ask(&mut self, number: u64, demand: usize) -> usize {
        let demand = NonZeroUsize::new(demand).expect("demand is at least 1");
        self.dispatcher.ask(id(number), demand, &mut self.out)
    }

    /// Cancels a subscriber that has nothing to give back.
    pub(crate) fn cancel(&mut self, number: u64) -> usize {
        self.leave(number) + self.take_back(number, [])
    }

    /// Cancels a subscriber that still handles what it was delivered.
    pub(crate) fn leave(&mut self, number: u64) -> usize {
        self.dispatcher.cancel(id(number), &mut self.out)
    }

    /// The subscriber is done, and gives these back.
    pub(crate) fn take_back(
        &mut self,
        number: u64,
        events: impl IntoIterator<Item = D::Event>,
    ) -> usize {
        let unhandled = vec![Batch::from_iter(events)];
        self.dispatcher
            .take_back(id(number), unhandled, &mut self.out)
    }

    /// Dispatches; returns what is left over.
    pub(crate) fn dispatch(&mut self, events: impl IntoIterator<Item = D::Event>) -> Vec<D::Event> {
        let events = Batch::from_iter(events);
        self.dispatcher.dispatch(events, &mut self.out).into_vec()
    }

    /// What was sent since the last call.
    pub(crate) fn sent(&mut self) -> Vec<(u64, Vec<D::Event>)> {
        self.out
            .take_sends()
            .map(|(to, batch)| (to.get(), batch.into_vec()))
            .collect()
    }
}
