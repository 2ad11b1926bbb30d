//! Own: consumers that move between producers all the time (`resubscribe`), fail on the way
//! and restart.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use super::support::*;
use stage_runtime::operators::from_iter;
use stage_runtime::prelude::*;

struct Shaky {
    seen: Seen<u64>,
    turns: Arc<AtomicU64>,
}

impl Consumer for Shaky {
    type Event = u64;

    async fn handle_events(&mut self, events: &mut Batch<u64>, _: &mut Context<'_>) -> StageResult {
        while let Some(&event) = events.peek() {
            if self.turns.fetch_add(1, SeqCst) % 23 == 22 {
                return Err("shaky".into());
            }
            self.seen.lock().unwrap().push(event);
            events.advance(1);
            if event % 8 == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }
}

#[test]
fn whoever_moves_loses_and_doubles_nothing() {
    for round in 0..rounds(6) as u64 {
        both(15, move || async move {
            let pipeline = Pipeline::new();
            let producers: Vec<_> = (0..3_u64)
                .map(|number| {
                    from_iter(number * 1000..number * 1000 + 700)
                        .stage()
                        .name(format!("producer {number}"))
                        .in_group(&pipeline)
                        .spawn()
                })
                .collect();
            let seen = seen();
            let restart = Restart::on_failure()
                .max_restarts(usize::MAX)
                .backoff(Duration::ZERO, Duration::ZERO);
            let movers: Vec<_> = (0..2)
                .map(|number| {
                    let (seen, turns) = (seen.clone(), Arc::new(AtomicU64::new(number * 7)));
                    supervised(move || Shaky {
                        seen: seen.clone(),
                        turns: Arc::clone(&turns),
                    })
                    .restart(restart)
                    .stage()
                    .name(format!("mover {number}"))
                    .in_group(&pipeline)
                    .spawn()
                })
                .collect();
            let mut random = fastrand::Rng::with_seed(round + 1);
            let mut at = vec![SubscriptionId::new(0); 2];
            while !producers.iter().all(|producer| producer.is_ended()) {
                for (mover, at) in movers.iter().zip(&mut at) {
                    let to = &producers[random.usize(..3)];
                    let ask = to
                        .subscription()
                        .max_demand(1 + random.usize(..9))
                        .on_cancel(CancelMode::Temporary);
                    if let Ok(id) = mover.resubscribe(*at, "moving", ask).await {
                        *at = id;
                    }
                }
                for _ in 0..random.usize(..12) {
                    tokio::task::yield_now().await;
                }
            }
            pipeline.drain(Duration::from_secs(3)).await.unwrap();
            let mut events = seen.lock().unwrap().clone();
            events.sort_unstable();
            let expected: Vec<u64> = (0..3).flat_map(|n| n * 1000..n * 1000 + 700).collect();
            assert_eq!(events.len(), expected.len());
            assert_eq!(events, expected);
        });
    }
}
