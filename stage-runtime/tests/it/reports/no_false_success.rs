//! Reference: dashbitco/flow issue 35, "Error in flow source not stoping parent process in a
//! timely manner": the source raised, and the caller sometimes got an empty list as if all
//! were well.

use super::support::*;
use futures::{StreamExt, TryStreamExt, stream};
use stage_runtime::operators::{fold, from_stream, map};
use stage_runtime::prelude::*;

fn pages(fail_at: u64) -> impl Producer<Event = u64> {
    from_stream(stream::iter(0..).map(move |page| {
        assert!(page < fail_at, "stumbled");
        page
    }))
}

#[test]
fn a_source_that_fails_is_never_taken_for_one_that_ended() {
    for round in 0..rounds(60) {
        both(8, move || async move {
            let fail_at = round as u64 % 13;
            let source = pages(fail_at).stage().name("pages").spawn();
            let relay = map(|n: u64| n)
                .stage()
                .subscribe_to(source.subscription().max_demand(3))
                .spawn();
            let stream = relay.subscription().max_demand(2).into_stream().unwrap();
            let sum = fold(0, |sum, _: u64| sum + 1)
                .stage()
                .subscribe_to(relay.subscription().max_demand(2))
                .spawn();
            let read = tokio::spawn(stream.try_collect::<Vec<u64>>());
            let sum = sum.output().await;
            let read = read.await.unwrap();
            for error in [sum.unwrap_err(), read.unwrap_err()] {
                match error {
                    stage_runtime::Error::Failed(failure) => {
                        assert_eq!(failure.stage(), "pages");
                        assert!(failure.panic_message().unwrap().contains("stumbled"));
                    }
                    other => panic!("{other}"),
                }
            }
        });
    }
}
