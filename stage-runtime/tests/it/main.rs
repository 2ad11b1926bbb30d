//! What a running stage does: one binary, so that it is linked once.
//!
//! Beside it stand what needs a process or a compiler of its own: `wake_flags_model`
//! (loom), `compile_fail` (trybuild) and `no_leak`, which measures its memory.
#![allow(clippy::unwrap_used, reason = "a panic is how a test says no")]

mod absent_producers;
mod api;
mod auto_traits;
mod awaited;
mod bad_input;
mod budgets;
mod buffer;
mod bytes;
mod cancel_modes;
mod co_located;
mod common;
mod completion;
mod completion_dispatchers;
mod conservation;
mod dead_letters;
mod demand;
mod detached;
mod drain;
mod drain_points;
mod eager;
mod emitted_before;
mod evict_after;
mod evictions;
mod expendable;
mod explain;
mod faults;
mod first_pipeline;
mod forgetting;
mod gate;
mod gate_and_consumers;
mod genstage_rest;
mod group_drain;
mod hand_back;
mod handles;
mod infos;
mod infos_and_dispatchers;
mod messages;
#[cfg(feature = "metrics")]
mod metrics;
mod mutants;
mod neighbours;
mod operators;
mod outliving;
mod outliving_links;
mod panics;
mod panics_in_dispatchers;
mod per_event;
mod pipelines;
mod pools;
mod queue;
mod races;
mod random_pipelines;
mod references;
mod relays;
mod reports;
mod reroutes;
mod returned;
mod runtime_drop;
#[cfg(feature = "serde")]
mod serialize;
mod shed;
mod spawned;
mod starting;
mod stats;
mod stopping;
mod streams;
mod subscriptions;
mod supervision;
mod told_to_end;
mod tracing;
mod unmet_demand;
mod waits_for;
mod wakes;
mod warnings;
mod watchdog;
