//! Scenarios from public reports, and what users do.
