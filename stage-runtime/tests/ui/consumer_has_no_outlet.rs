use stage_runtime::operators::for_each;
use stage_runtime::prelude::*;

fn main() {
    let sink = for_each(|_: u64| ()).stage().spawn();
    let _ = sink.outlet();
}
