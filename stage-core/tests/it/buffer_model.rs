//! `Buffer` against a flat list of events and infos.

use proptest::prelude::*;
use stage_core::{Batch, Bound, Buffer, Overflow};

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

/// An event weighs 0 to 4 bytes.
fn weigh(event: &u64) -> usize {
    (event % 5) as usize
}

fn bounds() -> impl Strategy<Value = Bound<u64>> {
    prop_oneof![
        Just(Bound::Unbounded),
        (0..12_usize).prop_map(Bound::Events),
        (0..12_usize).prop_map(|limit| Bound::Bytes { limit, weigh }),
    ]
}

/// One entry after the other, with no thought of speed.
#[derive(Debug)]
struct Model {
    entries: Vec<Entry>,
    bound: Bound<u64>,
    keep: Overflow,
}

impl Model {
    fn events(&self) -> usize {
        let is_event = |entry: &&Entry| matches!(entry, Entry::Event(_));
        self.entries.iter().filter(is_event).count()
    }

    fn bytes(&self) -> usize {
        let bytes = self.entries.iter().map(|entry| match entry {
            Entry::Event(event) => weigh(event),
            Entry::Info(_) => 0,
        });
        bytes.sum()
    }

    /// The events that were shed, and the infos that are due.
    fn store(&mut self, events: &[u64]) -> (Vec<u64>, Vec<u64>) {
        let (mut shed, mut infos) = (Vec::new(), Vec::new());
        match (self.bound, self.keep) {
            (Bound::Bytes { limit, .. }, Overflow::DropNewest) => {
                for event in events {
                    let alone = limit > 0 && self.events() == 0;
                    let fits = limit > 0 && self.bytes() + weigh(event) <= limit;
                    if shed.is_empty() && (fits || alone) {
                        self.entries.push(Entry::Event(*event));
                    } else {
                        shed.push(*event);
                    }
                }
            }
            (Bound::Bytes { limit, .. }, Overflow::DropOldest) if !events.is_empty() => {
                let before = if self.events() > 1 { self.bytes() } else { 0 };
                self.entries
                    .extend(events.iter().copied().map(Entry::Event));
                while self.events() > usize::from(limit > 0)
                    && (limit == 0 || self.bytes() > limit.max(before))
                {
                    shed.push(self.drop_oldest(&mut infos));
                }
            }
            (Bound::Bytes { .. }, _) => (),
            (bound, _) => {
                for event in events {
                    if bound.limit().is_none_or(|bound| self.events() < bound) {
                        self.entries.push(Entry::Event(*event));
                    } else if self.keep == Overflow::DropOldest {
                        self.entries.push(Entry::Event(*event));
                        shed.push(self.drop_oldest(&mut infos));
                    } else {
                        shed.push(*event);
                    }
                }
            }
        }
        (shed, infos)
    }

    fn drop_oldest(&mut self, infos: &mut Vec<u64>) -> u64 {
        loop {
            match self.entries.remove(0) {
                Entry::Info(info) => infos.push(info),
                Entry::Event(event) => {
                    self.pop_infos(infos);
                    return event;
                }
            }
        }
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
                    if self.bound.limit().is_some() {
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
        bound in bounds(),
        keeps_shed in any::<bool>(),
        keep in prop_oneof![Just(Overflow::DropNewest), Just(Overflow::DropOldest)],
        ops in ops(),
    ) {
        let mut buffer = Buffer::new(bound, keep);
        let mut model = Model { entries: Vec::new(), bound, keep };
        let mut next = 0;
        if keeps_shed {
            buffer.keep_shed();
        }
        for op in ops {
            match op {
                Op::Store(count) => {
                    let events = numbers(&mut next, count);
                    let stored = buffer.store(Batch::from(events.clone()));
                    let (shed, infos) = model.store(&events);
                    prop_assert_eq!((stored.discarded, stored.infos), (shed.len(), infos));
                    let seen: Vec<u64> = buffer.take_shed().into_iter().flatten().collect();
                    prop_assert_eq!(seen, if keeps_shed { shed } else { vec![] });
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
            let in_bytes = matches!(bound, Bound::Bytes { .. });
            prop_assert_eq!(buffer.bytes(), in_bytes.then(|| model.bytes()));
        }
    }
}
