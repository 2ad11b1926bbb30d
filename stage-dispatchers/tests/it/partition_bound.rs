//! The queues of `Partition` behind a producer: they let the other partitions
//! go on up to their bound, and hold upstream up at it.

use std::num::NonZeroUsize;

use proptest::prelude::*;
use stage_core::{Bound, Gate, Outbox, Overflow, ProducerSide, SubscriptionId};
use stage_dispatchers::{Partition, PartitionKey};

fn id(partition: usize) -> SubscriptionId {
    SubscriptionId::new(partition as u64)
}

/// A producer whose event `n` goes to partition `n % partitions`.
struct Producer {
    side: ProducerSide<Partition<usize>, ()>,
    partitions: usize,
    delivered: Vec<Vec<usize>>,
    asked: Vec<usize>,
}

impl Producer {
    fn new(partitions: usize, bound: usize) -> Self {
        let parts = Partition::by_index(partitions, move |event| Some(event % partitions))
            .expect("a few partitions")
            .queue_bound(bound);
        Self {
            side: ProducerSide::new(parts, Bound::Unbounded, Overflow::DropOldest, Gate::Open),
            partitions,
            delivered: vec![Vec::new(); partitions],
            asked: vec![0; partitions],
        }
    }

    fn parts(&self) -> &Partition<usize> {
        self.side.dispatcher()
    }

    fn queued(&self, partition: usize) -> usize {
        self.parts()
            .queued(&partition)
            .expect("the partition exists")
    }

    /// Subscription `n` is for partition `n`.
    fn subscribe(&mut self, partition: usize) {
        let mut out = Outbox::new();
        self.side
            .subscribe(id(partition), PartitionKey(partition), &mut out)
            .expect("the partition is free");
        self.note(out);
    }

    fn cancel(&mut self, partition: usize) {
        let mut out = Outbox::new();
        self.side.cancel(id(partition), &mut out);
        self.side.take_back(id(partition), Vec::new(), &mut out);
        self.note(out);
    }

    fn ask(&mut self, partition: usize, demand: usize) {
        self.asked[partition] += demand;
        let demand = NonZeroUsize::new(demand).expect("demand is at least 1");
        let mut out = Outbox::new();
        self.side.ask(id(partition), demand, &mut out);
        self.note(out);
    }

    fn emit(&mut self, events: impl IntoIterator<Item = usize>) {
        let mut out = Outbox::new();
        self.side.emit(events.into_iter().collect(), &mut out);
        self.note(out);
    }

    fn note(&mut self, mut out: Outbox<usize, ()>) {
        for (to, events) in out.deliveries.take_sends() {
            let partition = to.get() as usize;
            assert!(
                events
                    .iter()
                    .all(|event| event % self.partitions == partition)
            );
            self.delivered[partition].extend(events);
        }
        let held: usize = (0..self.partitions)
            .map(|partition| self.queued(partition))
            .sum();
        assert_eq!(held, self.side.held());
    }
}

/// Issue 282 of GenStage: there, the events that wait for the absent partition
/// are taken for the ones that the other has asked for.
#[test]
fn an_absent_partition_does_not_starve_the_others_up_to_the_bound() {
    let mut producer = Producer::new(2, 10);
    producer.subscribe(1);
    producer.ask(1, 4);

    let mut next = 0;
    for round in 1..=9 {
        assert!(
            producer.side.unmet() > 0,
            "round {round}: nothing was asked for"
        );
        producer.emit([next]);
        next += 2;
        assert_eq!(producer.parts().queued(&0), Some(round));
        assert_eq!(producer.parts().blocked(), None);
    }
    producer.emit([next, next + 2]);
    assert_eq!(producer.parts().queued(&0), Some(10));
    assert_eq!(producer.parts().blocked(), Some(&0));
    assert_eq!(
        producer.side.unmet(),
        0,
        "at the bound upstream is not asked any more"
    );
    assert_eq!(
        producer.side.buffered(),
        1,
        "what came beyond it is the producer's to buffer"
    );

    producer.subscribe(0);
    assert_eq!(producer.side.unmet(), 0);
    producer.ask(0, 3);
    assert_eq!(producer.delivered[0], [0, 2, 4]);
    assert_eq!(producer.parts().queued(&0), Some(8));
    assert_eq!(producer.parts().blocked(), None);
    assert_eq!(
        producer.side.unmet(),
        2,
        "as many as there is room for, of 4 asked for"
    );

    producer.emit([1, 3]);
    assert_eq!(producer.delivered[1], [1, 3]);
    assert_eq!(producer.side.unmet(), 2);
}

#[test]
fn a_slow_partition_does_not_starve_the_others() {
    let mut producer = Producer::new(2, 100);
    producer.subscribe(0);
    producer.subscribe(1);
    producer.ask(0, 10);
    producer.ask(1, 10);
    assert_eq!(producer.side.unmet(), 20);

    producer.emit((0..40).step_by(2));
    assert_eq!(producer.delivered[0].len(), 10);
    assert_eq!(producer.parts().queued(&0), Some(10));
    assert_eq!(
        producer.side.unmet(),
        20,
        "partition 1 still waits for its ten, and as many may be for the other"
    );
    producer.emit((1..20).step_by(2));
    assert_eq!(producer.delivered[1].len(), 10);
}

