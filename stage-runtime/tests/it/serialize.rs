//! Snapshots and explanations as data.

use std::time::Duration;

use crate::common::soon;
use stage_runtime::operators::{for_each, from_iter};
use stage_runtime::prelude::*;

#[tokio::test(start_paused = true)]
async fn a_snapshot_and_its_explanation_can_be_written_as_json() {
    let pipeline = Pipeline::new();
    let source = from_iter(0..42u64)
        .stage()
        .name("source")
        .buffer(Bound::Bytes {
            limit: 100,
            weigh: |_| 8,
        })
        .in_group(&pipeline)
        .spawn();
    for_each(|_: u64| ())
        .stage()
        .name("sink")
        .subscribe_to(source.subscription().max_bytes(1_000, |_| 8))
        .in_group(&pipeline)
        .spawn();
    soon(pipeline.join()).await.unwrap();
    let json = serde_json::to_value(pipeline.snapshot()).unwrap();
    assert_eq!(json["stages"][0]["stats"]["name"], "source");
    assert_eq!(json["stages"][0]["stats"]["buffered_bytes"], 0);
    assert_eq!(json["stages"][1]["kind"], "Consumer");
    assert_eq!(json["links"][0]["in_flight_bytes"], 0);
    assert_eq!(json["links"][0]["totals"]["handled"], 42);
    assert_eq!(json["links"][0]["producer"]["name"], "source");
    let explanation = serde_json::to_value(pipeline.explain(Duration::from_secs(1))).unwrap();
    assert_eq!(explanation["stages"], 2);
    assert!(explanation["cause"].is_null());
}
