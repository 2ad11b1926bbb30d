//! `gen-event`: a notifier that broadcasts events to listeners without waiting
//! for them.
//!
//! Erlang's `gen_event` runs all handlers in one process: a slow handler delays
//! the others, and a crash takes them down. Verk, a job queue, replaced it with
//! stages: jobs report to a producer, and every listener is a consumer that
//! subscribes to the events it wants.
//!
//! Three features make this work. The producer emits from `handle`, when
//! something happens, and not on demand; its buffer keeps the events without
//! demand. A `Broadcast` dispatcher gives every event to every listener. And a
//! listener may have a *selector*: events that it refuses are never sent to the
//! listener.

use stages::prelude::*;

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

/// Emits the events it is sent as messages.
struct Notifier;

impl Producer for Notifier {
    type Event = JobEvent;

    /// Emits nothing on demand. The demand stays unmet, and later events are
    /// matched against it.
    async fn handle_demand(&mut self, _: usize, _: &mut Emitter<'_, JobEvent>) -> StageResult {
        Ok(())
    }
}

impl Handler<JobEvent, JobEvent> for Notifier {
    type Reply = ();

    async fn handle(&mut self, event: JobEvent, out: &mut Emitter<'_, JobEvent>) -> StageResult {
        out.push(event);
        Ok(())
    }
}

/// Closes the notifier.
struct Close;

impl Handler<Close, JobEvent> for Notifier {
    type Reply = ();

    async fn handle(&mut self, _: Close, out: &mut Emitter<'_, JobEvent>) -> StageResult {
        out.complete();
        Ok(())
    }
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
    let notifier = Notifier.stage().dispatcher(Broadcast::new()).spawn();
    let alarm = Listener::new("alarm").stage().spawn();
    let stats = Listener::new("stats").stage().spawn();

    // `subscribe` waits until the notifier has accepted the subscription, so
    // that no listener misses the first event.
    let is_failure = |event: &JobEvent| matches!(event.what, What::Failed { .. });
    alarm.subscribe(notifier.selector(is_failure)).await?;
    stats.subscribe(&notifier).await?;

    for job in 1..=12 {
        // A call waits until the notifier has handled the event, not until a
        // listener has.
        notifier
            .call(JobEvent {
                job,
                what: What::Started,
            })
            .await?;
        let what = match job % 4 {
            0 => What::Failed {
                why: "it is divisible by four",
            },
            _ => What::Finished,
        };
        notifier.call(JobEvent { job, what }).await?;
    }
    notifier.call(Close).await?;

    let (alarm, stats) = (alarm.join_stage().await?, stats.join_stage().await?);
    println!("alarm saw {} events, stats saw {}", alarm.seen, stats.seen);
    Ok(())
}
