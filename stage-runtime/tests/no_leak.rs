//! Subscribing and cancelling for ever leaves nothing behind.
//!
//! Alone in its process, whose memory it looks at.

#[path = "it/common/mod.rs"]
mod common;

use stage_runtime::prelude::*;
use stage_test::assert_settled;
use stage_test::probe::{ConsumerProbe, ProducerProbe};

use common::memory::resident;
use common::{seeds, soon};

#[test]
fn a_hundred_thousand_subscriptions_leave_nothing_behind() {
    seeds(1, |_, mut random| async move {
        const ROUNDS: usize = 100_000;
        let pipeline = Pipeline::new();
        let silent = || ProducerProbe::<u64>::silent().0;
        let one = silent().stage().in_group(&pipeline).spawn();
        let all = silent()
            .stage()
            .dispatcher(Broadcast::new())
            .in_group(&pipeline)
            .spawn();
        let parts = Partition::by_index(1, |_: &u64| Some(0)).unwrap();
        let parts = silent()
            .stage()
            .dispatcher(parts)
            .in_group(&pipeline)
            .spawn();
        let consumer = ConsumerProbe::<u64>::new()
            .0
            .stage()
            .in_group(&pipeline)
            .spawn();
        let mut before = 0;
        for round in 0..ROUNDS {
            let terms = match random.u8(0..3) {
                0 => one.subscription(),
                1 => all.subscription(),
                _ => parts.partition(0),
            };
            let terms = terms.on_cancel(CancelMode::Temporary);
            // The one before may not have left its partition yet.
            if let Ok(id) = soon(consumer.subscribe(terms)).await {
                consumer.cancel(id, "enough");
            }
            if round == ROUNDS / 10 {
                before = resident();
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        let grown = resident().saturating_sub(before);
        assert!(grown < 16 << 20, "{grown} bytes more");
        let snapshot = pipeline.snapshot();
        assert!(snapshot.links.len() < 200, "{} links", snapshot.links.len());
        assert!(snapshot.links.iter().all(|link| link.ended));
        assert_settled(&pipeline);
        soon(pipeline.shutdown()).await;
        assert_settled(&pipeline);
    });
}
