//! Own: a partition that is handed from one consumer to another by `cancel` and by
//! `resubscribe`. ("One consumer at a time reads each. Events with the same key therefore
//! stay in order, and one consumer sees all of them.")

use super::support::*;
use stage_runtime::prelude::*;

struct Reader {
    seen: Seen<(usize, u64)>,
    number: usize,
    each: u64,
}

impl Consumer for Reader {
    type Event = u64;

    async fn handle_events(&mut self, events: &mut Batch<u64>, _: &mut Context<'_>) -> StageResult {
        for event in events {
            ms(self.each).await;
            self.seen.lock().unwrap().push((self.number, event));
        }
        Ok(())
    }
}

async fn run(stop: bool) {
    let partition = Partition::by_index(1, |_: &u64| Some(0)).unwrap();
    let numbers = count(60)
        .stage()
        .name("numbers")
        .dispatcher(partition)
        .spawn();
    let seen = seen();
    let reader = |number, each| Reader {
        seen: seen.clone(),
        number,
        each,
    };
    let first = reader(1, 5).stage().name("first").spawn();
    let ask = || {
        numbers
            .partition(0)
            .max_demand(20)
            .min_demand(19)
            .on_cancel(CancelMode::Temporary)
    };
    let id = first.subscribe(ask()).await.unwrap();
    ms(12).await;
    if stop {
        first.stop("hand over");
        first.outcome().await;
    } else {
        first.cancel(id, "hand over");
    }
    let second = reader(2, 1).stage().name("second").spawn();
    // Until the first one has left, the partition is taken: that is said, and tried again.
    loop {
        match second.subscribe(numbers.partition(0).max_demand(20)).await {
            Ok(_) => break,
            Err(stage_core::SubscribeError::PartitionTaken { .. }) => ms(1).await,
            Err(other) => panic!("{other}"),
        }
    }
    within(4000, second.join())
        .await
        .expect("it completes")
        .unwrap();
    ms(150).await;
    let seen = seen.lock().unwrap();
    let order: Vec<u64> = seen.iter().map(|(_, event)| *event).collect();
    assert!(
        order.is_sorted(),
        "events of one key out of order: {seen:?}"
    );
    assert_eq!(order.len(), 60);
}

#[test]
fn a_partition_whose_reader_stops_keeps_its_order() {
    both(8, || run(true));
}

#[test]
fn a_partition_whose_reader_cancels_keeps_its_order() {
    both(8, || run(false));
}
