//! `Buffer` against a flat list of events and infos.

use proptest::prelude::*;
use stage_core::{Batch, Buffer, Overflow};

#[derive(Debug, Clone)]
enum Op {
    Store(usize),
    Info,
    Take(usize),
    HandBack(Vec<usize>),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (0..9_usize).prop_map(Op::Store),
        2 => Just(Op::Info),
        4 => (0..9_usize).prop_map(Op::Take),
        1 => prop::collection::vec(0..4_usize, 0..4).prop_map(Op::HandBack),
    ];
    prop::collection::vec(op, 0..40)
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Entry {
    Event(u64),
    Info(u64),
}

/// One entry after the other, with no thought of speed.
#[derive(Debug)]
struct Model {
    entries: Vec<Entry>,
    bound: Option<usize>,
    keep: Overflow,
}

impl Model {
    fn events(&self) -> usize {
        let is_event = |entry: &&Entry| matches!(entry, Entry::Event(_));
        self.entries.iter().filter(is_event).count()
    }

    fn store(&mut self, events: &[u64]) -> (usize, Vec<u64>) {
        let (mut discarded, mut infos) = (0, Vec::new());
        for event in events {
            if self.bound.is_none_or(|bound| self.events() < bound) {
                self.entries.push(Entry::Event(*event));
                continue;
            }
            discarded += 1;
            if self.keep == Overflow::DropOldest {
                self.entries.push(Entry::Event(*event));
                self.drop_oldest(&mut infos);
            }
        }
        (discarded, infos)
    }

    fn drop_oldest(&mut self, infos: &mut Vec<u64>) {
        while let Entry::Info(info) = self.entries[0] {
            infos.push(info);
            self.entries.remove(0);
        }
        self.entries.remove(0);
        self.pop_infos(infos);
    }

    fn pop_infos(&mut self, infos: &mut Vec<u64>) {
        while let Some(Entry::Info(info)) = self.entries.first() {
            infos.push(*info);
            self.entries.remove(0);
        }
    }

    fn take(&mut self, count: usize) -> (Vec<u64>, Vec<u64>) {
        let (mut events, mut infos) = (Vec::new(), Vec::new());
        while events.len() < count && infos.is_empty() && !self.entries.is_empty() {
            match self.entries.remove(0) {
                Entry::Info(info) => infos.push(info),
                Entry::Event(event) => {
                    events.push(event);
                    if self.bound.is_some() {
                        self.pop_infos(&mut infos);
                    }
                }
            }
        }
        (events, infos)
    }
}

fn numbers(next: &mut u64, count: usize) -> Vec<u64> {
    let first = *next;
    *next += count as u64;
    (first..*next).collect()
}

proptest! {
    #[test]
    fn a_buffer_is_a_list(
        bound in prop::option::of(0..12_usize),
        keep in prop_oneof![Just(Overflow::DropNewest), Just(Overflow::DropOldest)],
        ops in ops(),
    ) {
        let mut buffer = Buffer::new(bound, keep);
        let mut model = Model { entries: Vec::new(), bound, keep };
        let mut next = 0;
        for op in ops {
            match op {
                Op::Store(count) => {
                    let events = numbers(&mut next, count);
                    let stored = buffer.store(Batch::from(events.clone()));
                    prop_assert_eq!((stored.discarded, stored.infos), model.store(&events));
                }
                Op::Info => {
                    let info = numbers(&mut next, 1)[0];
                    let due = buffer.store_info(info).is_err();
                    prop_assert_eq!(due, model.entries.is_empty());
                    if !due {
                        model.entries.push(Entry::Info(info));
                    }
                }
                Op::Take(count) => {
                    let empty = count == 0 || model.entries.is_empty();
                    let (events, infos) = model.take(count);
                    let taken = buffer.take(count);
                    prop_assert_eq!(taken.is_none(), empty);
                    if let Some(taken) = taken {
                        prop_assert_eq!(taken.remaining, count - events.len());
                        let taken_events: Vec<u64> = taken.batches.into_iter().flatten().collect();
                        prop_assert_eq!(taken_events, events);
                        prop_assert_eq!(taken.infos, infos);
                    }
                }
                Op::HandBack(counts) => {
                    let batches: Vec<Vec<u64>> =
                        counts.iter().map(|count| numbers(&mut next, *count)).collect();
                    let events = batches.concat().into_iter().map(Entry::Event);
                    model.entries.splice(0..0, events);
                    buffer.hand_back(batches.into_iter().map(Batch::from));
                }
            }
            prop_assert_eq!(buffer.len(), model.events());
            prop_assert_eq!(buffer.infos(), model.entries.len() - model.events());
        }
    }
}