#[test]
fn who_waits_has_upstream_asked_for_as_much_for_each_partition() {
    let mut producer = Producer::new(4, 100);
    producer.subscribe(1);
    producer.ask(1, 10);
    assert_eq!(producer.side.unmet(), 40);
    producer.emit((0..40).step_by(4));
    assert_eq!(producer.side.unmet(), 40, "it has had nothing yet");
    producer.emit((1..37).step_by(4));
    assert_eq!(
        producer.side.unmet(),
        40,
        "it lacks one, and has asked for ten"
    );
    producer.emit([37]);
    assert_eq!(producer.side.unmet(), 39, "nobody waits any more");

    producer.subscribe(0);
    producer.ask(0, 10);
    assert_eq!(producer.side.unmet(), 39, "its ten were there");
    producer.ask(0, 2);
    assert_eq!(producer.side.unmet(), 39, "that is enough for two each");
    producer.ask(1, 20);
    assert_eq!(producer.side.unmet(), 44, "they wait for eleven on average");
}

#[test]
fn no_more_is_asked_for_than_any_partition_has_room_for() {
    let mut producer = Producer::new(4, 15);
    producer.subscribe(1);
    producer.ask(1, 10);
    assert_eq!(producer.side.unmet(), 15);
    producer.emit((0..40).step_by(4));
    assert_eq!(producer.side.unmet(), 5);
}

#[test]
fn with_a_bound_of_zero_every_partition_has_to_have_demand() {
    let mut producer = Producer::new(2, 0);
    producer.subscribe(0);
    producer.subscribe(1);
    producer.ask(0, 5);
    assert_eq!(
        (producer.side.unmet(), producer.parts().blocked()),
        (0, Some(&1))
    );
    producer.ask(1, 3);
    assert_eq!(producer.side.unmet(), 3);
}

/// While one partition is full, events that were handed back for another
/// still reach its next subscriber.
#[test]
fn a_full_partition_does_not_keep_the_others_from_what_is_buffered() {
    let mut producer = Producer::new(2, 4);
    producer.subscribe(1);
    producer.ask(1, 1);
    producer.emit([0, 2, 4, 6]);
    assert_eq!(producer.parts().blocked(), Some(&0));
    producer.emit([1, 3, 8]);
    assert_eq!(producer.delivered[1], [1]);
    producer.ask(1, 5);
    assert_eq!(producer.delivered[1], [1, 3]);
    assert_eq!((producer.side.buffered(), producer.side.unmet()), (1, 0));
}

#[test]
fn what_was_queued_for_a_cancelled_subscriber_reaches_the_next_one_in_order() {
    let mut producer = Producer::new(2, 100);
    producer.subscribe(0);
    producer.subscribe(1);
    producer.ask(1, 6);
    producer.emit([0, 2, 4]);
    producer.cancel(0);
    producer.emit([6]);
    producer.subscribe(0);
    producer.ask(0, 10);
    assert_eq!(producer.delivered[0], [0, 2, 4, 6]);
}

#[derive(Debug, Clone)]
enum Op {
    Subscribe(usize),
    Cancel(usize),
    Ask(usize, usize),
    Emit(Vec<usize>),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let partition = || 0..3_usize;
    let op = prop_oneof![
        2 => partition().prop_map(Op::Subscribe),
        1 => partition().prop_map(Op::Cancel),
        4 => (partition(), 1..8_usize).prop_map(|(partition, demand)| Op::Ask(partition, demand)),
        4 => prop::collection::vec(partition(), 0..8).prop_map(Op::Emit),
    ];
    prop::collection::vec(op, 0..60)
}

proptest! {
    /// Whatever happens, no queue passes its bound, every event is in one
    /// place, order is kept, and a full partition never adds to what is owed.
    #[test]
    fn a_bound_is_hard(bound in 0..6_usize, ops in ops()) {
        let mut producer = Producer::new(3, bound);
        let mut subscribed = [false; 3];
        let mut emitted = [0; 3];
        for op in ops {
            let unmet = producer.side.unmet();
            match op {
                Op::Subscribe(partition) if !subscribed[partition] => {
                    subscribed[partition] = true;
                    producer.subscribe(partition);
                }
                Op::Cancel(partition) => {
                    subscribed[partition] = false;
                    producer.asked[partition] = producer.delivered[partition].len();
                    producer.cancel(partition);
                }
                Op::Ask(partition, demand) if subscribed[partition] => {
                    producer.ask(partition, demand);
                }
                Op::Emit(partitions) => {
                    let event = |partition: usize| {
                        emitted[partition] += 1;
                        3 * (emitted[partition] - 1) + partition
                    };
                    let events: Vec<usize> = partitions.into_iter().map(event).collect();
                    producer.emit(events);
                }
                Op::Subscribe(_) | Op::Ask(..) => {}
            }
            for partition in 0..3 {
                let queued = producer.queued(partition);
                prop_assert!(queued <= bound);
                let delivered = &producer.delivered[partition];
                prop_assert!(delivered.len() <= producer.asked[partition]);
                prop_assert!(delivered.iter().enumerate().all(|(n, event)| *event == 3 * n + partition));
            }
            if producer.parts().blocked().is_some() {
                prop_assert!(producer.side.unmet() <= unmet);
            }
            let delivered: usize = producer.delivered.iter().map(Vec::len).sum();
            let inside = producer.side.buffered() + producer.side.held();
            prop_assert_eq!(emitted.iter().sum::<usize>(), delivered + inside);
        }
    }
}
