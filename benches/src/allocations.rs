//! How often is memory allocated in the steady state?
//!
//! Counted, not timed: a run of many events and a run of few have the same
//! start and the same end, so the difference is what the events in between
//! cost. On the multi-thread runtime the two runs are not quite alike, because
//! how much is under way depends on who runs when; a figure there that is a
//! few allocations in a million events off zero is that.

use stages::Bound;
use stages::queue::{Pushed, QueueOptions, queue};
use tokio::runtime::Runtime;

use crate::counting::allocations;
use crate::measure::{Contender, RUNTIMES, Workload, runtime};
use crate::{w1_chain, w2_unit_demand, w3_deep, w4_fan_out, w5_broadcast, w6_partition};

/// Hand-overs of a workload's batch in the two runs.
const FEW: u64 = 400;
const MANY: u64 = 2_400;

/// Prints allocations by event and by batch for ours and the bar.
pub(crate) fn run() {
    println!(
        "{:<8} {:<8} {:<20} {:>12} {:>16} {:>16}",
        "", "runtime", "", "in between", "by event", "by batch"
    );
    for workload in [
        w1_chain::WORKLOAD,
        w2_unit_demand::WORKLOAD,
        w2_unit_demand::TIMER,
        w3_deep::WORKLOAD,
        w4_fan_out::WORKLOAD,
        w5_broadcast::WORKLOAD,
        w6_partition::WORKLOAD,
    ] {
        for label in RUNTIMES {
            let runtime = runtime(label);
            for contender in workload.ours.iter().chain(workload.peers.first()) {
                print(&workload, label, &runtime, contender);
            }
        }
    }
    print_absent();
    println!(
        "\nin between: allocations of the long run less those of the short one; by batch: of as \
         many\nevents as ours hands over at a time, all hops of it together"
    );
}

/// A notification that nobody listens to.
fn print_absent() {
    let (inlet, _source) = queue(QueueOptions::new(Bound::Events(1_000)).while_subscribed());
    let allocated = allocations(|| {
        for n in 0..1_000_000_u64 {
            assert!(matches!(inlet.push(n), Pushed::NoSubscriber(_)));
        }
    });
    println!("\n{allocated} allocations in 1,000,000 pushes that nobody is subscribed to");
}

fn print(workload: &Workload, label: &str, runtime: &Runtime, &(name, run): &Contender) {
    // The third of three runs each: the first ones grow what is kept.
    let count = |events| {
        (0..3).fold(0, |_, _| {
            allocations(|| {
                run(runtime, events);
            })
        })
    };
    // Where a batch is an event, there can be more of them in the same time.
    let batches = if workload.batch == 1 { 10 } else { 1 };
    let events = batches * u64::from(workload.batch);
    let (few, many) = (count(FEW * events), count(MANY * events));
    let between = many as f64 - few as f64;
    let by_event = between / ((MANY - FEW) * events) as f64;
    println!(
        "{:<8} {label:<8} {name:<20} {between:>12} {by_event:>16.6} {:>16.4}",
        workload.name,
        by_event * f64::from(workload.batch),
    );
}
