//! What a dispatcher has shed for a slow subscriber.

use super::*;

/// `b` and `c` are slow subscribers of `a`, for which `a` has shed this much.
fn hub(b: u64, c: u64) -> Snapshot {
    let missing = |consumer, shed| {
        let mut link = link("a", consumer).busy(10);
        link.totals.shed = shed;
        link
    };
    snapshot(
        [idle("a").unmet(10), inside("b", "handle_events"), idle("c")],
        [missing("b", b), missing("c", c)],
    )
}

#[test]
fn the_subscriber_that_has_missed_most_is_named() {
    let explanation = hub(8_000, 1).explain(PATIENCE);
    let missed = explanation.missed().unwrap();
    assert_eq!(missed.consumer, endpoint(id_of("b"), "b"));
    assert_eq!(missed.producer, endpoint(id_of("a"), "a"));
    assert_eq!(missed.events, 8_000);
    let text = format!("{explanation:#}");
    let last = text.lines().last();
    assert_eq!(last, Some("`b` has missed 8,000 events: `a` shed them"));
    assert!(!explanation.to_string().contains("missed"));
}

#[test]
fn it_is_named_although_nothing_stands_still() {
    let text = format!("{:#}", hub(0, 1).explain(LONG * 2));
    let expected = "nothing has stood still for longer than 24.2 s\n\
                    `c` has missed 1 event: `a` shed it";
    assert_eq!(text, expected);
}

#[test]
fn a_subscription_that_has_ended_misses_nothing() {
    let mut snapshot = hub(5, 0);
    snapshot.links[0].ended = true;
    let explanation = snapshot.explain(PATIENCE);
    assert_eq!(explanation.missed(), None);
    assert!(!format!("{explanation:#}").contains("missed"));
}
