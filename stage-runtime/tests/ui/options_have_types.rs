use stage_runtime::operators::{from_iter, map};
use stage_runtime::prelude::*;

fn main() {
    let _ = from_iter(0..3u64).stage().buffer_size(-1);
    let _ = from_iter(0..3u64).stage().unknown("value");
    let _ = map(|n: u64| n).stage().unknown("value");
}
