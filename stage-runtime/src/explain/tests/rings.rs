//! Stages that wait for each other.

use super::*;

#[test]
fn a_ring_is_named_whole_with_what_waits_behind_it() {
    let explanation = explain(
        [
            idle("print"),
            idle("a").for_(Duration::from_secs(30)),
            idle("b").for_(Duration::from_secs(20)),
            idle("c"),
        ],
        [
            link("a", "b").asked(10),
            link("b", "c").asked(10),
            link("c", "a").asked(10),
            link("b", "print").asked(10),
        ],
    );
    let Some(Cause::Cycle { ring, since }) = explanation.cause() else {
        panic!("{explanation}");
    };
    let names: Vec<_> = ring.iter().map(|wait| &*wait.stage.name).collect();
    assert_eq!(names, ["a", "c", "b"]);
    assert_eq!(*since, LONG);
    assert_eq!(
        explanation.to_string(),
        "`a` waits for `c`'s events, `c` waits for `b`'s events, `b` waits for `a`'s events, which closes a ring; it has stood still for 12.1 s; `print` waits for `b`'s events; 1 stage waits behind it"
    );
}

#[test]
fn a_ring_of_demand_and_events_is_one_too() {
    let explanation = explain(
        [full("a"), full("b")],
        [link("a", "b").busy(10), link("b", "a").busy(10)],
    );
    assert_eq!(
        explanation.to_string(),
        "`a` waits for `b`'s demand, `b` waits for `a`'s demand, which closes a ring; it has stood still for 12.1 s"
    );
}

#[test]
fn a_ring_with_a_stage_that_just_moved_is_none() {
    let explanation = explain(
        [idle("a"), idle("b").for_(SHORT), idle("print")],
        [
            link("a", "b").asked(10),
            link("b", "a").asked(10),
            link("b", "print").asked(10),
        ],
    );
    assert!(!explanation.is_stuck());
}

#[test]
fn a_ring_that_waits_for_something_else_as_well_waits_for_that() {
    let explanation = explain(
        [idle("source").unmet(10), idle("a"), idle("b")],
        [
            link("b", "a").asked(10),
            link("a", "b").asked(10),
            link("source", "a").asked(10),
        ],
    );
    assert_eq!(
        explanation.to_string(),
        "`source` has been asked for 10 events and has had none to give for 12.1 s; `a` waits for `source`'s events; 2 stages wait behind it"
    );
}

#[test]
fn two_rings_are_two_causes() {
    let explanation = explain(
        [idle("a"), idle("b"), idle("c"), idle("d"), idle("tail")],
        [
            link("a", "b").asked(1),
            link("b", "a").asked(1),
            link("c", "d").asked(1),
            link("d", "c").asked(1),
            link("d", "tail").asked(1),
        ],
    );
    assert_eq!(
        format!("{explanation:#}"),
        "`c` waits for `d`'s events, `d` waits for `c`'s events, which closes a ring; it has stood still for 12.1 s; 1 stage waits behind it\n  \
           `tail` has waited for `d`'s events for 12.1 s\n\
         also: `a` waits for `b`'s events, `b` waits for `a`'s events, which closes a ring; it has stood still for 12.1 s"
    );
}
