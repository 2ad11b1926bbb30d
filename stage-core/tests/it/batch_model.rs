//! `Batch` against a `VecDeque`.

use std::collections::VecDeque;
use std::mem;
use std::panic::panic_any;

use crate::tracked::{Bulky, Empty, Event, Quiet, Tracked, alive, panics};
use proptest::prelude::*;
use stage_core::{Batch, SharedBatch};

#[derive(Debug, Clone)]
enum Op {
    Pop,
    /// Shows the first event and then takes some.
    Advance(usize),
    SplitTo(usize),
    /// Goes on with the part in front, or with the other.
    SplitOff(usize, bool),
    Cut(usize),
    /// Takes some events in a loop and leaves it by `break`.
    Break(usize),
    /// Takes some events in a loop and leaves it by a panic.
    Panic(usize),
    /// Folds all events, but for a panic at one of them.
    Fold(usize),
    Change,
    Append(Vec<u32>),
    /// Appends what has been taken from at its front.
    AppendRest(Vec<u32>),
    /// Moves all events into a vector, and goes on with that one.
    MoveInto(Vec<u32>),
}

fn op() -> impl Strategy<Value = Op> {
    let count = || 0..12_usize;
    let events = || prop::collection::vec(any::<u32>(), 0..8);
    prop_oneof![
        3 => Just(Op::Pop),
        2 => count().prop_map(Op::Advance),
        2 => count().prop_map(Op::SplitTo),
        1 => (count(), any::<bool>()).prop_map(|(at, front)| Op::SplitOff(at, front)),
        1 => count().prop_map(Op::Cut),
        2 => count().prop_map(Op::Break),
        1 => count().prop_map(Op::Panic),
        1 => count().prop_map(Op::Fold),
        1 => Just(Op::Change),
        2 => events().prop_map(Op::Append),
        1 => events().prop_map(Op::AppendRest),
        1 => events().prop_map(Op::MoveInto),
    ]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(op(), 0..24)
}

/// The values of the events that a batch should have.
type Model = VecDeque<u32>;

fn events<E: Event>(values: &[u32]) -> Vec<E> {
    values.iter().copied().map(E::new).collect()
}

fn values<E: Event>(events: &[E]) -> Vec<u32> {
    events.iter().map(E::value).collect()
}

fn take(model: &mut Model, count: usize) -> Vec<u32> {
    model.drain(..count.min(model.len())).collect()
}

/// Changes the model before any event is dropped, which may panic.
fn apply<E: Event>(batch: &mut Batch<E>, model: &mut Model, op: Op) {
    match op {
        Op::Pop => {
            let (event, expected) = (batch.pop_front(), model.pop_front());
            assert_eq!(event.as_ref().map(E::value), expected);
        }
        Op::Advance(count) => {
            assert_eq!(batch.peek().map(E::value), model.front().copied());
            take(model, count);
            batch.advance(count);
        }
        Op::SplitTo(count) => {
            let expected = take(model, count);
            assert_eq!(values(&batch.split_to(count)), expected);
        }
        Op::SplitOff(at, front_is_kept) => {
            let expected = take(model, at);
            let mut front = mem::take(batch);
            let back = front.split_off_with(at, || Vec::with_capacity(1));
            assert_eq!(
                (values(&front), values(&back)),
                (expected, Vec::from(model.clone()))
            );
            let dropped = if front_is_kept {
                *model = values(&front).into();
                *batch = front;
                back
            } else {
                *batch = back;
                front
            };
            drop(dropped);
        }
        Op::Cut(limit) => {
            let mut parts = Vec::new();
            while let Some(part) = batch.cut(limit, Vec::new) {
                parts.push(part);
            }
            parts.push(mem::take(batch));
            assert!(parts.iter().all(|part| part.len() <= limit.max(1)));
            *batch = parts.into_iter().rev().flatten().collect();
        }
        Op::Break(count) => {
            for (taken, event) in batch.into_iter().enumerate() {
                assert_eq!(Some(event.value()), model.pop_front());
                if taken == count {
                    break;
                }
            }
        }
        Op::Panic(count) => {
            let mut taking = batch.drain();
            let left = taking.len();
            assert_eq!(values(taking.as_slice()), Vec::from(model.clone()));
            for event in taking.by_ref().take(count) {
                assert_eq!(Some(event.value()), model.pop_front());
            }
            assert_eq!(taking.len(), left - count.min(left));
            panic_any(Quiet);
        }
        Op::Fold(count) => {
            let all = batch.into_iter().fold(0, |taken, event| {
                assert_eq!(Some(event.value()), model.pop_front());
                if taken == count {
                    panic_any(Quiet);
                }
                taken + 1
            });
            assert!(all <= count);
        }
        Op::Change => {
            for value in model.iter_mut() {
                *value = E::changed(*value);
            }
            for event in batch.as_mut_slice() {
                event.change();
            }
        }
        Op::Append(more) => append(batch, model, Batch::from(events(&more))),
        Op::AppendRest(more) => {
            let mut more = Batch::from(events(&more));
            more.pop_front();
            append(batch, model, more);
        }
        Op::MoveInto(before) => {
            let mut to = events(&before);
            model.extend(values(&to));
            model.rotate_right(to.len());
            batch.move_into(&mut to);
            assert!(batch.is_empty());
            *batch = Batch::from(to);
        }
    }
}

