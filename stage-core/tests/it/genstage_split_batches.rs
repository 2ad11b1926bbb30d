//! `DemandWindow` against what `GenStage.Utils.split_batches/5` did.

use stage_core::{DemandLimits, DemandWindow};
use stage_test::traces::{SplitBatch, SplitTrace, load};

#[test]
fn genstage_split_batches_traces() {
    let traces = load::<SplitTrace>("split_batches.jsonl").unwrap();
    assert!(!traces.is_empty());
    for recorded in &traces {
        let (trace, at) = (&recorded.trace, recorded.at(0));
        let limits = DemandLimits::new(trace.max_demand, trace.min_demand).unwrap();
        let mut window = DemandWindow::new(limits);
        window.asked(trace.pending);

        let mut batches = Vec::new();
        let mut left = trace.events;
        while left > 0 {
            let len = left.min(limits.batch_limit());
            let ask = window.handled(len);
            batches.push(SplitBatch { len, ask });
            left -= len;
        }
        assert_eq!(batches, trace.batches, "{at}: batches");
        assert_eq!(window.pending(), trace.pending_after, "{at}: pending");
    }
}
