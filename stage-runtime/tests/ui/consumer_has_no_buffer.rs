use stage_runtime::operators::for_each;
use stage_runtime::prelude::*;

fn main() {
    let _ = for_each(|_: u64| {}).stage().buffer_size(10);
}
