//! Probe stages: they run functions that a test gives them, and record every
//! call of their handlers for the test.
//!
//! | to test | put beside it |
//! |---|---|
//! | a consumer | a [`ProducerProbe`] |
//! | a producer | a [`ConsumerProbe`] |
//! | a producer and a consumer together | a [`RelayProbe`] between them |
//!
//! Every probe comes with its [`Calls`], the calls of its handlers, which a
//! test can await. Every wait has a time limit, so that a test fails instead of
//! hanging. Use tokio's paused time: it makes [`Calls::quiet`] exact.
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

/// A message that makes a probe run a function in its handler. Every probe
/// handles it. Created by [`act`] and [`emit`].
pub struct Act<E>(Action<E>);

type Action<E> = Box<dyn FnOnce(&mut Emitter<'_, E>) -> StageResult + Send>;

impl<E> fmt::Debug for Act<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Act")
    }
}

/// Returns a message that makes a probe run `action`.
pub fn act<E>(action: impl FnOnce(&mut Emitter<'_, E>) -> StageResult + Send + 'static) -> Act<E> {
    Act(Box::new(action))
}

/// Returns a message that makes a probe emit `events`.
pub fn emit<E: Send + 'static>(events: impl IntoIterator<Item = E>) -> Act<E> {
    let events: Vec<E> = events.into_iter().collect();
    act(move |out| {
        out.extend(events);
        Ok(())
    })
}
