//! Enqueue, lease, acknowledge: ours beside a table by hand.

use std::path::Path;
use std::time::Duration;

use tokio::runtime::Runtime;

use super::by_hand::{self, Style};
use super::setting::{Clock, Setting};
use super::{Options, ours};
use crate::report::Figures;

type Contender = fn(&Runtime, &Path, Setting, &Clock) -> u64;

/// Peers, with the ratio that we want to reach.
const PEERS: [(&str, f64, Contender); 3] = [
    ("a transaction a batch", 0.9, |on, path, setting, clock| {
        by_hand::run(on, path, setting, clock, Style::Batch)
    }),
    ("  its leases unsynced", 0.9, |on, path, setting, clock| {
        by_hand::run(on, path, setting, clock, Style::BatchUnsyncedLease)
    }),
    (
        "a transaction a message",
        10.0,
        |on, path, setting, clock| by_hand::run(on, path, setting, clock, Style::Message),
    ),
];

pub(super) fn run(runtime: &Runtime, options: &Options) {
    println!(
        "{:<7} {:>5} {:>7} {:<24} {:>26} {:>26} {:>7} {:>5}",
        "sync", "group", "callers", "by hand", "ours, us by message", "by hand", "ratio", "bar"
    );
    for full in [true, false] {
        for (group, callers) in [(100, 1), (1, 1), (1, 64)] {
            if options.group.is_some_and(|only| only != group) {
                continue;
            }
            let setting = Setting {
                full,
                group,
                callers,
                backlog: options.backlog,
            };
            beside(runtime, options, setting);
        }
    }
}

fn beside(runtime: &Runtime, options: &Options, setting: Setting) {
    let peers: Vec<_> = PEERS
        .iter()
        .zip([true, setting.full, setting.group > 1])
        .filter_map(|(peer, applies)| applies.then_some(peer))
        .collect();
    let contenders: Vec<Contender> = std::iter::once(ours::run as Contender)
        .chain(peers.iter().map(|(_, _, run)| *run))
        .collect();
    let mut micros = vec![Vec::new(); contenders.len()];
    for round in 0..=options.runs {
        for (contender, micros) in contenders.iter().zip(&mut micros) {
            let one = measure(runtime, options, setting, *contender);
            // The first round is not counted.
            if round > 0 {
                micros.push(one);
            }
        }
    }
    let mut figures = micros.into_iter().map(Figures::new);
    let Some(ours) = figures.next() else { return };
    for ((name, bar, _), theirs) in peers.into_iter().zip(figures) {
        println!(
            "{:<7} {:>5} {:>7} {name:<24} {:>26} {:>26} {:>6.2}x {bar:>5}",
            if setting.full { "full" } else { "normal" },
            setting.group,
            setting.callers,
            ours.text(),
            theirs.text(),
            theirs.median / ours.median,
        );
    }
}

/// Microseconds by message.
fn measure(runtime: &Runtime, options: &Options, setting: Setting, run: Contender) -> f64 {
    let dir = options.dir();
    let clock = Clock::new(Duration::from_secs_f64(options.secs));
    let messages = run(runtime, &dir.path().join("queue.db"), setting, &clock);
    let took = clock.took();
    assert!(messages > 0, "it got something done");
    took.as_secs_f64() * 1e6 / messages as f64
}
