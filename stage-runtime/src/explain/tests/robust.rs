//! Properties of explanations of arbitrary snapshots.

use proptest::prelude::*;

use super::*;

fn activities() -> impl Strategy<Value = Activity> {
    prop_oneof![
        Just(Activity::Starting),
        Just(Activity::Handler("handle_events")),
        Just(Activity::WaitingForEvents),
        Just(Activity::WaitingForDemand),
        Just(Activity::Restarting),
        Just(Activity::Ended),
    ]
}

/// Small numbers, so that some are equal, and large ones that overflow.
fn amounts() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..3u64, 1 => any::<u64>()]
}

fn times() -> impl Strategy<Value = Duration> {
    (0..4u64).prop_map(Duration::from_millis)
}

fn bottlenecks() -> impl Strategy<Value = Option<BottleneckSnapshot>> {
    let part = prop_oneof![Just(None), Just(Some("partition 3".to_owned()))];
    prop::option::of(
        (
            prop::option::of((0..12u64).prop_map(SubscriptionId::new)),
            part,
            amounts(),
        )
            .prop_map(|(link, part, held)| BottleneckSnapshot { link, part, held }),
    )
}

fn stages() -> impl Strategy<Value = StageSnapshot> {
    (
        0..8u64,
        activities(),
        times(),
        (amounts(), amounts(), any::<bool>()),
        bottlenecks(),
        prop::option::weighted(0.1, Just("completed".to_owned())),
    )
        .prop_map(
            |(id, activity, since, (unmet, buffered, closed), bottleneck, outcome)| {
                let mut stage = stage("s", activity)
                    .for_(since)
                    .unmet(unmet)
                    .buffered(buffered);
                stage.id = StageId::new(id);
                stage.gate_closed = closed;
                stage.bottleneck = bottleneck;
                stage.outcome = outcome;
                stage
            },
        )
}

fn links() -> impl Strategy<Value = LinkSnapshot> {
    let flags = (any::<bool>(), prop::bool::weighted(0.1));
    (
        0..12u64,
        0..10u64,
        0..10u64,
        flags,
        (amounts(), amounts(), amounts()),
    )
        .prop_map(
            |(id, producer, consumer, (manual, ended), (asked, delivered, in_flight))| {
                let mut link = link("s", "s");
                link.id = SubscriptionId::new(id);
                link.producer.id = StageId::new(producer);
                link.consumer.id = StageId::new(consumer);
                link.manual = manual;
                link.ended = ended;
                link.totals.asked = asked;
                link.totals.delivered = delivered;
                link.totals.in_flight = in_flight;
                link
            },
        )
}

proptest! {
    #[test]
    fn every_snapshot_is_explained(
        stages in prop::collection::vec(stages(), 0..10),
        links in prop::collection::vec(links(), 0..16),
        patience in times(),
    ) {
        let snapshot = snapshot(stages, links);
        let explanation = snapshot.explain(patience);
        prop_assert_eq!(&explanation, &snapshot.explain(patience));
        for text in [format!("{explanation}"), format!("{explanation:#}")] {
            prop_assert!(!text.is_empty());
        }
        prop_assert!(explanation.running() <= explanation.stages());
        prop_assert!(explanation.behind() <= explanation.running());
        prop_assert_eq!(explanation.behind() == 0, explanation.chain().is_empty());
        for cause in explanation.cause().into_iter().chain(explanation.also()) {
            prop_assert!(cause.since() > patience);
            prop_assert!(cause.stage().is_some());
        }
        for pair in explanation.chain().windows(2) {
            prop_assert_eq!(pair[0].stage.id, pair[1].awaits.id);
        }
    }

    /// A stage that has been inside a handler for too long is never overlooked.
    #[test]
    fn a_slow_handler_is_always_among_the_causes(
        mut stages in prop::collection::vec(stages(), 1..10),
        links in prop::collection::vec(links(), 0..16),
    ) {
        stages[0].activity = Activity::Handler("handle_info");
        stages[0].outcome = None;
        stages[0].since = LONG;
        let explanation = snapshot(stages, links).explain(PATIENCE);
        let mut causes = explanation.cause().into_iter().chain(explanation.also());
        let found = causes.any(|cause| matches!(cause, Cause::Handler { handler: "handle_info", .. }));
        prop_assert!(found);
    }
}

#[test]
fn an_explanation_can_be_sent_and_written_anywhere() {
    fn check<T: Clone + Eq + Send + Sync + 'static>() {}
    check::<Explanation>();
    #[cfg(feature = "serde")]
    {
        fn check<T: serde::Serialize>() {}
        check::<Explanation>();
    }
}
