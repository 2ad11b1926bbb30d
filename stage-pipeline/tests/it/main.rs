//! The tests, in one binary.

mod flow;
