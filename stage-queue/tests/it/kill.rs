//! `kill -9` of a process in the middle of its work, many times, with a checker in the style
//! of Jepsen's total-queue.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use stage_queue::{LeaseOptions, Queue, QueueOptions};

use crate::child::{self, Work, lines, number, numbers};

/// What is known of all messages, over all processes.
#[derive(Default)]
struct Checker {
    enqueued: HashSet<u64>,
    /// Verdicts that were sent, answered or not.
    sent: HashSet<u64>,
    acked: HashSet<u64>,
    /// How often a message was seen to be leased.
    leases: HashMap<u64, u32>,
    /// How often a message was leased by a process that was killed before the answer to its
    /// ack: each allows one more delivery.
    under_way: HashMap<u64, u32>,
    deliveries: HashMap<u64, u32>,
    faults: Vec<String>,
}

/// What a run of kills came to.
#[derive(Debug, Default)]
struct Table {
    enqueued: usize,
    acked: usize,
    lost: usize,
    duplicates: u32,
}

impl Checker {
    /// Takes what one process has told before it was killed.
    fn process(&mut self, lines: &[String]) {
        let mut under_way = HashSet::new();
        for line in lines {
            for (number, deliveries) in numbers(line) {
                match &line[..1] {
                    "E" => drop(self.enqueued.insert(number)),
                    "L" => {
                        self.lease(number, deliveries);
                        under_way.insert(number);
                    }
                    "S" => drop(self.sent.insert(number)),
                    "A" => {
                        self.acked.insert(number);
                        under_way.remove(&number);
                    }
                    _ => self.faults.push(line.clone()),
                }
            }
        }
        for number in under_way {
            *self.under_way.entry(number).or_default() += 1;
        }
    }

    fn lease(&mut self, number: u64, deliveries: u32) {
        if self.acked.contains(&number) {
            self.faults.push(format!(
                "message {number} came again after its ack was answered"
            ));
        }
        let leases = self.leases.entry(number).or_default();
        *leases += 1;
        let allowed = 1 + self.under_way.get(&number).copied().unwrap_or(0);
        if *leases > allowed {
            self.faults.push(format!(
                "message {number} was leased {leases} times, and {allowed} are explained"
            ));
        }
        let counted = self.deliveries.insert(number, deliveries).unwrap_or(0);
        if deliveries <= counted || deliveries < *leases {
            self.faults.push(format!(
                "message {number}: delivery {deliveries} after {counted}, leased {leases} times"
            ));
        }
    }

    /// Takes what is left in the file, and looks for what is missing.
    fn finish(mut self, left: &[(u64, u32)]) -> Table {
        let mut found = HashSet::new();
        for (number, deliveries) in left {
            if !found.insert(*number) {
                self.faults.push(format!("message {number} is there twice"));
            }
            self.lease(*number, *deliveries);
        }
        let lost: Vec<u64> = self
            .enqueued
            .iter()
            .copied()
            .filter(|number| !self.sent.contains(number) && !found.contains(number))
            .collect();
        assert!(self.faults.is_empty(), "{:#?}", self.faults);
        Table {
            enqueued: self.enqueued.len(),
            acked: self.acked.len(),
            lost: lost.len(),
            duplicates: self.leases.values().map(|leases| leases - 1).sum(),
        }
    }
}

fn kills(rounds: u64, full: bool) -> Table {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("queue.db");
    let mut checker = Checker::default();
    let mut seed = fastrand::Rng::with_seed(7);
    for round in 0..rounds {
        let work = Work {
            first: round * 1_000_000,
            count: 1_000_000,
            payload: 200,
            full,
            consume: true,
        };
        let (mut killed, output) = child::start(&path, work, None);
        let reader = std::thread::spawn(move || lines(output));
        // Long enough to begin, in most rounds; some are killed while they open the file.
        std::thread::sleep(Duration::from_millis(seed.u64(1..250)));
        killed.kill().unwrap();
        killed.wait().unwrap();
        checker.process(&reader.join().unwrap());
    }
    let left = drain(&path);
    checker.finish(&left)
}

/// Leases all that is left in a file whose processes are dead.
fn drain(path: &Path) -> Vec<(u64, u32)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let queue = Queue::open(path, QueueOptions::new()).unwrap();
        let topic = queue.topic("t");
        let mut leased = Vec::new();
        while topic
            .lease(10_000, LeaseOptions::new(), &mut leased)
            .await
            .unwrap()
            > 0
        {}
        queue.close().await.unwrap();
        stage_queue::check(path).unwrap();
        leased
            .iter()
            .map(|one| (number(one), one.deliveries))
            .collect()
    })
}

#[test]
fn killing_the_process_20_times_loses_nothing() {
    let table = kills(20, false);
    assert_eq!(table.lost, 0, "{table:?}");
    assert!(
        table.enqueued > 1_000 && table.acked > 100,
        "too little happened: {table:?}"
    );
}

#[test]
fn killing_the_process_5_times_loses_nothing_with_synced_groups() {
    let table = kills(5, true);
    assert_eq!(table.lost, 0, "{table:?}");
}

/// `cargo test -p stage-queue --test it -- --ignored --nocapture 500_times`
#[test]
#[ignore = "takes a minute"]
fn killing_the_process_500_times_loses_nothing() {
    let table = kills(500, false);
    let Table {
        enqueued,
        acked,
        lost,
        duplicates,
    } = table;
    println!(
        "500 kills: {enqueued} enqueued, {acked} acked, {lost} lost, {duplicates} delivered more than once"
    );
    assert_eq!(table.lost, 0, "{table:?}");
}
