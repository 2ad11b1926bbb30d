//! Faults, each injected under many seeds. Every test closes with two checks:
//! what was asked over a link is what was delivered or is outstanding or was
//! cancelled, and every event that entered is accounted for once.
//!
//! | file | faults |
//! |---|---|
//! | `chunks` | a size trigger that races a time trigger |
//! | `consumer` | a consumer fails inside a batch, is slow, never asks |
//! | `dropped` | futures dropped, tasks aborted |
//! | `producer` | a producer fails |
//! | `shutdown` | the runtime goes away |
//! | `supply` | a producer emits more or less than it was asked for |
//! | `dispatch` | hashes and selectors that panic or name nothing, owners that change |
//! | `handles` | handles dropped, stages stopped and drained more than once |
//! | `limits` | demand and options at the edge of what there is |
//! | `events` | events whose destructor panics, handlers that block |

mod chunks;
mod consumer;
mod dispatch;
mod dropped;
mod events;
mod handles;
mod limits;
mod producer;
mod shutdown;
mod supply;
