//! What the parts of the queue cost: `cargo run --release -p stage-queue --example costs`.
//!
//! Prints microseconds a message, the median of the rounds.

use std::error::Error;
use std::time::{Duration, Instant};

use stage_queue::{Durability, LeaseOptions, Leased, NewMessage, Queue, QueueOptions};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// The payload of each message, in bytes.
const PAYLOAD: usize = 256;
const ROUNDS: usize = 5;

fn main() -> Result {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    let dir = std::env::args_os()
        .nth(1)
        .map_or_else(std::env::temp_dir, Into::into);
    let dir = tempfile::tempdir_in(dir)?;
    for durability in [Durability::Full, Durability::ProcessOnly] {
        for group in [1, 10, 100, 1_000] {
            let messages = if group == 1 { 2_000 } else { 20_000 };
            let mut rounds = Vec::new();
            for round in 0..ROUNDS {
                let path = dir.path().join(format!("{durability:?}-{group}-{round}"));
                let queue = Queue::open(path, QueueOptions::new().durability(durability))?;
                rounds.push(runtime.block_on(cycle(&queue, messages, group))?);
            }
            let part = |which: fn(&Costs) -> Duration| {
                let mut all: Vec<Duration> = rounds.iter().map(which).collect();
                all.sort();
                all[ROUNDS / 2].as_secs_f64() * 1e6 / messages as f64
            };
            let (enqueue, lease, ack) = (
                part(|costs| costs.enqueue),
                part(|costs| costs.lease),
                part(|costs| costs.ack),
            );
            let rate = 1e6 / (enqueue + lease + ack);
            report(&format!(
                "{durability:>12?}  groups of {group:>4}: enqueue {enqueue:>7.2} us, lease {lease:>7.2} us, ack {ack:>7.2} us a message: {rate:>8.0} a second"
            ));
        }
    }
    Ok(())
}

struct Costs {
    enqueue: Duration,
    lease: Duration,
    ack: Duration,
}

async fn cycle(queue: &Queue, messages: usize, group: usize) -> Result<Costs> {
    let topic = queue.topic("costs");
    let start = Instant::now();
    for _ in 0..messages / group {
        topic
            .enqueue_all((0..group).map(|_| NewMessage::new(vec![7; PAYLOAD])))
            .await?;
    }
    let enqueue = start.elapsed();
    let (mut lease, mut ack) = (Duration::ZERO, Duration::ZERO);
    let mut leased = Vec::new();
    for _ in 0..messages / group {
        let start = Instant::now();
        topic.lease(group, LeaseOptions::new(), &mut leased).await?;
        lease += start.elapsed();
        let start = Instant::now();
        let mut settled: Vec<_> = leased.drain(..).map(|one: Leased| one.ack()).collect();
        queue.settle(&mut settled).await?;
        ack += start.elapsed();
    }
    queue.close().await?;
    Ok(Costs {
        enqueue,
        lease,
        ack,
    })
}

#[allow(clippy::print_stdout, reason = "an example prints")]
fn report(line: &str) {
    println!("{line}");
}
