//! Tests that see planted bugs which the other tests do not: see `tests/planted`.

mod limits;
mod order;
mod script;
mod verdicts;
mod wiring;
