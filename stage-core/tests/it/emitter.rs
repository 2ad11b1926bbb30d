//! What an emitter makes of iterators, also of those that panic or do not tell
//! the truth about their length.

use std::panic::panic_any;
use std::task::Waker;

use crate::tracked::{Empty, Event, Quiet, Tracked, alive, panics};
use proptest::prelude::*;
use stage_core::{Batch, Commands, Context, Emitter};

/// Yields `events`, says what it likes about their number, and panics instead
/// of one of them.
struct Told<I> {
    events: I,
    hint: (usize, Option<usize>),
    until_panic: usize,
}

impl<I: Iterator> Iterator for Told<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        let event = self.events.next();
        if self.until_panic == 0 {
            panic_any(Quiet);
        }
        self.until_panic -= 1;
        event
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.hint
    }
}

fn extend<E>(emitted: &mut Vec<E>, events: impl IntoIterator<Item = E>) {
    let mut commands = Commands::default();
    let context = Context::new("emitter", None, Waker::noop(), &mut commands);
    Emitter::new(emitted, context).extend(events);
}

fn values<E: Event>(events: &[E]) -> Vec<u32> {
    events.iter().map(E::value).collect()
}

fn emits_all<E: Event>(
    room: usize,
    before: usize,
    count: usize,
    hint: (usize, Option<usize>),
    until_panic: usize,
) {
    let numbers = |count: usize| (0..count as u32).map(E::new);
    let mut emitted = Vec::with_capacity(room);
    emitted.extend(numbers(before));
    let told = Told {
        events: numbers(count),
        hint,
        until_panic,
    };
    let panicked = panics(|| extend(&mut emitted, told));
    assert_eq!(panicked, until_panic <= count);
    let expected: Vec<E> = numbers(before)
        .chain(numbers(count.min(until_panic)))
        .collect();
    assert_eq!(values(&emitted), values(&expected));
    panics(|| drop(emitted));
    panics(|| drop(expected));
    assert_eq!(alive(), 0);
}

/// Emits what a function makes of events, and panics at one of them.
fn maps_all<E: Event>(room: usize, popped: usize, count: usize, until_panic: usize) {
    let mut batch: Batch<E> = (0..count as u32).map(|n| E::new(n * 7)).collect();
    panics(|| batch.advance(popped));
    let had = values(&batch);
    let mut emitted: Vec<E> = Vec::with_capacity(room);
    let mut left = until_panic;
    let panicked = panics(|| {
        let map = |event: E| {
            if left == 0 {
                panic_any(Quiet);
            }
            left -= 1;
            event
        };
        extend(&mut emitted, batch.drain().map(map));
    });
    assert_eq!(panicked, until_panic < had.len());
    let mapped = until_panic.min(had.len());
    let gone = mapped + usize::from(panicked);
    assert_eq!(values(&emitted), had[..mapped]);
    assert_eq!(values(&batch), had[gone..]);
    let interrupted = batch.interrupted(had.len());
    assert_eq!(interrupted.handled + interrupted.moved, gone);
    if panicked {
        assert_eq!(interrupted.moved, 1);
    }
    panics(|| drop(emitted));
    panics(|| drop(batch));
    assert_eq!(alive(), 0);
}

proptest! {
    #[test]
    fn an_emitter_takes_whatever_an_iterator_yields(
        (room, before, count) in (0..20_usize, 0..5_usize, 0..20_usize),
        least in 0..20_usize,
        more in prop::option::of(0..4_usize),
        until_panic in 0..60_usize,
    ) {
        let hint = (least, more.map(|more| least + more));
        emits_all::<u32>(room, before, count, hint, until_panic);
        emits_all::<Tracked>(room, before, count, hint, until_panic);
        emits_all::<Empty>(room, before, count, hint, until_panic);
    }

    #[test]
    fn a_batch_that_is_mapped_keeps_what_was_not_taken(
        (room, popped, count) in (0..30_usize, 0..5_usize, 0..30_usize),
        until_panic in 0..60_usize,
    ) {
        maps_all::<u32>(room, popped, count, until_panic);
        maps_all::<Tracked>(room, popped, count, until_panic);
    }
}

#[test]
fn what_iterators_are_made_of_does_not_matter() {
    let mut emitted = vec![0];
    extend(&mut emitted, 1..3);
    extend(&mut emitted, (3..).take(2));
    extend(&mut emitted, [5].into_iter().chain(vec![6]));
    extend(&mut emitted, (7..10).filter(|n| n % 2 == 1));
    extend(&mut emitted, (5..7).flat_map(|n| [2 * n, 2 * n + 1]));
    let mut rest = 14..100;
    extend(&mut emitted, rest.by_ref().take(2));
    assert_eq!(emitted, [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15]);
    assert_eq!(rest, 16..100);
}
