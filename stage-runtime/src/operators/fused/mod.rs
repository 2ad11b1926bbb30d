//! Methods that chain closures in one stage.
//!
//! Steps that follow each other need no hand-over in between.
//! `map(f).filter_map(g).for_each(h)` is one stage. It has an event in hand until
//! the last closure has returned, so a panic in any of them loses that one event and
//! no other. Sources have no such methods: an iterator has its own.

mod filter_map;
mod map;
