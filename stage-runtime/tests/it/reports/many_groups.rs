//! Reference: ReactiveX/RxJava issue 6284, "2.x Deadlock with Flowable.groupBy(...) if
//! number of groups exceeds buffer size"; reactor/reactor-core issue 3442, "groupBy followed
//! by concatMap is hanging on low cardinality groups"
//!
//! More groups than places for what waits. Where all groups are read it goes through; where
//! one is read after the other it cannot, and then it is said which group nobody reads.

use std::time::Duration;

use super::support::*;
use stage_runtime::explain::Cause;
use stage_runtime::prelude::*;

#[test]
fn five_hundred_groups_read_by_one_consumer_with_room_for_one() {
    both(20, || async {
        for bound in [0, 1, 3] {
            let pipeline = Pipeline::new();
            let partition = Partition::by_index(500, |n: &u64| Some((n * 7919 % 500) as usize));
            let numbers = count(5_000)
                .stage()
                .dispatcher(partition.unwrap().queue_bound(bound))
                .in_group(&pipeline)
                .spawn();
            let mut sink = all().stage();
            for group in 0..500 {
                sink = sink.subscribe_to(numbers.partition(group).max_demand(1));
            }
            let sink = sink.in_group(&pipeline).spawn();
            pipeline.join().await.unwrap();
            let mut events = sink.join_stage().await.unwrap().0;
            events.sort_unstable();
            assert!(events.into_iter().eq(0..5_000), "bound {bound}");
            stage_test::assert_settled(&pipeline);
        }
    });
}

#[test]
fn groups_that_are_read_one_after_the_other_stand_still_and_say_why() {
    both(10, || async {
        let pipeline = Pipeline::new();
        let partition = Partition::by_index(4, |n: &u64| Some((n % 4) as usize)).unwrap();
        let numbers = count(344)
            .stage()
            .name("numbers")
            .dispatcher(partition.queue_bound(20))
            .in_group(&pipeline)
            .spawn();
        let first = all()
            .stage()
            .subscribe_to(numbers.partition(0))
            .in_group(&pipeline)
            .spawn();
        ms(80).await;
        let explanation = pipeline.explain(Duration::from_millis(20));
        match explanation.cause() {
            Some(Cause::Unowned {
                stage,
                part: Some(part),
                ..
            }) => {
                assert_eq!(&*stage.name, "numbers");
                assert!(part.starts_with("partition "), "{part}");
            }
            other => panic!("{other:?}: {explanation:#}"),
        }
        let mut groups = vec![first];
        for group in 1..4 {
            groups.push(
                all()
                    .stage()
                    .subscribe_to(numbers.partition(group))
                    .in_group(&pipeline)
                    .spawn(),
            );
        }
        for (group, handle) in groups.into_iter().enumerate() {
            let events = handle.join_stage().await.unwrap().0;
            assert!(events.into_iter().eq((0..86).map(|n| n * 4 + group as u64)));
        }
        stage_test::assert_settled(&pipeline);
    });
}
