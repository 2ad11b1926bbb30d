//! What holds of every demand window, whatever arrives.

use proptest::prelude::*;
use stage_core::{Batch, ByteWindow, DemandError, DemandLimits, DemandWindow};

fn limits() -> impl Strategy<Value = DemandLimits> {
    (1..50_usize)
        .prop_flat_map(|max| (Just(max), 0..max))
        .prop_map(|(max, min)| DemandLimits::new(max, min).expect("min is below max"))
}

proptest! {
    #[test]
    fn a_window_is_never_starved_and_never_asks_beyond_its_maximum(
        limits in limits(),
        arrivals in prop::collection::vec(1..60_usize, 0..40),
    ) {
        let mut window = DemandWindow::new(limits);
        let mut asked = window.open();
        let mut handled = 0;
        prop_assert_eq!(asked, limits.max());
        for arrival in arrivals {
            let count = arrival.min(window.pending()).min(limits.batch_limit());
            let more = window.handled(count);
            asked += more;
            handled += count;
            prop_assert_eq!(window.pending(), asked - handled);
            prop_assert!(window.pending() > limits.min(), "it would wait for ever");
            prop_assert!(window.pending() <= limits.max());
            prop_assert!(more == 0 || window.pending() == limits.max());
        }
    }

    #[test]
    fn a_window_saturates(asks in prop::collection::vec(any::<usize>(), 0..8), handled: usize) {
        let mut window = DemandWindow::new(DemandLimits::default());
        let mut sum = 0_usize;
        for ask in asks {
            window.asked(ask);
            sum = sum.saturating_add(ask);
        }
        prop_assert_eq!(window.pending(), sum);
        window.release(handled);
        prop_assert_eq!(window.pending(), sum.saturating_sub(handled));
    }

    #[test]
    fn limits_are_one_at_least_and_min_is_below_max(max in 0..20_usize, min in 0..20_usize) {
        let expected = match (max, min) {
            (0, _) => Err(DemandError::ZeroMax),
            _ if min >= max => Err(DemandError::MinNotBelowMax { min, max }),
            _ => Ok((max, min, max - min)),
        };
        let limits = DemandLimits::new(max, min);
        prop_assert_eq!(limits.map(|it| (it.max(), it.min(), it.batch_limit())), expected);
    }
}

#[test]
fn errors_name_the_value_and_the_remedy() {
    let zero = DemandLimits::up_to(0).unwrap_err().to_string();
    assert!(
        zero.contains("max_demand is 0") && zero.contains("at least 1"),
        "{zero}"
    );

    let high = DemandLimits::new(10, 10).unwrap_err().to_string();
    assert!(
        high.contains("min_demand is 10") && high.contains("0..=9"),
        "{high}"
    );
}

/// A window of bytes and one of events, as a consumer has them, with events on
/// their way.
struct Windows {
    demand: DemandWindow,
    bytes: ByteWindow<usize>,
    /// Events asked for that have not arrived.
    asked: usize,
}

impl Windows {
    fn new(limits: DemandLimits, limit: usize) -> Self {
        let mut demand = DemandWindow::new(limits);
        let bytes = ByteWindow::new(limit, |weight: &usize| *weight);
        let asked = demand.open_within(bytes.most());
        Self {
            demand,
            bytes,
            asked,
        }
    }

    /// A batch of these weights arrives and is handled.
    fn handle(&mut self, weights: Vec<usize>) {
        let (count, sum) = (weights.len(), weights.iter().sum());
        self.bytes.arrived(&Batch::from(weights));
        self.bytes.settled(count, sum);
        self.asked -= count;
        self.asked += self.demand.handled_within(count, self.bytes.most());
        assert_eq!(self.demand.pending(), self.asked);
    }
}

proptest! {
    #[test]
    fn a_window_of_bytes_never_starves_and_keeps_equal_events_within_its_limit(
        limits in limits(),
        limit in 0..1_000_usize,
        weight in 0..200_usize,
        parts in prop::collection::vec(1..60_usize, 0..40),
    ) {
        let mut windows = Windows::new(limits, limit);
        for part in parts {
            let asked = windows.asked;
            prop_assert!(asked > 0, "it would wait for ever");
            prop_assert!(asked <= limits.max());
            prop_assert!(asked == 1 || asked * weight <= limit);
            windows.handle(vec![weight; part.min(asked).min(limits.batch_limit())]);
        }
    }

    #[test]
    fn a_window_of_bytes_trusts_no_mean_of_few_events(
        weights in prop::collection::vec(0..1_000_usize, 1..60),
    ) {
        let mut windows = Windows::new(DemandLimits::default(), usize::MAX);
        let mut seen = 0;
        for weight in weights {
            windows.handle(vec![weight]);
            seen += 1;
            prop_assert!(windows.asked <= 2 * seen);
        }
    }

    #[test]
    fn what_is_held_leaves_less_room(held in prop::collection::vec(1..100_usize, 1..50)) {
        let mut bytes = ByteWindow::new(1_000, |weight: &usize| *weight);
        let sum = held.iter().sum::<usize>();
        let count = held.len();
        bytes.arrived(&Batch::from(held));
        prop_assert_eq!((bytes.held_events(), bytes.held()), (count, sum));
        let more = bytes.most().saturating_sub(count);
        prop_assert!(sum + more * bytes.mean() <= 1_000 || more == 0);
        bytes.settled(count, sum);
        prop_assert_eq!((bytes.held_events(), bytes.held()), (0, 0));
    }
}

/// The sums of the mean are halved at numbers of events that are odd, too.
#[test]
fn the_mean_of_equal_events_is_their_weight_for_ever() {
    for part in 1..200 {
        let mut bytes = ByteWindow::new(784, |weight: &usize| *weight);
        for _ in 0..100 {
            bytes.arrived(&Batch::from(vec![113; part]));
            bytes.settled(part, 113 * part);
            assert_eq!(bytes.mean(), 113, "in parts of {part}");
        }
    }
}

#[test]
fn the_mean_follows_the_last_events() {
    let mut bytes = ByteWindow::new(1_000, |weight: &usize| *weight);
    assert_eq!((bytes.mean(), bytes.most()), (0, 1));
    for _ in 0..10 {
        bytes.arrived(&Batch::from(vec![10; 100]));
        bytes.settled(100, 1_000);
    }
    assert_eq!((bytes.mean(), bytes.most()), (10, 100));
    bytes.arrived(&Batch::from(vec![1_000; 500]));
    bytes.settled(500, 500_000);
    assert!(bytes.mean() > 700, "{}", bytes.mean());
    assert_eq!(bytes.most(), 1);
}

#[test]
fn a_window_of_bytes_saturates() {
    let mut bytes = ByteWindow::new(usize::MAX, |_: &()| usize::MAX);
    for _ in 0..300 {
        bytes.arrived(&Batch::from(vec![(); 3]));
    }
    assert_eq!((bytes.held(), bytes.most()), (usize::MAX, 900));
    bytes.settled(usize::MAX, usize::MAX);
    assert_eq!(bytes.held(), 0);
}
