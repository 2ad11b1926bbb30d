//! A task for every event (rules C).

mod auto_traits;
mod demand;
mod messages;
mod restart;
mod shutdown;
mod storm;
mod subscriptions;
mod support;
mod tasks;
mod tracing;
