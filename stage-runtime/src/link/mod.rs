//! A link joins one consumer to one producer.
//!
//! What crosses it is a batch pointer and a counter, nothing per event: batches
//! and the terminal signal go down, demand, the cancellation and emptied
//! buffers go up. A short lock around them is fetched whole by whichever side
//! runs; no lock is ever taken inside another, and nothing is woken under one.

mod bell;
mod ends;
mod station;

pub(crate) use ends::{Arrived, ConsumerEnd, Ended, ProducerEnd, Raised, connect};
pub(crate) use station::Station;