fn append<E: Event>(batch: &mut Batch<E>, model: &mut Model, more: Batch<E>) {
    let expected = values(&more);
    match batch.append(more) {
        Ok(emptied) => {
            assert!(emptied.is_empty());
            model.extend(expected);
        }
        Err(given_back) => {
            assert!(batch.is_shared());
            assert_eq!(values(&given_back), expected);
        }
    }
}

/// Applies all of `ops`, and compares after each.
fn apply_all<E: Event>(batch: &mut Batch<E>, model: &mut Model, ops: Vec<Op>) {
    for op in ops {
        panics(|| apply(batch, model, op));
        assert_eq!(batch.len(), model.len());
        assert_eq!(batch.is_empty(), model.is_empty());
        assert_eq!(values(batch), *model.make_contiguous());
    }
}

fn unique_is_a_queue<E: Event>(start: &[u32], ops: Vec<Op>) {
    let mut batch = Batch::from(events::<E>(start));
    let mut model = Model::from(values(&batch));
    apply_all(&mut batch, &mut model, ops);
    panics(|| assert_eq!(values(&batch.into_vec()), Vec::from(model)));
    assert_eq!(alive(), 0);
}

fn shared_is_a_queue<E: Event>(start: &[u32], ops: Vec<Op>) {
    let shared = SharedBatch::new(events::<E>(start));
    let expected = values(shared.as_slice());
    let mut batch = Batch::from(shared.clone());
    let mut model = Model::from(expected.clone());
    apply_all(&mut batch, &mut model, ops);
    panics(|| assert_eq!(values(&batch.into_vec()), Vec::from(model)));
    assert_eq!(values(shared.as_slice()), expected);
    panics(|| drop(shared));
    assert_eq!(alive(), 0);
}

fn recycled_is_empty<E: Event>(start: &[u32], ops: Vec<Op>) {
    let mut batch = Batch::from(events::<E>(start));
    let mut model = Model::from(values(&batch));
    apply_all(&mut batch, &mut model, ops);
    panics(|| assert!(batch.recycle().is_some_and(|buffer| buffer.is_empty())));
    assert_eq!(alive(), 0);
}

fn dropped_is_gone<E: Event>(start: &[u32], ops: Vec<Op>) {
    let mut batch = Batch::from(events::<E>(start));
    let mut model = Model::from(values(&batch));
    apply_all(&mut batch, &mut model, ops);
    panics(|| drop(batch));
    assert_eq!(alive(), 0);
}

