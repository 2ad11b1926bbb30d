//! `gen-event`: a notifier that broadcasts events to listeners without waiting
//! for them.
//!
//! Erlang's `gen_event` runs all handlers in one process: a slow handler delays
//! the others, and a crash takes them down. Verk, a job queue, replaced it with
//! stages: jobs report to a producer, and every listener is a consumer that
//! subscribes to the events it wants.
//!
//! Three features make this work. Jobs push their events into a *queue*, from
//! wherever they are: a push never waits, and needs no handle of a stage. A
//! `Broadcast` dispatcher gives every event to every listener. And a listener
//! may have a *selector*: events that it refuses are never sent to the listener.
//!
//! The queue keeps nothing while nobody listens: then a push costs one atomic
//! load.

use stages::Bound;
use stages::prelude::*;
use stages::queue::{QueueOptions, WhenFull, queue};

/// An event in the life of a job.
#[derive(Debug, Clone)]
struct JobEvent {
    job: u32,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Started,
    Finished,
    Failed { why: &'static str },
}

/// Counts the events and prints the failures.
struct Listener {
    name: &'static str,
    seen: usize,
}

impl Listener {
    const fn new(name: &'static str) -> Self {
        Self { name, seen: 0 }
    }
}

impl Consumer for Listener {
    type Event = JobEvent;

    /// Reads the events without taking them out of the batch: the listeners
    /// share it, and so no event is copied.
    async fn handle_events(
        &mut self,
        events: &mut Batch<JobEvent>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        for event in events.iter() {
            if let What::Failed { why } = event.what {
                println!("{}: job {} failed: {why}", self.name, event.job);
            }
        }
        self.seen += events.len();
        Ok(())
    }
}

pub(crate) async fn run() -> Result<(), BoxError> {
    // Listeners that are too slow lose the oldest events and hold up no job.
    let options = QueueOptions::new(Bound::Events(1000))
        .when_full(WhenFull::DropOldest)
        .while_subscribed();
    let (jobs, events) = queue(options);
    let notifier = events.stage().dispatcher(Broadcast::new()).spawn();
    let alarm = Listener::new("alarm").stage().spawn();
    let stats = Listener::new("stats").stage().spawn();

    // `subscribe` waits until the notifier has accepted the subscription, so
    // that no listener misses the first event.
    let is_failure = |event: &JobEvent| matches!(event.what, What::Failed { .. });
    alarm.subscribe(notifier.selector(is_failure)).await?;
    stats.subscribe(&notifier).await?;

    for job in 1..=12 {
        let started = JobEvent {
            job,
            what: What::Started,
        };
        let what = match job % 4 {
            0 => What::Failed {
                why: "it is divisible by four",
            },
            _ => What::Finished,
        };
        for event in [started, JobEvent { job, what }] {
            // A job does not care what becomes of its event.
            let _ = jobs.push(event);
        }
    }
    jobs.finish();

    let (alarm, stats) = (alarm.join_stage().await?, stats.join_stage().await?);
    println!("alarm saw {} events, stats saw {}", alarm.seen, stats.seen);
    Ok(())
}
