//! Buffers and windows that share a budget (B15, D13).

use proptest::prelude::*;
use stage_core::{Batch, Bound, Budget, Buffer, ByteWindow, DemandLimits, DemandWindow, Overflow};

/// An event weighs what it says.
fn weigh(event: &usize) -> usize {
    *event
}

type Shared = Buffer<usize, ()>;

fn buffer(limit: usize, overflow: Overflow, budget: &Budget) -> Shared {
    let mut buffer = Buffer::new(Bound::Bytes { limit, weigh }, overflow);
    buffer.share(budget);
    buffer
}

/// What is in a buffer, oldest first.
fn contents(buffer: &mut Shared) -> Vec<usize> {
    let taken = buffer.take(usize::MAX).map(|taken| taken.batches);
    taken.into_iter().flatten().flatten().collect()
}

#[test]
fn a_buffer_stays_within_what_others_have_left() {
    for (overflow, kept) in [
        (Overflow::DropOldest, [3, 2]),
        (Overflow::DropNewest, [4, 3]),
    ] {
        let budget = Budget::new(15);
        let mut first = buffer(100, overflow, &budget);
        assert_eq!(first.store(Batch::from(vec![8])).discarded, 0);
        let mut second = buffer(100, overflow, &budget);
        let stored = second.store(Batch::from(vec![4, 3, 2]));
        assert_eq!(
            (stored.discarded, budget.used()),
            (1, 8 + kept[0] + kept[1])
        );
        assert_eq!(contents(&mut first), [8], "it is not another's to shed");
        assert_eq!(contents(&mut second), kept);
        assert_eq!(budget.used(), 0);
    }
}

#[test]
fn room_that_another_gives_back_can_be_used() {
    let budget = Budget::new(10);
    let mut first = buffer(10, Overflow::DropNewest, &budget);
    let mut second = buffer(10, Overflow::DropNewest, &budget);
    let _ = first.store(Batch::from(vec![5, 5]));
    assert_eq!(
        second.store(Batch::from(vec![5, 5])).discarded,
        1,
        "one is kept"
    );
    assert_eq!(budget.used(), 15);
    drop(first);
    assert_eq!(budget.used(), 5);
    assert_eq!(second.store(Batch::from(vec![5, 5])).discarded, 1);
    assert_eq!((second.len(), budget.used()), (2, 10));
}

/// librdkafka 184: a message larger than the limit is never delivered.
#[test]
fn a_budget_of_nothing_leaves_each_buffer_one_event() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let budget = Budget::new(0);
        let mut buffers = [1, 2, 3].map(|_| buffer(100, overflow, &budget));
        for buffer in &mut buffers {
            assert_eq!(buffer.store(Batch::from(vec![7, 9])).discarded, 1);
        }
        let kept = if overflow == Overflow::DropOldest {
            9
        } else {
            7
        };
        assert_eq!(budget.used(), 3 * kept);
        assert!(buffers.iter_mut().all(|buffer| contents(buffer) == [kept]));
    }
}

#[test]
fn a_bound_in_events_shares_nothing() {
    let budget = Budget::new(1);
    let mut buffer: Shared = Buffer::new(Bound::Events(3), Overflow::DropOldest);
    buffer.share(&budget);
    assert_eq!(buffer.store(Batch::from(vec![5, 5, 5])).discarded, 0);
    assert_eq!((budget.used(), budget.is_shared()), (0, false));
}

#[derive(Debug, Clone)]
enum Op {
    Store(Vec<usize>),
    Take(usize),
    HandBack(Vec<usize>),
    Renew,
}

fn ops() -> impl Strategy<Value = Vec<(usize, Op)>> {
    let weights = || prop::collection::vec(0..9_usize, 0..6);
    let op = prop_oneof![
        6 => weights().prop_map(Op::Store),
        4 => (0..9_usize).prop_map(Op::Take),
        1 => weights().prop_map(Op::HandBack),
        1 => Just(Op::Renew),
    ];
    prop::collection::vec((0..3_usize, op), 0..60)
}

fn overflows() -> impl Strategy<Value = Overflow> {
    prop_oneof![Just(Overflow::DropOldest), Just(Overflow::DropNewest)]
}

