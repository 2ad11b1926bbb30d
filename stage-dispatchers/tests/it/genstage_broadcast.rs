//! `Broadcast` against what `GenStage.BroadcastDispatcher` did.

use stage_dispatchers::{Broadcast, Selector};
use stage_test::replay;
use stage_test::traces::{BroadcastRoute, BroadcastTrace, load};

#[test]
fn genstage_broadcast_traces() {
    let traces = load::<BroadcastTrace>("broadcast.jsonl").unwrap();
    assert!(!traces.is_empty());
    for recorded in &traces {
        replay(&mut Broadcast::new(), recorded, selector);
    }
}

fn selector(route: &BroadcastRoute) -> Selector<u64> {
    match route.selector {
        Some(keep) => Selector::new(move |event| event % keep.modulo == keep.remainder),
        None => Selector::all(),
    }
}