/// Splits again and again, and goes on with all parts.
fn parts_are_apart<E: Event>(start: &[u32], splits: Vec<(usize, usize)>, ops: Vec<(usize, Op)>) {
    let mut parts = vec![Batch::from(events::<E>(start))];
    for (part, at) in splits {
        let part = part % parts.len();
        let at = at % (parts[part].len() + 1);
        let back = parts[part].split_off_with(at, Vec::new);
        parts.insert(part + 1, back);
    }
    let of_all: Vec<u32> = parts.iter().flat_map(|part| values(part)).collect();
    assert_eq!(of_all, start);
    let mut models: Vec<Model> = parts.iter().map(|part| values(part).into()).collect();
    for (part, op) in ops {
        let part = part % parts.len();
        panics(|| apply(&mut parts[part], &mut models[part], op));
        for (part, model) in parts.iter().zip(&mut models) {
            assert_eq!(values(part), *model.make_contiguous());
        }
    }
    for part in parts {
        panics(|| drop(part.recycle()));
    }
    assert_eq!(alive(), 0);
}

proptest! {
    #[test]
    fn parts_of_a_batch_do_not_see_each_other(
        start in prop::collection::vec(any::<u32>(), 0..60),
        splits in prop::collection::vec(any::<(usize, usize)>(), 0..6),
        ops in prop::collection::vec((any::<usize>(), op()), 0..24),
    ) {
        parts_are_apart::<Bulky>(&start, splits.clone(), ops.clone());
        parts_are_apart::<Tracked>(&start, splits, ops);
    }

    #[test]
    fn a_unique_batch_is_a_queue(start: Vec<u32>, ops in ops()) {
        unique_is_a_queue::<u32>(&start, ops.clone());
        unique_is_a_queue::<Tracked>(&start, ops.clone());
        unique_is_a_queue::<Bulky>(&start, ops.clone());
        unique_is_a_queue::<Empty>(&start, ops);
    }

    #[test]
    fn a_shared_batch_is_a_queue_and_leaves_the_others_alone(start: Vec<u32>, ops in ops()) {
        shared_is_a_queue::<u32>(&start, ops.clone());
        shared_is_a_queue::<Tracked>(&start, ops.clone());
        shared_is_a_queue::<Bulky>(&start, ops.clone());
        shared_is_a_queue::<Empty>(&start, ops);
    }

    #[test]
    fn a_recycled_buffer_is_empty(start: Vec<u32>, ops in ops()) {
        recycled_is_empty::<u32>(&start, ops.clone());
        recycled_is_empty::<Tracked>(&start, ops.clone());
        recycled_is_empty::<Empty>(&start, ops);
    }

    #[test]
    fn a_dropped_batch_leaves_nothing(start: Vec<u32>, ops in ops()) {
        dropped_is_gone::<u32>(&start, ops.clone());
        dropped_is_gone::<Tracked>(&start, ops.clone());
        dropped_is_gone::<Bulky>(&start, ops.clone());
        dropped_is_gone::<Empty>(&start, ops);
    }
}

#[test]
fn a_batch_of_integers_is_six_words() {
    assert!(size_of::<Batch<u64>>() <= 48);
}

#[test]
fn a_drain_that_is_forgotten_leaks_what_it_had_not_taken() {
    let mut batch = Batch::from(vec![1, 2, 3]);
    let mut drain = batch.drain();
    assert_eq!(drain.next(), Some(1));
    mem::forget(drain);
    assert!(batch.is_empty());
    assert!(batch.append(Batch::from(vec![4])).is_ok());
    assert_eq!(batch.into_vec(), [4]);
}

#[test]
fn a_buffer_is_recycled_with_its_allocation() {
    for taken in [0, 3, 8] {
        let mut batch = Batch::from(Vec::from_iter(0..8));
        assert_eq!((&mut batch).into_iter().take(taken).count(), taken);
        assert!(batch.recycle().unwrap().capacity() >= 8, "{taken} taken");
    }
}

