//! The dispatchers, by hand, by models and by recorded traces.
#![allow(clippy::unwrap_used, reason = "a panic is how a test says no")]

mod auto_traits;
mod broadcast;
mod common;
mod conformance;
mod demand;
mod demand_model;
mod detached;
mod genstage_broadcast;
mod genstage_demand;
mod genstage_partition;
mod partition;
mod partition_bound;
mod planted;
mod reroute;
mod strangers;
