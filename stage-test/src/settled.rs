//! [`assert_settled`]: checks that a pipeline accounts for every event.

use std::fmt::Write as _;

use stage_runtime::StageId;
use stage_runtime::{
    Pipeline,
    snapshot::{Activity, LinkSnapshot, LinkTotals, Snapshot, StageSnapshot},
};

/// Checks that every event that entered `pipeline` is exactly one of handled,
/// handed back, dead-lettered, lost to a failed handler, discarded, rejected,
/// buffered, or in flight; and that nothing was sent without demand.
///
/// Call it at rest: after the stages have ended, or with paused time when no
/// task can make progress.
///
/// # Contract
///
/// For every link:
///
/// - the events delivered do not exceed the demand;
/// - the events delivered are the sum of those handled, handed back,
///   dead-lettered, lost, discarded and in flight;
/// - once its consumer has ended, nothing is in flight.
///
/// For every stage that handles events:
///
/// - its handler got each event once, and once more for each retry;
/// - the events in flight to it are those it has queued, unless it is in a
///   handler;
/// - it lost at least the events lost by its links, and at most those plus the
///   events that they count as handled.
///
/// For every stage that emits events:
///
/// - the events sent by its links are those that it counts as delivered;
/// - the events it emitted and those handed back to it are those that it
///   delivered, buffered, discarded and rejected. This is not checked for a
///   `Broadcast`, which delivers an event once for each subscriber that wants
///   it.
///
/// ```
/// use stage_runtime::operators::{for_each, from_iter};
/// use stage_runtime::prelude::*;
/// use stage_test::assert_settled;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let pipeline = Pipeline::new();
/// let numbers = from_iter(0..100).stage().in_group(&pipeline).spawn();
/// let _sink = for_each(|_: i32| {}).stage().subscribe_to(&numbers).in_group(&pipeline).spawn();
/// pipeline.join().await?;
/// assert_settled(&pipeline);
/// # Ok(())
/// # }
/// ```
///
/// # Panics
///
/// If an event is not accounted for. The message names every stage and link
/// with wrong counts.
pub fn assert_settled(pipeline: &Pipeline) {
    let snapshot = pipeline.snapshot();
    let mut wrong = String::new();
    for link in &snapshot.links {
        check_link(&snapshot, link, &mut wrong);
    }
    for stage in &snapshot.stages {
        check_input(&snapshot, stage, &mut wrong);
        check_output(&snapshot, stage, &mut wrong);
    }
    assert!(wrong.is_empty(), "not settled:\n{wrong}{snapshot:#?}");
}

/// Adds a line about a mismatch to `wrong`.
fn complain(wrong: &mut String, about: &str, what: &str, left: u64, right: u64) {
    // Writing to a string cannot fail.
    let _ = writeln!(wrong, "{about}: {what}: {left} and {right}");
}

fn check_link(snapshot: &Snapshot, link: &LinkSnapshot, wrong: &mut String) {
    let about = format!(
        "link {} from `{}` to `{}`",
        link.id, link.producer.name, link.consumer.name
    );
    let totals = &link.totals;
    if totals.delivered > totals.asked {
        let what = "more was delivered than asked for";
        complain(wrong, &about, what, totals.delivered, totals.asked);
    }
    if !totals.balance() {
        let what = "what was delivered, and what became of it, differ";
        complain(wrong, &about, what, totals.delivered, went(totals));
    }
    let consumer = stage(snapshot, link.consumer.id);
    if consumer.is_some_and(has_ended) && totals.in_flight > 0 {
        let what = "its consumer has ended with events in flight";
        complain(wrong, &about, what, totals.in_flight, 0);
    }
}

