use stage_runtime::operators::{for_each, from_iter};
use stage_runtime::prelude::*;

fn main() {
    let parity = Partition::by_index(2, |n: &usize| Some(n % 2)).unwrap();
    let numbers = from_iter(0..3).stage().dispatcher(parity).spawn().outlet();
    for_each(|_: usize| ()).stage().subscribe_to(&numbers).spawn();
}
