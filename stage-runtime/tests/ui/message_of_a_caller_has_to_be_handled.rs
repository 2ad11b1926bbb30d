use stage_runtime::operators::from_iter;
use stage_runtime::prelude::*;

struct Refill;

fn main() {
    let source = from_iter(0..3u64).stage().spawn();
    let _ = source.caller::<Refill>();
}
