//! `Demand` against a list that is sorted again for every event.

use std::cmp::Reverse;

use crate::common::Bench;
use proptest::prelude::*;
use stage_dispatchers::Demand;

#[derive(Debug, Clone)]
enum Op {
    Subscribe(u64),
    Cancel(u64),
    Ask(u64, usize),
    Dispatch(usize),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    // Few numbers, so that the last one leaves and the first one comes often.
    let number = || 1..5_u64;
    let op = prop_oneof![
        2 => number().prop_map(Op::Subscribe),
        1 => number().prop_map(Op::Cancel),
        6 => (number(), 1..6_usize).prop_map(|(number, demand)| Op::Ask(number, demand)),
        4 => (0..12_usize).prop_map(Op::Dispatch),
    ];
    prop::collection::vec(op, 0..200)
}

/// Subscribers and their demand, the one that has waited longest in front.
#[derive(Default)]
struct Model(Vec<(u64, usize)>);

impl Model {
    fn remove(&mut self, number: u64) -> Option<usize> {
        let at = self.0.iter().position(|(other, _)| *other == number)?;
        Some(self.0.remove(at).1)
    }

    fn dispatch(&mut self, mut events: Vec<u64>) -> (Vec<(u64, Vec<u64>)>, Vec<u64>) {
        let mut sent = Vec::new();
        while !events.is_empty() {
            let first = self.0.iter().min_by_key(|(_, demand)| Reverse(*demand));
            let Some(&(number, demand)) = first.filter(|(_, demand)| *demand > 0) else {
                break;
            };
            let rest = events.split_off(demand.min(events.len()));
            self.remove(number);
            self.0.push((number, demand - events.len()));
            sent.push((number, std::mem::replace(&mut events, rest)));
        }
        (sent, events)
    }
}

proptest! {
    #[test]
    fn the_first_is_always_the_one_in_front(ops in ops()) {
        let mut bench = Bench::new(Demand::new());
        let mut model = Model::default();
        for op in ops {
            match op {
                Op::Subscribe(number) => {
                    if model.0.iter().all(|(other, _)| *other != number) {
                        bench.subscribe(number, ());
                        model.0.push((number, 0));
                    }
                }
                Op::Cancel(number) => {
                    bench.cancel(number);
                    model.remove(number);
                }
                Op::Ask(number, demand) => {
                    bench.ask(number, demand);
                    if let Some(before) = model.remove(number) {
                        model.0.push((number, before + demand));
                    }
                }
                Op::Dispatch(count) => {
                    let events = Vec::from_iter(0..count as u64);
                    let left_over = bench.dispatch(events.clone());
                    prop_assert_eq!((bench.sent(), left_over), model.dispatch(events));
                }
            }
        }
    }
}
