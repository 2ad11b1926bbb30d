//! Pipelines that are not stuck.

use super::*;

const NOTHING: &str = "nothing has stood still for longer than 1.0 s";

#[test]
fn a_pipeline_that_moves_is_not_stuck() {
    let explanation = explain(
        [
            full("source").for_(SHORT),
            inside("double", "handle_events").for_(SHORT),
            idle("print").for_(SHORT),
        ],
        [
            link("source", "double").busy(1000),
            link("double", "print").asked(1000),
        ],
    );
    assert!(!explanation.is_stuck());
    assert_eq!(explanation.cause(), None);
    assert_eq!(explanation.to_string(), NOTHING);
    assert_eq!(format!("{explanation:#}"), NOTHING);
    assert_eq!((explanation.stages(), explanation.running()), (3, 3));
}

#[test]
fn patience_itself_is_not_too_long() {
    let slow = snapshot([inside("slow", "handle_events")], []);
    assert!(!slow.explain(LONG).is_stuck());
    assert!(slow.explain(LONG - Duration::from_nanos(1)).is_stuck());
}

#[test]
fn who_waits_long_for_something_that_moves_is_not_stuck() {
    let explanation = explain(
        [
            full("source"),
            inside("double", "handle_events").for_(SHORT),
            idle("print"),
        ],
        [
            link("source", "double").busy(1000),
            link("double", "print").asked(1000),
        ],
    );
    assert_eq!(explanation.to_string(), NOTHING);
}

#[test]
fn one_consumer_that_moves_is_enough_for_a_producer() {
    let explanation = explain(
        [
            full("source"),
            inside("slow", "handle_events"),
            inside("quick", "handle_events").for_(SHORT),
        ],
        [
            link("source", "slow").busy(1000),
            link("source", "quick").busy(1000),
        ],
    );
    assert_eq!(
        explanation.to_string(),
        "`slow` has been inside handle_events for 12.1 s"
    );
}

#[test]
fn stages_that_have_ended_wait_for_nothing() {
    let mut failed = idle("failed");
    failed.outcome = Some("failed: no".to_owned());
    let explanation = explain(
        [stage("source", Activity::Ended), failed],
        [link("source", "failed").asked(10)],
    );
    assert_eq!(explanation.to_string(), "all 2 stages have ended");
    assert_eq!((explanation.stages(), explanation.running()), (2, 0));
    let explanation = explain([stage("source", Activity::Ended)], []);
    assert_eq!(explanation.to_string(), "the only stage has ended");
}
