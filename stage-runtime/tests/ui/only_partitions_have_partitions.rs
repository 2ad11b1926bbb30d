use stage_runtime::operators::{for_each, from_iter};
use stage_runtime::prelude::*;

fn main() {
    let by_demand = from_iter(0..3u64).stage().spawn();
    let _ = for_each(|_: u64| {}).stage().subscribe_to(by_demand.partition(()));
    let to_all = from_iter(0..3u64).stage().dispatcher(Broadcast::new()).spawn();
    let _ = for_each(|_: u64| {}).stage().subscribe_to(to_all.partition(Selector::all()));
}
