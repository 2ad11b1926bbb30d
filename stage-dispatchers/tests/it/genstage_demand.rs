//! `Demand` against what `GenStage.DemandDispatcher` did.

use stage_dispatchers::Demand;
use stage_test::replay;
use stage_test::traces::{DemandTrace, load};

#[test]
fn genstage_demand_traces() {
    let traces = load::<DemandTrace>("demand.jsonl").unwrap();
    assert!(!traces.is_empty());
    for recorded in &traces {
        replay(&mut Demand::new(), recorded, |_| ());
    }
}
