//! What can be done with a stage that emits events.

use std::sync::Arc;

use stage_core::Gate;
use stage_dispatchers::Selector;

use super::kind::{Emits, Input};
use super::{StageHandle, StageRef};
use crate::control::ProducerControlSender;
use crate::producer_control::ProducerControl;
use crate::subscription::{IntoSubscription, ProducerRef, Subscription};

impl<S, I, E, R> StageRef<S, I, Emits<E, R>>
where
    I: Input,
    E: Send + 'static,
    R: Send + 'static,
{
    /// A subscription by the given route: how one subscribes to a producer
    /// with a dispatcher of one's own.
    pub fn route(&self, route: R) -> Subscription<E> {
        Subscription::new(
            ProducerRef {
                shared: Arc::clone(&self.shared),
                control: Arc::clone(&self.control) as ProducerControlSender<E, R>,
            },
            route,
        )
    }

    /// Opens or shuts the producer's gate. With [`Gate::Closed`] demand is
    /// collected and no event leaves; [`Gate::Open`] lets everything go. A
    /// stage that has ended is past caring.
    pub fn set_gate(&self, gate: Gate) {
        if self
            .control
            .send_to_producer(ProducerControl::SetGate(gate))
            .is_ok()
        {
            self.shared.notifier.notify();
        }
    }
}

impl<S, I: Input, E: Send + 'static> StageRef<S, I, Emits<E, ()>> {
    /// A subscription, to say how much to ask for; a plain reference to the
    /// handle stands for one with the defaults.
    #[must_use]
    pub fn subscription(&self) -> Subscription<E> {
        self.route(())
    }
}

impl<S, I: Input, E: Send + 'static> StageRef<S, I, Emits<E, Selector<E>>> {
    /// A subscription to all events; a plain reference to the handle stands
    /// for one with the defaults.
    #[must_use]
    pub fn subscription(&self) -> Subscription<E> {
        self.route(Selector::all())
    }

    /// A subscription to the events that `selects` says yes to.
    pub fn selector(&self, selects: impl Fn(&E) -> bool + Send + 'static) -> Subscription<E> {
        self.route(Selector::new(selects))
    }
}

impl<S, I: Input, E: Send + 'static, K: Send + 'static> StageRef<S, I, Emits<E, K>> {
    /// A subscription to one partition: [`route`](StageRef::route) by the name
    /// that reads well where the route is the key of a partition.
    pub fn partition(&self, partition: K) -> Subscription<E> {
        self.route(partition)
    }
}

impl<S, I: Input, E: Send + 'static> IntoSubscription<E> for &StageRef<S, I, Emits<E, ()>> {
    fn into_subscription(self) -> Subscription<E> {
        self.subscription()
    }
}

impl<S, I: Input, E: Send + 'static> IntoSubscription<E> for &StageHandle<S, I, Emits<E, ()>> {
    fn into_subscription(self) -> Subscription<E> {
        self.subscription()
    }
}

impl<S, I: Input, E: Send + 'static> IntoSubscription<E>
    for &StageRef<S, I, Emits<E, Selector<E>>>
{
    fn into_subscription(self) -> Subscription<E> {
        self.subscription()
    }
}

impl<S, I: Input, E: Send + 'static> IntoSubscription<E>
    for &StageHandle<S, I, Emits<E, Selector<E>>>
{
    fn into_subscription(self) -> Subscription<E> {
        self.subscription()
    }
}