fn check_input(snapshot: &Snapshot, stage: &StageSnapshot, wrong: &mut String) {
    let stats = &stage.stats;
    let about = format!("stage `{}`", stats.name);
    let mut sums = stage.past;
    for link in links(snapshot, |link| link.consumer.id == stage.id) {
        add(&mut sums, &link.totals);
    }
    // A batch in which the stage failed for good was given to the handler, and
    // its remaining events were then handed back.
    let done = sums.handled + sums.dead_lettered + sums.lost + stats.retried;
    let back = sums.handed_back + sums.discarded + sums.in_flight;
    if stats.events_in < done || stats.events_in > done + back {
        let what = "events its handler was given, and what became of them, differ";
        complain(wrong, &about, what, stats.events_in, done);
    }
    // Events held by a state that was dropped count as handled by its links.
    let lost = sums.lost..=sums.lost + sums.handled;
    if !lost.contains(&stats.lost) || stats.dead_lettered != sums.dead_lettered {
        let what = "lost and dead-lettered events by its own count and by that of its links differ";
        let (own, of_links) = (
            stats.lost + stats.dead_lettered,
            sums.lost + sums.dead_lettered,
        );
        complain(wrong, &about, what, own, of_links);
    }
    if is_at_rest(stage) && stats.queued != sums.in_flight {
        let what = "events it has queued, and events in flight to it, differ";
        complain(wrong, &about, what, stats.queued, sums.in_flight);
    }
}

fn check_output(snapshot: &Snapshot, stage: &StageSnapshot, wrong: &mut String) {
    let stats = &stage.stats;
    let about = format!("stage `{}`", stats.name);
    let mut sums = stage.past_sent;
    for link in links(snapshot, |link| link.producer.id == stage.id) {
        add(&mut sums, &link.totals);
    }
    if sums.delivered != stats.delivered {
        let what = "what its links were sent, and what it says to have sent, differ";
        complain(wrong, &about, what, sums.delivered, stats.delivered);
    }
    // These count an event once for each subscriber.
    if matches!(stage.dispatcher, "Broadcast" | "Detached") {
        return;
    }
    let came = stats.events_out + stats.handed_back - stats.taken_back;
    let went = stats.delivered + stats.buffered + stats.discarded + stats.rejected;
    // Events discarded at the end of a link count as delivered and as
    // discarded, by this stage or by its neighbour.
    let on_links = links(snapshot, |link| {
        link.producer.id == stage.id || link.consumer.id == stage.id
    });
    let twice: u64 = on_links.map(|link| link.totals.discarded).sum();
    if went < came || went > came + twice + stage.past.discarded {
        let what = "what it emitted or got back, and what it delivered, keeps, discarded or rejected, differ";
        complain(wrong, &about, what, came, went);
    }
}

fn links(
    snapshot: &Snapshot,
    which: impl Fn(&LinkSnapshot) -> bool,
) -> impl Iterator<Item = &LinkSnapshot> {
    snapshot.links.iter().filter(move |link| which(link))
}

fn stage(snapshot: &Snapshot, id: StageId) -> Option<&StageSnapshot> {
    snapshot.stages.iter().find(|stage| stage.id == id)
}

fn has_ended(stage: &StageSnapshot) -> bool {
    stage.outcome.is_some()
}

fn is_at_rest(stage: &StageSnapshot) -> bool {
    matches!(
        stage.activity,
        Activity::WaitingForDemand | Activity::WaitingForEvents
    )
}

const fn went(totals: &LinkTotals) -> u64 {
    totals.handled
        + totals.handed_back
        + totals.dead_lettered
        + totals.lost
        + totals.discarded
        + totals.in_flight
}

const fn add(sums: &mut LinkTotals, totals: &LinkTotals) {
    sums.asked = sums.asked.saturating_add(totals.asked);
    sums.delivered += totals.delivered;
    sums.handled += totals.handled;
    sums.handed_back += totals.handed_back;
    sums.dead_lettered += totals.dead_lettered;
    sums.lost += totals.lost;
    sums.discarded += totals.discarded;
    sums.in_flight += totals.in_flight;
}
