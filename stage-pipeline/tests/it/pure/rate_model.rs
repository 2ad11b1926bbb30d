//! Rate limits against their definition: no window sees more than it may, and no
//! permit is held back that may go.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use stage_pipeline::policy::{Gcra, KeyedBuckets, Rate, Wait};

/// The permits that were granted, each with its time in nanoseconds.
#[derive(Default)]
struct Grants(Vec<(u128, u128)>);

impl Grants {
    /// Whether every window that ends at `now` is within the rate, if `more` are
    /// granted now. Each window begins at a grant.
    fn fits(&self, rate: Rate, now: u128, more: u128) -> bool {
        let (permits, per) = (u128::from(rate.permits()), rate.per().as_nanos());
        let burst = u128::from(rate.burst()) * per;
        let mut sum = more;
        let fits = |(at, sum)| sum * per <= burst + permits * (now - at);
        let windows = self.0.iter().rev().map(|&(at, granted)| {
            sum += granted;
            (at, sum)
        });
        fits((now, more)) && windows.into_iter().all(fits)
    }
}

fn rates() -> impl Strategy<Value = Rate> {
    (1..50_u32, 1..5_000_000_000_u64, 1..60_u32).prop_map(|(permits, per, burst)| {
        let rate = Rate::new(permits, Duration::from_nanos(per)).unwrap();
        rate.with_burst(burst).unwrap()
    })
}

proptest! {
    #[test]
    fn exactly_what_may_go_goes(
        rate in rates(),
        takes in prop::collection::vec((0..400_000_000_u64, 1..30_usize, any::<bool>()), 1..80),
    ) {
        let start = Instant::now();
        let mut limit = Gcra::new(rate, start);
        let mut grants = Grants::default();
        let mut now = Duration::ZERO;
        for (pause, want, exact) in takes {
            now += Duration::from_nanos(pause);
            match limit.take(start + now, want) {
                Ok(granted) => {
                    let (at, granted) = (now.as_nanos(), granted as u128);
                    prop_assert!(granted >= 1 && granted <= want as u128);
                    prop_assert!(grants.fits(rate, at, granted));
                    let all = granted == want as u128;
                    prop_assert!(all || !grants.fits(rate, at, granted + 1));
                    grants.0.push((at, granted));
                }
                Err(Wait::For(wait)) => {
                    let next = now + wait;
                    prop_assert!(grants.fits(rate, next.as_nanos(), 1));
                    prop_assert!(!grants.fits(rate, next.as_nanos() - 1, 1));
                    if exact {
                        now = next;
                    }
                }
                Err(Wait::Closed) => prop_assert!(false, "the rate is open"),
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Pass(u64),
    Take(usize),
    GiveBack(usize),
    Set(Rate),
    SetUntimed(Rate),
}

fn steps() -> impl Strategy<Value = Step> {
    let rates = || prop_oneof![4 => rates(), 1 => Just(Rate::closed())];
    prop_oneof![
        3 => (0..400_000_000_u64).prop_map(Step::Pass),
        4 => (1..50_usize).prop_map(Step::Take),
        1 => (1..5_usize).prop_map(Step::GiveBack),
        1 => rates().prop_map(Step::Set),
        1 => rates().prop_map(Step::SetUntimed),
    ]
}

/// What may be granted, from one point in time on.
struct Window {
    allowed: f64,
}

impl Window {
    fn of(rate: Rate) -> Self {
        Self {
            allowed: f64::from(rate.burst()),
        }
    }

    fn pass(&mut self, rate: Rate, nanos: u64) {
        let periods = nanos as f64 / rate.per().as_nanos() as f64;
        self.allowed += f64::from(rate.permits()) * periods;
    }
}

proptest! {
    /// A window is allowed the burst at its beginning, and then what each rate
    /// grants in the time in which it holds.
    #[test]
    fn changes_add_nothing_to_any_window(
        rate in rates(),
        steps in prop::collection::vec(steps(), 1..120),
    ) {
        let start = Instant::now();
        let mut limit = Gcra::new(rate, start);
        let (mut now, mut rate) = (Duration::ZERO, rate);
        let mut windows = vec![Window::of(rate)];
        let mut outstanding = 0;
        for step in steps {
            match step {
                Step::Pass(nanos) => {
                    now += Duration::from_nanos(nanos);
                    windows.iter_mut().for_each(|window| window.pass(rate, nanos));
                }
                Step::Take(want) => {
                    windows.push(Window::of(rate));
                    if let Ok(granted) = limit.take(start + now, want) {
                        outstanding += granted;
                        for window in &mut windows {
                            window.allowed -= granted as f64;
                            prop_assert!(window.allowed > -1e-6, "{}", window.allowed);
                        }
                    }
                }
                Step::GiveBack(permits) => {
                    let permits = permits.min(outstanding);
                    outstanding -= permits;
                    limit.give_back(permits);
                    windows.iter_mut().for_each(|window| window.allowed += permits as f64);
                }
                Step::Set(to) => {
                    windows.push(Window::of(rate));
                    limit.set(start + now, to);
                    rate = to;
                }
                Step::SetUntimed(to) => {
                    windows.push(Window::of(rate));
                    limit.set_untimed(to);
                    rate = to;
                }
            }
            prop_assert_eq!(limit.rate(), rate);
        }
    }

    /// However few keys are kept, each key stays within its rate.
    #[test]
    fn no_key_gets_more_than_its_rate(
        rate in rates(),
        max_keys in 1..6_usize,
        takes in prop::collection::vec((0..400_000_000_u64, 0..12_u64, 1..30_usize), 1..200),
    ) {
        let start = Instant::now();
        let mut limits = KeyedBuckets::new(rate, max_keys);
        let mut keys: Vec<Grants> = (0..12).map(|_| Grants::default()).collect();
        let mut now = Duration::ZERO;
        for (pause, key, want) in takes {
            now += Duration::from_nanos(pause);
            let grants = &mut keys[key as usize];
            if let Ok(granted) = limits.take(start + now, key, want) {
                let (at, granted) = (now.as_nanos(), granted as u128);
                prop_assert!(grants.fits(rate, at, granted));
                grants.0.push((at, granted));
            }
            prop_assert!(limits.keys() <= max_keys);
        }
    }
}
