//! Causes that lie in one stage.

use super::*;

#[test]
fn a_slow_handler_holds_back_all_before_and_behind_it() {
    let explanation = explain(
        [
            full("lines"),
            inside("parse", "handle_events"),
            idle("print"),
        ],
        [
            link("lines", "parse").busy(1000),
            link("parse", "print").asked(1000),
        ],
    );
    assert!(explanation.is_stuck());
    assert_eq!(
        explanation.cause(),
        Some(&Cause::Handler {
            stage: endpoint(id_of("parse"), "parse"),
            handler: "handle_events",
            since: LONG,
        })
    );
    assert_eq!(explanation.behind(), 2);
    assert_eq!(
        explanation.chain(),
        [Wait {
            stage: endpoint(id_of("lines"), "lines"),
            awaits: endpoint(id_of("parse"), "parse"),
            what: Awaited::Demand {
                part: None,
                held: 0
            },
            link: link("lines", "parse").id,
            since: LONG,
        }]
    );
    assert_eq!(
        explanation.to_string(),
        "`parse` has been inside handle_events for 12.1 s; `lines` waits for `parse`'s demand; 2 stages wait behind it"
    );
}

#[test]
fn a_slow_handle_demand_holds_back_all_that_follow() {
    let explanation = explain(
        [
            inside("source", "handle_demand").for_(Duration::from_millis(1_340)),
            idle("double"),
            idle("print"),
        ],
        [
            link("source", "double").asked(1000),
            link("double", "print").asked(1000),
        ],
    );
    assert_eq!(
        explanation.to_string(),
        "`source` has been inside handle_demand for 1.3 s; `double` waits for `source`'s events; 2 stages wait behind it"
    );
    assert_eq!(
        format!("{explanation:#}"),
        "`source` has been inside handle_demand for 1.3 s; 2 stages wait behind it\n  \
           `double` has waited for `source`'s events for 12.1 s\n  \
           `print` has waited for `double`'s events for 12.1 s"
    );
}

#[test]
fn a_stage_that_blocks_its_thread_is_named_before_those_it_keeps_from_running() {
    let explanation = explain(
        [
            full("lines"),
            inside("block", "handle_events"),
            // Its events have arrived, and its thread is not free.
            idle("print").for_(Duration::from_secs(11)),
            stage("late", Activity::Starting).for_(Duration::from_secs(10)),
        ],
        [
            link("lines", "block").busy(1000),
            link("block", "print").asked(500).busy(500),
            link("block", "late"),
        ],
    );
    assert_eq!(
        format!("{explanation:#}"),
        "`block` has been inside handle_events for 12.1 s; 1 stage waits behind it\n  \
           `lines` has waited for `block`'s demand for 12.1 s\n\
         also: `print` has had something to do for 11.0 s and has not come to run: something may block its thread\n\
         also: `late` has had something to do for 10.0 s and has not come to run: something may block its thread"
    );
}

#[test]
fn a_closed_gate_holds_demand_back() {
    let explanation = explain(
        [full("source").closed().unmet(2000), idle("a"), idle("b")],
        [
            link("source", "a").asked(1000),
            link("source", "b").asked(1000),
        ],
    );
    assert_eq!(
        explanation.cause(),
        Some(&Cause::GateClosed {
            stage: endpoint(id_of("source"), "source"),
            buffered: 0,
            asked: 2000,
            since: LONG,
        })
    );
    assert_eq!(
        explanation.to_string(),
        "the gate of `source` is closed, with 0 events buffered and 2,000 asked for; it has stood still for 12.1 s; `a` waits for `source`'s events; 2 stages wait behind it"
    );
}

#[test]
fn a_closed_gate_holds_events_back() {
    let explanation = explain([full("source").closed().buffered(1)], []);
    assert_eq!(
        explanation.to_string(),
        "the gate of `source` is closed, with 1 event buffered and 0 asked for; it has stood still for 12.1 s"
    );
}

#[test]
fn a_closed_gate_that_holds_nothing_back_is_no_cause() {
    let explanation = explain(
        [full("source").closed(), inside("slow", "handle_events")],
        [link("source", "slow").busy(10)],
    );
    assert_eq!(
        explanation.to_string(),
        "`slow` has been inside handle_events for 12.1 s; `source` waits for `slow`'s demand; 1 stage waits behind it"
    );
}

#[test]
fn a_source_without_events_starves_the_rest() {
    let explanation = explain(
        [idle("source").unmet(1000), idle("double"), idle("print")],
        [
            link("source", "double").asked(1000),
            link("double", "print").asked(1000),
        ],
    );
    assert_eq!(
        explanation.cause(),
        Some(&Cause::Starved {
            stage: endpoint(id_of("source"), "source"),
            asked: 1000,
            since: LONG,
        })
    );
    assert_eq!(
        explanation.to_string(),
        "`source` has been asked for 1,000 events and has had none to give for 12.1 s; `double` waits for `source`'s events; 2 stages wait behind it"
    );
}

#[test]
fn a_stage_that_waits_for_its_restart_holds_both_sides_back() {
    let mut flaky = stage("flaky", Activity::Restarting);
    flaky.stats.restarts = 3;
    let explanation = explain(
        [full("source"), flaky, idle("print")],
        [
            link("source", "flaky").busy(1000),
            link("flaky", "print").asked(1000),
        ],
    );
    assert_eq!(
        explanation.to_string(),
        "`flaky` has waited for its restart for 12.1 s, after 3 earlier ones; `source` waits for `flaky`'s demand; 2 stages wait behind it"
    );
}

#[test]
fn a_producer_without_consumer_waits_for_one() {
    let explanation = explain([full("source").buffered(10_000)], []);
    assert_eq!(
        explanation.to_string(),
        "`source` has no consumer for the 10,000 events it holds; it has stood still for 12.1 s"
    );
    let explanation = explain(
        [full("source"), stage("gone", Activity::Ended), full("late")],
        [
            link("source", "gone").busy(10),
            link("source", "late").busy(10).ended(),
        ],
    );
    assert_eq!(
        format!("{explanation:#}"),
        "`source` has no consumer; it has stood still for 12.1 s\n\
         also: `late` has no consumer; it has stood still for 12.1 s"
    );
}

#[test]
fn a_consumer_without_producer_waits_for_one() {
    let explanation = explain(
        [idle("worker"), idle("print")],
        [
            link("gone", "worker").handled(10).ended(),
            link("worker", "print").asked(1000),
        ],
    );
    assert_eq!(
        explanation.to_string(),
        "`worker` has no producer; it has stood still for 12.1 s; `print` waits for `worker`'s events; 1 stage waits behind it"
    );
}

#[test]
fn a_producer_outside_of_the_snapshot_is_as_far_as_it_sees() {
    let explanation = explain([idle("print")], [link("elsewhere", "print").asked(1000)]);
    assert_eq!(
        explanation.to_string(),
        "`elsewhere` is not in the snapshot, and `print` has waited for its events for 12.1 s; 1 stage waits behind it"
    );
}

#[test]
fn what_nothing_accounts_for_is_called_unclear() {
    let explanation = explain(
        [full("source"), idle("print")],
        [link("source", "print").asked(1000)],
    );
    assert_eq!(
        explanation.to_string(),
        "`source` has stood still for 12.1 s, and nothing here says why; `print` waits for `source`'s events; 1 stage waits behind it"
    );
}
