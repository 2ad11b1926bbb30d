use stage_runtime::per_event::CountChildren;
use stage_runtime::prelude::*;
use stage_runtime::{handle::Caller, per_event};

fn main() {
    let jobs = per_event(|_: u64| async { Ok(()) }).stage().spawn();
    let _: Caller<CountChildren, u64> = jobs.caller();
}
