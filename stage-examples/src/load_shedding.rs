//! `load-shedding`: a source that cannot be slowed down, with a slower sink.
//!
//! Demand holds back a source that can wait. Push notifications cannot wait:
//! they arrive in bursts, whether or not there is demand. Discord's push
//! service puts a stage between them and the sink. Here that stage is a *queue*:
//! it takes events up to a bound, and sheds and counts the events of a burst
//! beyond it, so that the service is late instead of running out of memory.
//!
//! The policy selects the events to shed. `WhenFull::DropOldest` keeps the
//! newest notifications, because an old one is worth less;
//! `WhenFull::DropNewest` would keep the oldest. The *shed hook* gets the
//! events that the queue drops, and why: here it only adds them up.
//!
//! The notifications come from a plain thread: a push needs no runtime and
//! never waits.
//!
//! What to look for: the number of events sent equals the number delivered plus
//! the number shed, and the last notification arrives.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use stages::Bound;
use stages::prelude::*;
use stages::queue::{Inlet, QueueOptions, WhenFull, queue};
use tokio::time::sleep;

/// A notification, by its number.
type Push = u64;

/// Delivers notifications, more slowly than they arrive.
#[derive(Default)]
struct Sink {
    delivered: u64,
    last: Option<Push>,
}

impl Consumer for Sink {
    type Event = Push;

    async fn handle_events(
        &mut self,
        pushes: &mut Batch<Push>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        sleep(Duration::from_millis(5)).await;
        self.delivered += pushes.len() as u64;
        self.last = pushes.last().copied().or(self.last);
        Ok(())
    }
}

/// Pushes bursts of notifications. Returns how many there were.
fn receive(inlet: &Inlet<Push>) -> u64 {
    let mut sent = 0;
    for size in [50, 1000, 100, 3000, 10] {
        for push in sent..sent + size {
            // What became of the event: it is stored, or another one was shed
            // for it. Here the hook counts that.
            let _ = inlet.push(push);
        }
        sent += size;
        let shed = inlet.counts().shed;
        println!("a burst of {size:4}: {sent} sent so far, {shed} of them shed");
        thread::sleep(Duration::from_millis(60));
    }
    sent
}

pub(crate) async fn run() -> Result<(), BoxError> {
    let shed = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&shed);
    let newest = QueueOptions::new(Bound::Events(200))
        .when_full(WhenFull::DropOldest)
        .shed(move |shed| {
            count.fetch_add(shed.events.len() as u64, Ordering::Relaxed);
        });
    let (inlet, pushes) = queue(newest);
    let collector = pushes.stage().name("collector").spawn();
    let sink = Sink::default()
        .stage()
        .name("sink")
        .subscribe_to(collector.subscription().max_demand(20))
        .spawn();

    // The thread owns the inlet. When it ends, the inlet is dropped, and the
    // collector completes when it has emitted what is queued.
    let receiver = thread::spawn(move || receive(&inlet));

    let sink = sink.join_stage().await?;
    let sent = receiver.join().map_err(|_| "the receiver panicked")?;
    let shed = shed.load(Ordering::Relaxed);
    println!("sent {sent} = delivered {} + shed {shed}", sink.delivered);
    if let Some(last) = sink.last {
        println!("the last of {sent} to be delivered was number {}", last + 1);
    }
    Ok(())
}
