use stage_runtime::operators::{for_each, from_iter};
use stage_runtime::prelude::*;

fn main() {
    let source = from_iter(0..3u64).stage().spawn();
    let _ = for_each(|_: String| {}).stage().subscribe_to(&source);
}
