use stage_runtime::operators::from_iter;
use stage_runtime::prelude::*;

fn main() {
    let other = from_iter(0..3u64).stage().spawn();
    let _ = from_iter(0..3u64).stage().subscribe_to(&other);
}
