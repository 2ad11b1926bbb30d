//! Causes that lie on a link: a consumer does not ask.

use super::*;

/// `lines` feeds `tokeniser`, which partitions among four counters; the last
/// one's partition is full.
fn partitioned(slow: StageSnapshot, last: LinkSnapshot) -> Explanation {
    let last_id = last.id;
    explain(
        [
            full("lines"),
            full("tokeniser").buffered(10_000).bottleneck(
                Some(last_id),
                Some("partition 3"),
                10_000,
            ),
            idle("counter#0"),
            idle("counter#1"),
            slow,
        ],
        [
            link("lines", "tokeniser").busy(1000),
            link("tokeniser", "counter#0").handled(5000).asked(1000),
            link("tokeniser", "counter#1").handled(4000).asked(800),
            last,
        ],
    )
}

#[test]
fn a_full_partition_leads_to_its_slow_consumer() {
    let explanation = partitioned(
        inside("counter#3", "handle_events"),
        link("tokeniser", "counter#3").handled(9000).busy(1000),
    );
    assert_eq!(
        explanation.to_string(),
        "`counter#3` has been inside handle_events for 12.1 s; partition 3 holds 10,000 events for it; `tokeniser` waits for partition 3's demand; 4 stages wait behind it"
    );
    assert_eq!(
        explanation.chain()[0].what,
        Awaited::Demand {
            part: Some("partition 3".to_owned()),
            held: 10_000
        }
    );
    assert_eq!(
        format!("{explanation:#}"),
        "`counter#3` has been inside handle_events for 12.1 s; partition 3 holds 10,000 events for it; 4 stages wait behind it\n  \
           `tokeniser` has waited for partition 3's demand for 12.1 s\n  \
           `lines` has waited for `tokeniser`'s demand for 12.1 s"
    );
}

#[test]
fn a_full_partition_leads_past_its_consumer() {
    let stuck = explain(
        [
            full("tokeniser").bottleneck(
                Some(link("tokeniser", "merge").id),
                Some("partition \"eu\""),
                500,
            ),
            idle("other"),
            full("merge"),
            inside("store", "handle_events"),
        ],
        [
            link("tokeniser", "other").asked(10),
            link("tokeniser", "merge").busy(10),
            link("merge", "store").busy(10),
        ],
    );
    assert_eq!(
        format!("{stuck:#}"),
        "`store` has been inside handle_events for 12.1 s; 3 stages wait behind it\n  \
           `merge` has waited for `store`'s demand for 12.1 s\n  \
           `tokeniser` has waited for partition \"eu\"'s demand for 12.1 s\n  \
           `other` has waited for `tokeniser`'s events for 12.1 s"
    );
}

#[test]
fn a_partition_that_nobody_took_is_named() {
    let explanation = explain(
        [
            full("lines"),
            full("tokeniser")
                .buffered(10_000)
                .bottleneck(None, Some("partition 3"), 10_000),
            idle("counter#0"),
        ],
        [
            link("lines", "tokeniser").busy(1000),
            link("tokeniser", "counter#0").asked(1000),
        ],
    );
    assert_eq!(
        explanation.cause(),
        Some(&Cause::Unowned {
            stage: endpoint(id_of("tokeniser"), "tokeniser"),
            part: Some("partition 3".to_owned()),
            held: 10_000,
            since: LONG,
        })
    );
    assert_eq!(
        explanation.to_string(),
        "partition 3 of `tokeniser` holds 10,000 events and has no subscriber; `tokeniser` has stood still for 12.1 s; `lines` waits for `tokeniser`'s demand; 2 stages wait behind it"
    );
}

