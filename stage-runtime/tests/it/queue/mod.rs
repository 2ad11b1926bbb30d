//! A queue that is pushed into.

mod bounds;
mod counting;
mod ends;
mod live_stream;
mod model;
mod policies;
mod reentrant;
mod restarts;
mod send;
mod sink;
mod threads;
mod while_subscribed;

use std::sync::{Arc, Mutex};

use stage_core::Batch;
use stage_runtime::queue::Pushed;
use stage_runtime::{Shed, ShedReason};

/// What a shed hook got.
pub(crate) type Sheds<E> = Arc<Mutex<Vec<(ShedReason, Vec<E>)>>>;

/// A shed hook, and what it gets.
pub(crate) fn sheds<E: Send + 'static>() -> (Sheds<E>, impl Fn(Shed<E>) + Send + Sync + 'static) {
    let sheds = Sheds::<E>::default();
    let hook = Arc::clone(&sheds);
    (sheds, move |shed: Shed<E>| {
        let events = shed.events.into_vec();
        hook.lock().unwrap().push((shed.reason, events));
    })
}

/// A push as one word and the events that came with it.
pub(crate) fn said<E: Clone>(pushed: Pushed<E>) -> (&'static str, Vec<E>) {
    let shed = |events: Batch<E>| events.into_vec();
    match pushed {
        Pushed::Stored => ("stored", Vec::new()),
        Pushed::Shed(events) => ("shed", shed(events)),
        Pushed::NoSubscriber(event) => ("no subscriber", vec![event]),
        Pushed::Full(event) => ("full", vec![event]),
        Pushed::Gone(event) => ("gone", vec![event]),
        _ => panic!("a new way"),
    }
}

pub(crate) fn is_stored<E>(pushed: &Pushed<E>) -> bool {
    matches!(pushed, Pushed::Stored)
}