#[test]
fn large_parts_stay_where_they_are_and_the_last_recycles() {
    let mut front = Batch::from(Vec::from_iter(0..8_000u64));
    let start = front.as_ptr();
    let back = front.split_off_with(5_000, || panic!("nothing is moved"));
    assert_eq!(front.as_ptr(), start);
    assert_eq!(back.as_ptr(), start.wrapping_add(5_000));
    let first = front.split_to(1_000);
    assert_eq!(front.as_ptr(), start.wrapping_add(1_000));
    let mut parts = Vec::new();
    while let Some(part) = front.cut(1_500, || panic!("nothing is moved")) {
        parts.push(part);
    }
    assert_eq!((front[0], parts[1][0], parts[0][0]), (1_000, 2_500, 4_000));
    parts.extend([first, front]);
    assert!(parts.into_iter().all(|part| part.recycle().is_none()));
    let buffer = back.recycle().unwrap();
    assert!(buffer.is_empty() && buffer.capacity() >= 8_000);
}

/// Or it would keep all of it from being freed.
#[test]
fn a_small_part_of_a_large_allocation_moves_out() {
    let mut rest = Batch::from(Vec::from_iter(0..80_000u64));
    let few = rest.split_off_with(76_000, Vec::new);
    assert_ne!(few.as_ptr(), rest.as_ptr().wrapping_add(76_000));
    assert!(few.recycle().is_some());
    assert!(
        rest.recycle()
            .is_some_and(|buffer| buffer.capacity() >= 80_000)
    );
}

#[test]
fn parts_are_taken_by_many_threads_and_one_gets_the_buffer() {
    for _ in 0..if cfg!(miri) { 2 } else { 200 } {
        let text = |n: u64| n.to_string();
        let mut rest = Batch::from(Vec::from_iter((0..4_000).map(text)));
        let parts: Vec<_> = (0..4).map(|_| rest.split_to(1_000)).collect();
        assert!(rest.is_empty());
        let buffers = std::thread::scope(|scope| {
            let takers: Vec<_> = parts
                .into_iter()
                .zip(0..)
                .map(|(mut part, nth)| {
                    scope.spawn(move || {
                        let half = part.split_to(500);
                        for (event, n) in half.into_iter().chain(&mut part).zip(nth * 1_000..) {
                            assert_eq!(event, text(n));
                        }
                        part.recycle()
                    })
                })
                .collect();
            let recycled = takers.into_iter().map(|taker| taker.join().unwrap());
            recycled.flatten().count()
        });
        assert!(
            buffers <= 1,
            "the one allocation was given out {buffers} times"
        );
    }
}

#[test]
fn a_shared_buffer_is_recycled_by_the_last_that_shares_it() {
    let shared = SharedBatch::new(Vec::from_iter(0..8));
    let (first, mut last) = (Batch::from(shared.clone()), Batch::from(shared));
    last.advance(3);
    assert!(first.recycle().is_none());
    let buffer = last.recycle().unwrap();
    assert!(buffer.is_empty() && buffer.capacity() >= 8);
}

#[test]
fn parts_are_cut_from_the_back_into_given_buffers() {
    for popped in [false, true] {
        let mut batch = Batch::from(Vec::from_iter(0..9));
        if popped {
            assert_eq!(batch.pop_front(), Some(0));
        } else {
            batch.advance(1);
        }
        let back = batch.split_off_with(6, || Vec::with_capacity(100));
        assert_eq!(
            (&batch[..], &back[..]),
            (&[1, 2, 3, 4, 5, 6][..], &[7, 8][..])
        );
        assert!(back.recycle().unwrap().capacity() >= 100);
        let nothing = batch.split_off_with(6, || panic!("nothing is moved"));
        assert_eq!((batch.len(), nothing.len()), (6, 0));
    }
    let mut shared = Batch::from(SharedBatch::new(vec![1, 2, 3]));
    let back = shared.split_off_with(1, || panic!("nothing is moved"));
    assert_eq!((&shared[..], &back[..]), (&[1][..], &[2, 3][..]));
}
