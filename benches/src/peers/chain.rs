//! Source, stages that add one, sum: over channels, with a task for each.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::channel::Channel;

/// How many events an expert sends at a time: what our stages hand over with
/// their default demand.
pub(crate) const BATCH: u64 = 500;

/// What the chain comes to.
pub(crate) fn expected(events: u64, adders: u64) -> u64 {
    (0..events).sum::<u64>() + events * adders
}

/// One event at a time, `adders` stages in the middle.
pub(crate) fn items<C: Channel>(
    runtime: &Runtime,
    events: u64,
    adders: u64,
    capacity: usize,
) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let (mut first, mut from) = C::bounded::<u64>(capacity);
        tokio::spawn(async move {
            for n in 0..events {
                if !C::send(&mut first, n).await {
                    return;
                }
            }
        });
        for _ in 0..adders {
            let (mut to, next) = C::bounded::<u64>(capacity);
            tokio::spawn(async move {
                while let Some(n) = C::receive(&mut from).await {
                    if !C::send(&mut to, n + 1).await {
                        return;
                    }
                }
            });
            from = next;
        }
        let sum = tokio::spawn(async move {
            let mut sum = 0;
            while let Some(n) = C::receive(&mut from).await {
                sum += n;
            }
            sum
        });
        let sum = sum.await.expect("the task does not panic");
        assert_eq!(sum, expected(events, adders));
        started.elapsed()
    })
}

/// Vectors of [`BATCH`], as [`batches_of`] sends them.
pub(crate) fn batches<C: Channel>(
    runtime: &Runtime,
    events: u64,
    adders: u64,
    capacity: usize,
) -> Duration {
    batches_of::<C>(runtime, events, adders, capacity, BATCH)
}

/// Vectors of so many events, changed in place: one allocation at the source
/// is all that a batch costs, however many stages it passes.
pub(crate) fn batches_of<C: Channel>(
    runtime: &Runtime,
    events: u64,
    adders: u64,
    capacity: usize,
    size: u64,
) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let (mut first, mut from) = C::bounded::<Vec<u64>>(capacity);
        tokio::spawn(async move {
            let mut next = 0;
            while next < events {
                let end = events.min(next + size);
                if !C::send(&mut first, (next..end).collect()).await {
                    return;
                }
                next = end;
            }
        });
        for _ in 0..adders {
            let (mut to, next) = C::bounded::<Vec<u64>>(capacity);
            tokio::spawn(async move {
                while let Some(mut batch) = C::receive(&mut from).await {
                    for n in &mut batch {
                        *n += 1;
                    }
                    if !C::send(&mut to, batch).await {
                        return;
                    }
                }
            });
            from = next;
        }
        let sum = tokio::spawn(async move {
            let mut sum = 0;
            while let Some(batch) = C::receive(&mut from).await {
                sum += batch.iter().sum::<u64>();
            }
            sum
        });
        let sum = sum.await.expect("the task does not panic");
        assert_eq!(sum, expected(events, adders));
        started.elapsed()
    })
}
