//! One source, several consumers that sum: over channels, with a task each.

use std::time::Duration;
use std::time::Instant;

use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::chain::{BATCH, expected};
use super::channel::{Channel, Message};

/// Channels, and a task at the end of each that sums what `of` makes of the
/// messages.
pub(crate) fn summing<C: Channel, M: Message>(
    consumers: usize,
    capacity: usize,
    of: impl Fn(&M) -> u64 + Copy + Send + 'static,
) -> (Vec<C::Sender<M>>, Vec<JoinHandle<u64>>) {
    (0..consumers)
        .map(|_| {
            let (sender, mut receiver) = C::bounded::<M>(capacity);
            let sum = tokio::spawn(async move {
                let mut sum = 0;
                while let Some(message) = C::receive(&mut receiver).await {
                    sum += of(&message);
                }
                sum
            });
            (sender, sum)
        })
        .unzip()
}

/// What all of them come to.
pub(crate) async fn total(sums: Vec<JoinHandle<u64>>) -> u64 {
    let mut total = 0;
    for sum in sums {
        total += sum.await.expect("the task does not panic");
    }
    total
}

/// Vectors of [`BATCH`], to each of `consumers` channels in turn.
pub(crate) fn round_robin<C: Channel>(
    runtime: &Runtime,
    events: u64,
    consumers: usize,
    capacity: usize,
) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let (mut senders, sums) =
            summing::<C, Vec<u64>>(consumers, capacity, |batch| batch.iter().sum());
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
        assert_eq!(total(sums).await, expected(events, 0));
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
        assert_eq!(total(sums).await, expected(events, 0));
        started.elapsed()
    })
}
