//! `Batch` against a `VecDeque`.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};

use proptest::prelude::*;
use stage_core::{Batch, SharedBatch};

#[derive(Debug, Clone)]
enum Op {
    Pop,
    Advance(usize),
    SplitTo(usize),
    /// Takes some events in a loop and leaves it by `break`.
    Break(usize),
    /// Takes some events in a loop and leaves it by a panic.
    Panic(usize),
    Append(Vec<u32>),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let count = || 0..12_usize;
    let op = prop_oneof![
        3 => Just(Op::Pop),
        2 => count().prop_map(Op::Advance),
        2 => count().prop_map(Op::SplitTo),
        2 => count().prop_map(Op::Break),
        1 => count().prop_map(Op::Panic),
        2 => prop::collection::vec(any::<u32>(), 0..8).prop_map(Op::Append),
    ];
    prop::collection::vec(op, 0..24)
}

/// What a panicking handler panics with; not a message, so that the test does
/// not look as if it had failed.
struct Quiet;

fn apply(batch: &mut Batch<u32>, model: &mut VecDeque<u32>, op: Op) {
    match op {
        Op::Pop => assert_eq!(batch.pop_front(), model.pop_front()),
        Op::Advance(count) => {
            batch.advance(count);
            model.drain(..count.min(model.len()));
        }
        Op::SplitTo(count) => {
            let expected: Vec<u32> = model.drain(..count.min(model.len())).collect();
            assert_eq!(batch.split_to(count)[..], expected);
        }
        Op::Break(count) => {
            for (taken, event) in batch.into_iter().enumerate() {
                assert_eq!(Some(event), model.pop_front());
                if taken == count {
                    break;
                }
            }
        }
        Op::Panic(count) => {
            let handler = || {
                for (taken, event) in batch.into_iter().enumerate() {
                    assert_eq!(Some(event), model.pop_front());
                    if taken == count {
                        panic_any(Quiet);
                    }
                }
            };
            if let Err(payload) = catch_unwind(AssertUnwindSafe(handler)) {
                assert!(payload.is::<Quiet>(), "the events differ from the model");
            }
        }
        Op::Append(events) => match batch.append(Batch::from(events.clone())) {
            Ok(emptied) => {
                assert!(emptied.is_empty());
                model.extend(events);
            }
            Err(given_back) => {
                assert!(batch.is_shared());
                assert_eq!(given_back[..], events);
            }
        },
    }
    assert_eq!(batch.len(), model.len());
    assert_eq!(batch.is_empty(), model.is_empty());
    assert_eq!(batch[..], *model.make_contiguous());
}

/// Silences the panics that the tests make on purpose.
fn quietly<T>(test: impl FnOnce() -> T) -> T {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !info.payload().is::<Quiet>() {
                default(info);
            }
        }));
    });
    test()
}

proptest! {
    #[test]
    fn a_unique_batch_is_a_queue(events: Vec<u32>, ops in ops()) {
        quietly(|| {
            let mut batch = Batch::from(events.clone());
            let mut model = VecDeque::from(events);
            for op in ops {
                apply(&mut batch, &mut model, op);
            }
            assert_eq!(batch.into_vec(), Vec::from(model));
        });
    }

    #[test]
    fn a_shared_batch_is_a_queue_and_leaves_the_others_alone(events: Vec<u32>, ops in ops()) {
        quietly(|| {
            let shared = SharedBatch::new(events.clone());
            let mut batch = Batch::from(shared.clone());
            let mut model = VecDeque::from(events.clone());
            for op in ops {
                apply(&mut batch, &mut model, op);
            }
            assert_eq!(batch.into_vec(), Vec::from(model));
            assert_eq!(shared.as_slice(), events);
        });
    }

    #[test]
    fn a_recycled_buffer_is_empty(events: Vec<u32>, ops in ops()) {
        quietly(|| {
            let mut batch = Batch::from(events.clone());
            let mut model = VecDeque::from(events);
            for op in ops {
                apply(&mut batch, &mut model, op);
            }
            assert_eq!(batch.recycle(), Some(Vec::new()));
        });
    }
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
    for deque in [false, true] {
        let mut batch = Batch::from(Vec::from_iter(0..9));
        if deque {
            assert_eq!(batch.pop_front(), Some(0));
        } else {
            batch.advance(1);
        }
        let (front, back) = batch.split_at(6, || Vec::with_capacity(100));
        assert_eq!(
            (&front[..], &back[..]),
            (&[1, 2, 3, 4, 5, 6][..], &[7, 8][..])
        );
        assert!(back.recycle().unwrap().capacity() >= 100);
        let (all, nothing) = front.split_at(6, || panic!("nothing is moved"));
        assert_eq!((all.len(), nothing.len()), (6, 0));
    }
    let shared = Batch::from(SharedBatch::new(vec![1, 2, 3]));
    let (front, back) = shared.split_at(1, || panic!("nothing is moved"));
    assert_eq!((&front[..], &back[..]), (&[1][..], &[2, 3][..]));
}