proptest! {
    /// uniffle 145: less is reserved than is given back. pulsar 16837: what fails is
    /// not given back. airbyte 74897: the sum goes below 0.
    #[test]
    fn used_is_what_all_buffers_hold_and_storing_never_exceeds_the_limit(
        limit in 0..40_usize,
        own in 1..40_usize,
        overflow in overflows(),
        ops in ops(),
    ) {
        let budget = Budget::new(limit);
        let mut buffers = [1, 2, 3].map(|_| buffer(own, overflow, &budget));
        for (which, op) in ops {
            let before = budget.used();
            let shared = &mut buffers[which];
            match op {
                Op::Store(events) => {
                    let (held, count) = (shared.len(), events.len());
                    let stored = shared.store(Batch::from(events));
                    prop_assert_eq!(shared.len(), held + count - stored.discarded);
                    let within = budget.used() <= limit.max(before);
                    prop_assert!(within || shared.len() == 1);
                }
                Op::Take(count) => drop(shared.take(count)),
                Op::HandBack(events) => shared.hand_back([Batch::from(events)]),
                Op::Renew => *shared = buffer(own, overflow, &budget),
            }
            let held: usize = buffers.iter().filter_map(Buffer::bytes).sum();
            prop_assert_eq!(budget.used(), held);
        }
        drop(buffers);
        prop_assert_eq!(budget.used(), 0);
    }

    /// A budget that is never reached changes nothing.
    #[test]
    fn a_buffer_with_enough_budget_is_as_one_without(
        own in 0..40_usize,
        overflow in overflows(),
        ops in ops(),
    ) {
        let budget = Budget::new(usize::MAX);
        let mut with = buffer(own, overflow, &budget);
        let mut without: Shared = Buffer::new(Bound::Bytes { limit: own, weigh }, overflow);
        for (_, op) in ops {
            match op {
                Op::Store(events) => {
                    let one = with.store(Batch::from(events.clone()));
                    let other = without.store(Batch::from(events));
                    prop_assert_eq!(one.discarded, other.discarded);
                }
                Op::Take(count) => {
                    let taken = [&mut with, &mut without].map(|buffer| {
                        let taken = buffer.take(count).map(|taken| taken.batches);
                        taken.into_iter().flatten().flatten().collect::<Vec<_>>()
                    });
                    prop_assert_eq!(&taken[0], &taken[1]);
                }
                Op::HandBack(events) => {
                    with.hand_back([Batch::from(events.clone())]);
                    without.hand_back([Batch::from(events)]);
                }
                Op::Renew => (),
            }
            prop_assert_eq!(with.bytes(), without.bytes());
        }
        prop_assert_eq!(contents(&mut with), contents(&mut without));
    }

    /// datafusion-comet 5212: an equal part for each caps one that is alone. Here the
    /// first gets what is free, and each always has one event.
    #[test]
    fn windows_that_share_a_budget_never_starve_and_stay_within_it(
        limit in 0..2_000_usize,
        own in 0..2_000_usize,
        weight in 1..100_usize,
        steps in prop::collection::vec((0..4_usize, 1..60_usize), 0..80),
    ) {
        let budget = Budget::new(limit);
        let mut windows = [1, 2, 3, 4].map(|_| Subscriber::new(own, &budget));
        for (which, part) in steps {
            windows[which].handle(weight, part);
            let asked: Vec<_> = windows.iter().map(|window| window.demand.pending()).collect();
            prop_assert!(asked.iter().all(|asked| *asked > 0), "one would wait for ever");
            // Those with one event have it in any case.
            let more = asked.iter().filter(|asked| **asked > 1).sum::<usize>();
            prop_assert!(more * weight <= limit, "{:?}", asked);
        }
        for window in &mut windows {
            window.bytes.ended();
        }
        prop_assert_eq!(budget.used(), 0);
    }
}

/// The windows of one subscription.
struct Subscriber {
    demand: DemandWindow,
    bytes: ByteWindow<usize>,
}

impl Subscriber {
    fn new(own: usize, budget: &Budget) -> Self {
        let mut demand = DemandWindow::new(DemandLimits::default());
        let mut bytes = ByteWindow::new(own, weigh).share(budget);
        assert_eq!(bytes.open(&mut demand), 1);
        Self { demand, bytes }
    }

    /// Events arrive and are handled, at most so many as are pending.
    fn handle(&mut self, weight: usize, count: usize) {
        let count = count.min(self.demand.pending());
        self.bytes.arrived(&Batch::from(vec![weight; count]));
        self.bytes.settled(count, count * weight);
        let _ = self.bytes.handled(count, &mut self.demand);
    }
}

#[test]
fn a_window_that_is_alone_gets_all_of_the_budget() {
    let budget = Budget::new(1_000);
    let mut window = Subscriber::new(usize::MAX, &budget);
    for _ in 0..10 {
        window.handle(10, usize::MAX);
    }
    assert_eq!((window.demand.pending(), budget.used()), (100, 1_000));
    let mut other = Subscriber::new(usize::MAX, &budget);
    for _ in 0..10 {
        other.handle(10, usize::MAX);
    }
    assert_eq!((other.demand.pending(), budget.used()), (1, 1_010));
    drop(window);
    for _ in 0..10 {
        other.handle(10, usize::MAX);
    }
    assert_eq!((other.demand.pending(), budget.used()), (100, 1_000));
}