#[test]
fn a_broadcast_subscriber_that_never_asks_holds_up_the_others() {
    let explanation = explain(
        [
            full("feed").bottleneck(Some(link("feed", "audit").id), None, 0),
            idle("audit"),
            idle("live"),
            idle("store"),
        ],
        [
            link("feed", "audit").manual(),
            link("feed", "live").asked(1000),
            link("feed", "store").asked(1000),
        ],
    );
    assert_eq!(
        explanation.cause(),
        Some(&Cause::NoAsk {
            consumer: endpoint(id_of("audit"), "audit"),
            producer: endpoint(id_of("feed"), "feed"),
            link: link("feed", "audit").id,
            asked: 0,
            since: LONG,
        })
    );
    assert_eq!(
        explanation.to_string(),
        "`audit` asks by hand and has not asked `feed` for anything; it has stood still for 12.1 s; `feed` waits for `audit`'s demand; 3 stages wait behind it"
    );
}

#[test]
fn a_manual_consumer_that_forgot_to_ask_again_is_named() {
    for source in [full("source"), idle("source").buffered(50)] {
        let explanation = explain(
            [source, idle("batcher")],
            [link("source", "batcher").handled(1200).manual()],
        );
        assert_eq!(
            explanation.to_string(),
            "`batcher` asks by hand and has not asked `source` again after 1,200 events; it has stood still for 12.1 s; `source` waits for `batcher`'s demand; 1 stage waits behind it"
        );
    }
}

#[test]
fn a_manual_consumer_can_forget_one_producer_while_it_waits_for_another() {
    let explanation = explain(
        [full("a"), idle("b").unmet(5).for_(SHORT), idle("join")],
        [
            link("a", "join").handled(10).manual(),
            link("b", "join").asked(5).manual(),
        ],
    );
    assert_eq!(
        explanation.to_string(),
        "`join` asks by hand and has not asked `a` again after 10 events; it has stood still for 12.1 s; `a` waits for `join`'s demand; 1 stage waits behind it"
    );
}

#[test]
fn a_manual_stage_that_nobody_asks_has_not_forgotten() {
    let explanation = explain(
        [
            full("source"),
            idle("relay"),
            inside("slow", "handle_events"),
        ],
        [
            link("source", "relay").handled(10).manual(),
            link("relay", "slow").busy(10),
        ],
    );
    assert_eq!(
        format!("{explanation:#}"),
        "`slow` has been inside handle_events for 12.1 s; 2 stages wait behind it\n  \
           `relay` has waited for `slow`'s demand for 12.1 s\n  \
           `source` has waited for `relay`'s demand for 12.1 s"
    );
}

#[test]
fn a_stream_that_nobody_reads_is_named() {
    let explanation = explain(
        [full("source"), full("double")],
        [
            link("source", "double").busy(1000),
            link("double", "stream of double").busy(1000),
        ],
    );
    assert_eq!(
        explanation.to_string(),
        "`stream of double` is not being read, with 1,000 events in it; `double` has stood still for 12.1 s; 2 stages wait behind it"
    );
}

#[test]
fn a_stage_with_queued_events_waits_for_those_who_do_not_ask() {
    let explanation = explain(
        [
            full("source"),
            full("double").buffered(0),
            inside("a", "handle_events").for_(Duration::from_secs(5)),
            inside("b", "handle_events"),
        ],
        [
            link("source", "double").busy(1000),
            link("double", "a").busy(1000),
            link("double", "b").busy(1000),
        ],
    );
    assert_eq!(
        format!("{explanation:#}"),
        "`b` has been inside handle_events for 12.1 s; 2 stages wait behind it\n  \
           `double` has waited for `b`'s demand for 12.1 s\n  \
           `source` has waited for `double`'s demand for 12.1 s\n\
         also: `a` has been inside handle_events for 5.0 s"
    );
}

#[test]
fn a_stage_that_is_to_end_waits_for_those_who_do_not_take_the_rest() {
    let explanation = explain(
        [
            stage("source", Activity::Ended),
            idle("double").buffered(30).unmet(10),
            idle("quick"),
            inside("slow", "handle_events"),
        ],
        [
            link("source", "double").handled(1000).ended(),
            link("double", "quick").asked(10),
            link("double", "slow").busy(1000),
        ],
    );
    assert_eq!(
        explanation.to_string(),
        "`slow` has been inside handle_events for 12.1 s; `double` waits for `slow`'s demand; 2 stages wait behind it"
    );
}
