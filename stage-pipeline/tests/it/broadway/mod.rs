//! Broadway's tests, ported. The name of each begins with its number in
//! `docs/broadway.md`.

mod batch_handlers;
mod batchers;
mod crashes;
mod handle_failed;
mod options;
mod partitions;
mod prepare;
mod processors;
mod rate_limits;
mod settling;
mod shutdown;
mod sources;
mod splitters;
mod test_messages;
mod topology;
mod transforms;
mod without_batchers;
