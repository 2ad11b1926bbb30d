//! One source, several consumers that sum: over channels, with a task each.

use std::time::Duration;
use std::time::Instant;

use tokio::runtime::Runtime;

use super::chain::{BATCH, expected};
use super::channel::Channel;

/// Vectors of [`BATCH`], to each of `consumers` channels in turn.
pub(crate) fn round_robin<C: Channel>(
    runtime: &Runtime,
    events: u64,
    consumers: usize,
    capacity: usize,
) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let (mut senders, mut sums) = (Vec::new(), Vec::new());
        for _ in 0..consumers {
            let (sender, mut receiver) = C::bounded::<Vec<u64>>(capacity);
            senders.push(sender);
            sums.push(tokio::spawn(async move {
                let mut sum = 0;
                while let Some(batch) = C::receive(&mut receiver).await {
                    sum += batch.iter().sum::<u64>();
                }
                sum
            }));
        }
        tokio::spawn(async move {
            let (mut next, mut to) = (0, 0);
            while next < events {
                let end = events.min(next + BATCH);
                if !C::send(&mut senders[to], (next..end).collect()).await {
                    return;
                }
                next = end;
                to = (to + 1) % consumers;
            }
        });
        let mut sum = 0;
        for part in sums {
            sum += part.await.expect("the task does not panic");
        }
        assert_eq!(sum, expected(events, 0));
        started.elapsed()
    })
}

/// Vectors of [`BATCH`] in one channel that all consumers take from.
pub(crate) fn shared_queue(runtime: &Runtime, events: u64, consumers: usize) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let (sender, receiver) = async_channel::bounded::<Vec<u64>>(2 * consumers);
        let sums: Vec<_> = (0..consumers)
            .map(|_| {
                let receiver = receiver.clone();
                tokio::spawn(async move {
                    let mut sum = 0;
                    while let Ok(batch) = receiver.recv().await {
                        sum += batch.iter().sum::<u64>();
                    }
                    sum
                })
            })
            .collect();
        tokio::spawn(async move {
            let mut next = 0;
            while next < events {
                let end = events.min(next + BATCH);
                if sender.send((next..end).collect()).await.is_err() {
                    return;
                }
                next = end;
            }
        });
        let mut sum = 0;
        for part in sums {
            sum += part.await.expect("the task does not panic");
        }
        assert_eq!(sum, expected(events, 0));
        started.elapsed()
    })
}
