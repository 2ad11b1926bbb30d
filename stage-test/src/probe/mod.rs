//! Probe stages: they do what a test tells them, and tell the test of every
//! call of their handlers.
//!
//! | to test | put beside it |
//! |---|---|
//! | a consumer | a [`ProducerProbe`] |
//! | a producer | a [`ConsumerProbe`] |
//! | what goes through the middle | a [`RelayProbe`] |
//!
//! Every probe comes with its [`Calls`]: what its handlers were called with,
//! to be awaited. Waiting has an end, so that a test that would hang fails.
//! Use tokio's paused time: then [`Calls::quiet`] is exact.
//!
//! ```no_run
//! use stage_test::probe::{Call, Calls, ConsumerProbe};
//!
//! # async fn test() {
//! let (probe, mut calls): (ConsumerProbe<u64>, Calls<u64>) = ConsumerProbe::new();
//! // Subscribe the probe to the producer under test and spawn it, then:
//! assert_eq!(calls.events().await, [0, 1, 2]);
//! calls.quiet().await;
//! # }
//! ```

mod calls;
mod consumer;
mod producer;
mod relay;

use std::fmt;

use stage_core::{Emitter, StageResult};

pub use calls::{Call, Calls};
pub use consumer::ConsumerProbe;
pub use producer::ProducerProbe;
pub use relay::RelayProbe;

/// A message that has a probe run a function in its handler: every probe takes
/// it. Made by [`act`] and [`emit`].
pub struct Act<E>(Action<E>);

type Action<E> = Box<dyn FnOnce(&mut Emitter<'_, E>) -> StageResult + Send>;

impl<E> fmt::Debug for Act<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Act")
    }
}

/// Has a probe run `action`.
pub fn act<E>(action: impl FnOnce(&mut Emitter<'_, E>) -> StageResult + Send + 'static) -> Act<E> {
    Act(Box::new(action))
}

/// Has a probe emit `events`.
pub fn emit<E: Send + 'static>(events: impl IntoIterator<Item = E>) -> Act<E> {
    let events: Vec<E> = events.into_iter().collect();
    act(move |out| {
        out.extend(events);
        Ok(())
    })
}
