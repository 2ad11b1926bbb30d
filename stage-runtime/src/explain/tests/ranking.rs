//! Which cause is named when there are several.

use super::*;

#[test]
fn the_cause_with_the_most_stages_behind_it_comes_first() {
    let explanation = explain(
        [
            full("x"),
            inside("old", "handle_events").for_(Duration::from_secs(60)),
            full("a"),
            full("b"),
            inside("young", "handle_events"),
        ],
        [
            link("x", "old").busy(1),
            link("a", "b").busy(1),
            link("b", "young").busy(1),
        ],
    );
    assert_eq!(
        format!("{explanation:#}"),
        "`young` has been inside handle_events for 12.1 s; 2 stages wait behind it\n  \
           `b` has waited for `young`'s demand for 12.1 s\n  \
           `a` has waited for `b`'s demand for 12.1 s\n\
         also: `old` has been inside handle_events for 60.0 s"
    );
}

#[test]
fn a_source_without_events_is_not_what_holds_back_those_there_are() {
    let explanation = explain(
        [
            idle("source").unmet(9),
            idle("relay"),
            inside("sink", "handle_events"),
        ],
        [
            link("source", "relay").asked(9),
            link("relay", "sink").busy(1).asked(3),
        ],
    );
    let cause = explanation.cause().unwrap();
    assert_eq!(cause.stage().unwrap().id, id_of("sink"));
    assert_eq!(explanation.also().len(), 1);
}

#[test]
fn of_causes_with_as_many_behind_them_the_oldest_comes_first() {
    let explanation = explain(
        [
            inside("a", "handle_events"),
            inside("b", "handle_events").for_(Duration::from_secs(60)),
            inside("c", "handle_events").for_(Duration::from_secs(60)),
        ],
        [],
    );
    let names: Vec<_> = explanation
        .also()
        .iter()
        .map(|c| c.stage().unwrap())
        .collect();
    assert_eq!(explanation.cause().unwrap().stage().unwrap().id, id_of("b"));
    assert_eq!(
        names,
        [&endpoint(id_of("c"), "c"), &endpoint(id_of("a"), "a")]
    );
}

#[test]
fn a_stage_that_two_causes_hold_back_is_counted_for_the_nearest() {
    let explanation = explain(
        [
            inside("far", "handle_demand").for_(Duration::from_secs(60)),
            idle("relay"),
            inside("near", "handle_demand"),
            idle("merge"),
            idle("print"),
        ],
        [
            link("far", "relay").asked(1),
            link("relay", "merge").asked(1),
            link("near", "merge").asked(1),
            link("merge", "print").asked(1),
        ],
    );
    assert_eq!(
        explanation.cause().unwrap().stage().unwrap().id,
        id_of("near")
    );
    assert_eq!(explanation.behind(), 2);
}

#[test]
fn the_chain_follows_the_branch_with_the_most_stages() {
    let names: Vec<_> = (0..10).map(|n| format!("s{n}")).collect();
    let explanation = explain(
        std::iter::once(inside("source", "handle_demand"))
            .chain([idle("leaf")])
            .chain(names.iter().map(|name| idle(name))),
        [
            link("source", "leaf").asked(1),
            link("source", "s0").asked(1),
        ]
        .into_iter()
        .chain(names.windows(2).map(|w| link(&w[0], &w[1]).asked(1))),
    );
    let chain = explanation.chain().iter().map(|wait| &*wait.stage.name);
    assert_eq!(chain.collect::<Vec<_>>(), ["s0", "s1", "s2", "s3"]);
    assert_eq!(explanation.behind(), 11);
}

#[test]
fn the_long_text_counts_what_it_leaves_out() {
    let names: Vec<_> = (0..8).map(|n| format!("s{n}")).collect();
    let explanation = explain(names.iter().map(|name| inside(name, "handle_events")), []);
    let text = format!("{explanation:#}");
    assert_eq!(text.matches("also: ").count(), 4);
    assert!(text.ends_with("\nand 3 more"), "{text}");
}
