//! Deep and wide graphs of a hundred thousand stages.

use super::*;

const MANY: usize = 100_000;

fn numbered(activity: Activity) -> Vec<StageSnapshot> {
    (0..MANY)
        .map(|n| stage(&format!("s{n}"), activity))
        .collect()
}

fn behind(stages: Vec<StageSnapshot>, links: impl IntoIterator<Item = LinkSnapshot>) -> usize {
    let explanation = explain(stages, links);
    assert!(explanation.is_stuck());
    explanation.behind()
}

#[test]
fn a_long_chain() {
    let mut stages = numbered(Activity::WaitingForDemand);
    stages[MANY - 1].activity = Activity::Handler("handle_events");
    let links = (1..MANY).map(|n| link(&format!("s{}", n - 1), &format!("s{n}")).busy(1));
    assert_eq!(behind(stages, links), MANY - 1);
}

#[test]
fn one_producer_of_many() {
    let mut stages = numbered(Activity::WaitingForEvents);
    stages[0].activity = Activity::Handler("handle_demand");
    let links = (1..MANY).map(|n| link("s0", &format!("s{n}")).asked(1));
    assert_eq!(behind(stages, links), MANY - 1);
}

#[test]
fn one_manual_consumer_of_many() {
    let mut stages = numbered(Activity::WaitingForDemand);
    stages[0].activity = Activity::WaitingForEvents;
    let links = (1..MANY).map(|n| link(&format!("s{n}"), "s0").manual());
    assert_eq!(behind(stages, links), MANY - 1);
}

#[test]
fn a_long_ring() {
    let stages = numbered(Activity::WaitingForEvents);
    let links = (0..MANY).map(|n| link(&format!("s{n}"), &format!("s{}", (n + 1) % MANY)).asked(1));
    assert_eq!(behind(stages, links), 0);
}

#[test]
fn many_rings() {
    let stages = numbered(Activity::WaitingForEvents);
    let links = (0..MANY).map(|n| link(&format!("s{n}"), &format!("s{}", n ^ 1)).asked(1));
    let explanation = explain(stages, links);
    assert_eq!(explanation.also().len(), MANY / 2 - 1);
}
