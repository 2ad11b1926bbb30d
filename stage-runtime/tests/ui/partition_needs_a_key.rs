use stage_runtime::operators::{for_each, from_iter};
use stage_runtime::prelude::*;

fn main() {
    let parts = Partition::<u64>::new(2).unwrap();
    let words = from_iter(0..3u64).stage().dispatcher(parts).spawn();
    let _ = for_each(|_: u64| {}).stage().subscribe_to(&words);
}
