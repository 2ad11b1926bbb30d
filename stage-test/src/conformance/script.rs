//! Generates random scripts.

use std::num::NonZeroUsize;

use fastrand::Rng;

/// A call of a dispatcher. Subscribers are identified by number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Op {
    Subscribe(usize),
    Cancel(usize),
    /// For the subscriber that was cancelled first.
    TakeBack,
    Ask(usize, NonZeroUsize),
    Dispatch(usize),
}

/// The number of calls in a script.
pub(super) const STEPS: usize = 60;

/// Returns the script of `seed`. Some of its calls may be impossible when they
/// come.
pub(super) fn script(seed: u64, subscribers: usize) -> Vec<Op> {
    let mut rng = Rng::with_seed(seed);
    (0..STEPS).map(|_| op(&mut rng, subscribers)).collect()
}

fn op(rng: &mut Rng, subscribers: usize) -> Op {
    let subscriber = rng.usize(0..subscribers);
    match rng.u8(0..20) {
        0..4 => Op::Subscribe(subscriber),
        4..6 => Op::Cancel(subscriber),
        6..8 => Op::TakeBack,
        8..14 => Op::Ask(
            subscriber,
            NonZeroUsize::MIN.saturating_add(rng.usize(0..20)),
        ),
        _ => Op::Dispatch(rng.usize(0..16)),
    }
}
