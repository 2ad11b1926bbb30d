//! `Partition` against what `GenStage.PartitionDispatcher` did.

use stage_dispatchers::{Partition, PartitionKey};
use stage_test::replay;
use stage_test::traces::{PartitionTrace, load};

#[test]
fn genstage_partition_traces() {
    let traces = load::<PartitionTrace>("partition.jsonl").unwrap();
    assert!(!traces.is_empty());
    for recorded in &traces {
        let options = recorded.trace.options;
        let hash = move |event: &u64| options.hash.partition(*event);
        let mut by_index = Partition::by_index(options.partitions, hash).unwrap();
        replay(&mut by_index, recorded, |route| {
            PartitionKey(route.partition)
        });

        let mut named = Partition::by_name(0..options.partitions, hash).unwrap();
        replay(&mut named, recorded, |route| PartitionKey(route.partition));
    }
}
