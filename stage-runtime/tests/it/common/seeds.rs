//! Tests that are run with many seeds.
#![allow(
    clippy::print_stderr,
    reason = "a test that fails has to name its seed"
)]

use std::future::Future;
use std::panic;
use std::sync::Once;

use fastrand::Rng;
use tokio::runtime::{Builder, Runtime};

/// Runs `test` with the seeds `0..count`, each on a single-threaded runtime of
/// its own with paused time. With `STAGES_SEED` set, only that seed is run.
pub(crate) fn seeds<F: Future<Output = ()>>(count: u64, test: impl Fn(u64, Rng) -> F) {
    run(count, &test, || {
        Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
    });
}

/// The same on two threads and in real time: for what can happen at once.
pub(crate) fn seeds_on_threads<F: Future<Output = ()>>(count: u64, test: impl Fn(u64, Rng) -> F) {
    run(count, &test, || {
        Builder::new_multi_thread()
            .worker_threads(2)
            .enable_time()
            .build()
    });
}

fn run<F: Future<Output = ()>>(
    count: u64,
    test: &impl Fn(u64, Rng) -> F,
    runtime: impl Fn() -> std::io::Result<Runtime>,
) {
    quiet();
    let only = std::env::var("STAGES_SEED").ok();
    let only: Option<u64> = only.map(|seed| seed.parse().expect("STAGES_SEED is a number"));
    for seed in only.map_or(0..count, |seed| seed..seed + 1) {
        let _say = Say(seed);
        let runtime = runtime().expect("a runtime");
        runtime.block_on(test(seed, Rng::with_seed(seed)));
    }
}

/// Panics that a test injects say nothing of themselves: there are many.
pub(crate) fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let say = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref() != Some(&"stumbled") {
                say(info);
            }
        }));
    });
}

/// Names the seed of a test that panics, whatever it panics of.
struct Say(u64);

impl Drop for Say {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self(seed) = self;
            eprintln!("that was seed {seed}; run it alone with STAGES_SEED={seed}");
        }
    }
}
