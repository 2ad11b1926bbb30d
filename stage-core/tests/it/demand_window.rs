//! What holds of every demand window, whatever arrives.

use proptest::prelude::*;
use stage_core::{DemandError, DemandLimits, DemandWindow};

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
