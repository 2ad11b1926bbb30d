//! `stage-queue`, driven as its callers drive it.

use std::path::Path;

use futures::future::join_all;
use stage_queue::{Durability, LeaseOptions, Leased, Queue, QueueOptions, Topic};
use tokio::runtime::Runtime;

use super::setting::{Clock, Setting, payload};

/// How many messages one transaction takes while a queue is filled.
const FILL: usize = 1_000;

pub(super) fn open(path: &Path, full: bool) -> Queue {
    let durability = if full {
        Durability::Full
    } else {
        Durability::ProcessOnly
    };
    Queue::open(path, QueueOptions::new().durability(durability))
        .expect("a new file can be created")
}

pub(super) async fn fill(topic: &Topic, messages: usize) {
    let mut left = messages;
    while left > 0 {
        let count = left.min(FILL);
        let enqueued = topic.enqueue_all((0..count).map(|_| payload().to_vec()));
        enqueued.await.expect("the disk has room");
        left -= count;
    }
}

/// Returns how many messages went through.
pub(super) fn run(runtime: &Runtime, path: &Path, setting: Setting, clock: &Clock) -> u64 {
    runtime.block_on(async {
        let queue = open(path, setting.full);
        let topic = queue.topic("bench");
        fill(&topic, setting.backlog).await;
        clock.start();
        let messages = if setting.callers == 1 {
            cycles(&queue, &topic, setting, clock).await
        } else {
            let callers = (0..setting.callers).map(|_| {
                let (queue, topic, clock) = (queue.clone(), topic.clone(), clock.clone());
                tokio::spawn(async move { cycles(&queue, &topic, setting, &clock).await })
            });
            let callers = join_all(callers).await;
            callers
                .into_iter()
                .map(|one| one.expect("nothing panics"))
                .sum()
        };
        clock.stop();
        queue.close().await.expect("the file is sound");
        messages
    })
}

async fn cycles(queue: &Queue, topic: &Topic, setting: Setting, clock: &Clock) -> u64 {
    let mut messages = 0;
    let mut leased = Vec::new();
    while !clock.is_over() {
        let enqueued = topic.enqueue_all((0..setting.group).map(|_| payload().to_vec()));
        enqueued.await.expect("the disk has room");
        let lease = topic.lease(setting.group, LeaseOptions::new(), &mut leased);
        lease.await.expect("the file is sound");
        let mut settled: Vec<_> = leased.iter().map(Leased::ack).collect();
        queue.settle(&mut settled).await.expect("the file is sound");
        assert!(settled.iter().all(|one| !one.stale), "nobody else has it");
        messages += leased.len() as u64;
        leased.clear();
    }
    messages
}
