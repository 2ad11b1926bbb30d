//! Reference: CorVous/Familiar-Connect issue 231, "Event bus subscriber list never removes
//! dropped subscriptions; publish clones it per event"
//!
//! Subscribers of a bus that come and go leave nothing behind: neither entries in what one
//! sees, nor work for each event.

use stage_runtime::prelude::*;

use super::support::*;

#[test]
fn a_bus_goes_on_as_before_after_twenty_thousand_subscribers() {
    both_busy(60, || async {
        let pipeline = Pipeline::new();
        let bus = count(u64::MAX);
        let made = bus.made.clone();
        let bus = bus
            .stage()
            .dispatcher(Broadcast::new())
            .in_group(&pipeline)
            .spawn();
        let seen = seen();
        slow(&seen, 0)
            .stage()
            .subscribe_to(bus.subscription().max_demand(2))
            .in_group(&pipeline)
            .spawn();
        for _ in 0..20_000 {
            drop(bus.subscription().into_stream().unwrap());
            tokio::task::yield_now().await;
        }
        let before = seen.lock().unwrap().len();
        until("the one that stays gets more", || {
            seen.lock().unwrap().len() > before + 2_000
        })
        .await;
        let links = pipeline.snapshot().links.len();
        assert!(links <= 200, "{links} links are shown");
        pipeline
            .drain(std::time::Duration::from_secs(5))
            .await
            .unwrap();
        let seen = seen.lock().unwrap();
        let made = made.load(std::sync::atomic::Ordering::SeqCst);
        assert!(seen.iter().copied().eq(0..made), "it got every event");
        stage_test::assert_settled(&pipeline);
    });
}
