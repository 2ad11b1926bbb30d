//! The types of a handle's input and output sides.
//!
//! They decide which methods a handle has: only a stage that takes events has
//! `subscribe`, and only a stage that emits events can be subscribed to.

use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;

/// The input side of a stage that takes events of type `E`.
pub struct Takes<E>(PhantomData<fn(E)>);

/// The output side of a stage that emits events of type `E` to subscribers with a route of
/// type `R`.
pub struct Emits<E, R>(PhantomData<fn(R) -> E>);

/// The input side of a producer and the output side of a consumer: no events.
#[derive(Debug)]
pub struct Nothing(Infallible);

/// The input side of a stage; implemented for [`Takes`] and [`Nothing`] only.
pub trait Input: sealed::Sealed + 'static {
    /// The type of the events. For a producer it is [`Infallible`], which has no values.
    type Event: Send + 'static;
}

/// The output side of a stage; implemented for [`Emits`] and [`Nothing`] only.
pub trait Output: sealed::Sealed + 'static {
    /// The type of the events. For a consumer it is [`Infallible`], which has no values.
    type Event: Send + 'static;
    /// The type of the routes by which consumers subscribe.
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
