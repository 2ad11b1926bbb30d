//! The protocol: batches, demand, buffer, producer side.
#![allow(clippy::unwrap_used, reason = "a panic is how a test says no")]

mod batch_model;
mod budget;
mod buffer;
mod buffer_model;
mod deliveries;
mod demand_window;
mod emitter;
mod genstage_buffer;
mod genstage_split_batches;
mod producer_side;
mod tracked;
