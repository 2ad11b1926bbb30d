//! What a stage takes and emits, as types: a producer has no `subscribe`, a
//! consumer nothing to subscribe to.

use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;

/// Takes events of type `E`.
pub struct Takes<E>(PhantomData<fn(E)>);

/// Emits events of type `E`, to subscribers that say a route of type `R`.
pub struct Emits<E, R>(PhantomData<fn(R) -> E>);

/// Takes, or emits, no events.
#[derive(Debug)]
pub struct Nothing(Infallible);

/// What a stage takes; implemented for [`Takes`] and [`Nothing`] only.
pub trait Input: sealed::Sealed {
    /// The type of the events; [`Infallible`], of which there are none, for a
    /// producer.
    type Event: Send + 'static;
}

/// What a stage emits; implemented for [`Emits`] and [`Nothing`] only.
pub trait Output: sealed::Sealed {
    /// The type of the events; [`Infallible`], of which there are none, for a
    /// consumer.
    type Event: Send + 'static;
    /// What a subscriber must say.
    type Route: Send + 'static;
}

impl<E: Send + 'static> Input for Takes<E> {
    type Event = E;
}

impl Input for Nothing {
    type Event = Infallible;
}

impl<E: Send + 'static, R: Send + 'static> Output for Emits<E, R> {
    type Event = E;
    type Route = R;
}

impl Output for Nothing {
    type Event = Infallible;
    type Route = ();
}

impl<E> fmt::Debug for Takes<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Takes")
    }
}

impl<E, R> fmt::Debug for Emits<E, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Emits")
    }
}

mod sealed {
    pub trait Sealed {}
    impl<E> Sealed for super::Takes<E> {}
    impl<E, R> Sealed for super::Emits<E, R> {}
    impl Sealed for super::Nothing {}
}
