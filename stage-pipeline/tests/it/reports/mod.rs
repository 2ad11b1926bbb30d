//! What users of Broadway and of pipelines like it have reported, and what else they do.
//! Each test names the report that it comes from; `docs/broadway.md` lists the features.

mod acknowledgements;
mod batching;
mod ending;
mod inside_handlers;
mod ordering;
mod panics;
mod pausing;
mod resizing;
mod retries;
mod runtime_ends;
mod sources;
mod spreading;
