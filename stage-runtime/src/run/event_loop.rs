//! The event loop of a stage: fetch, run a handler, park when there is nothing
//! to do.
//!
//! A turn runs at most one handler of `handle_demand` or `handle_events`, and then
//! looks at the notifications again, so that a stop, a message or an ask waits for
//! one batch at the most.
//!
//! `is_notified` is a relaxed load and may miss a flag that is being set.
//! `poll_notified` parks the task with a compare-and-exchange of the same word, so
//! a flag that is set between the last turn and parking is not missed. [`WakeOn`]
//! says which flags wake the parked task.

use std::convert::Infallible;
use std::future::poll_fn;
use std::ops::ControlFlow::Continue;
use std::sync::atomic::Ordering;
use std::task::Poll;

use stage_core::Dispatcher;
use tokio::task::yield_now;
use tokio::time::Instant;

use super::flow::{Flow, boxed_cold, likely_continue};
use super::halves::{Consuming, Producing};
use super::role::Role;
use super::task::StageTask;
use super::timers::Due;
use crate::activity::Doing;
use crate::link::{Notified, WakeOn};

/// Turns in a row before the task yields its thread, so that the stages it has
/// sent to can run. Tokio's own cooperative budget is much larger, so the loop
/// does not spend it.
const TURNS: u32 = 8;

impl<R, D> StageTask<R, D>
where
    R: Role,
    D: Dispatcher<Event = R::Out> + 'static,
    D::Route: Send,
{
    /// Runs turns until there is a reason to leave the loop.
    ///
    /// A turn takes the notifications, the delays that have passed, the pending
    /// callbacks, and one batch or one demand. The task parks when all four are
    /// empty.
    pub(super) async fn run_loop(&mut self) -> Flow<Infallible> {
        let mut turns = 0;
        loop {
            if self.notifications.is_notified() {
                match self.notifications.take() {
                    Notified::LINKS => self.fetch(),
                    notified => boxed_cold(self.on_notified(notified)).await?,
                }
            }
            // The clock was read when the last handler returned.
            if self.timers.are_due(|| self.shared.activity.instant()) {
                boxed_cold(self.run_due()).await?;
            }
            if self.producer.has_pending_callbacks() {
                boxed_cold(self.run_callbacks()).await?;
            }
            if self.has_work() {
                likely_continue(self.call_handler().await)?;
            }
            if self.has_more() {
                turns += 1;
                if turns > TURNS {
                    turns = 0;
                    if self.producer.watches_silence() {
                        self.watch_silence();
                        // A stage that does not park may read the clock rarely.
                        self.shared.activity.read();
                    }
                    // Not boxed: this is no cold path, a box would cost one
                    // allocation every `TURNS` batches.
                    yield_now().await;
                }
                continue;
            }
            turns = 0;
            if self.may_be_done() {
                boxed_cold(self.complete_if_done()).await?;
            }
            self.park().await;
        }
    }

    /// Takes all delays that have passed.
    async fn run_due(&mut self) -> Flow {
        let now = Instant::now();
        while let Some(due) = self.timers.take_due(now) {
            match due {
                Due::Wake => {
                    self.producer.wake();
                    self.call_handle_wake().await?;
                }
                Due::Demand => self.producer.wake(),
                Due::Evict => {
                    // What a consumer has handed back comes before other changes.
                    self.call_handle_returned().await?;
                    self.producer.evict_silent(self.completing);
                }
                Due::Info(info) => self.accept_info(info),
            }
        }
        Continue(())
    }

    /// Sets the time at which consumers that do not ask are to be evicted.
    #[cold]
    fn watch_silence(&mut self) {
        let at = self.producer.next_eviction(self.completing);
        self.timers.evict_at(at);
    }

    /// Whether the next turn has something to do.
    fn has_more(&self) -> bool {
        self.has_work() || self.notifications.is_notified() || self.producer.has_pending_callbacks()
    }

    /// Returns which notifications wake the parked task.
    ///
    /// A producer-consumer can only work with both events and demand. While it
    /// lacks one of them, more of the other does not wake it.
    fn wake_on(&self, waits_for_demand: bool) -> WakeOn {
        let needs_both = R::CONSUMES && R::PRODUCES && !self.completing && !self.eager;
        match (needs_both, waits_for_demand) {
            (true, true) => WakeOn::Demand,
            (true, false) if self.producer.is_empty() => WakeOn::Events,
            _ => WakeOn::Any,
        }
    }

    /// Parks the task until there is a notification or a delay has passed.
    ///
    /// Before that it publishes what snapshots show of a stage at rest, and
    /// afterwards it counts the time as waiting for demand or for events.
    async fn park(&mut self) {
        let waits_for_demand = if R::CONSUMES {
            self.consumer.has_input()
        } else {
            !self.producer.has_unmet_demand()
        };
        let activity = &self.shared.activity;
        let started = activity.now();
        let doing = if waits_for_demand {
            Doing::WaitingForDemand
        } else {
            Doing::WaitingForEvents
        };
        activity.set(doing);
        let completing = &self.shared.completing;
        completing.store(self.completing, Ordering::Relaxed);
        let counters = &self.shared.counters;
        counters.queued.set(self.consumer.queued());
        counters.held.set(R::held(&self.handler.stage));
        let awaited = self.producer.publish_state();
        if self.producer.watches_silence() {
            self.watch_silence();
        }
        let until = self.wake_on(waits_for_demand);
        let (notifications, timers) = (&mut self.notifications, &mut self.timers);
        notifications.await_consumer(awaited);
        let due = poll_fn(|cx| match notifications.poll_notified(until, cx) {
            Poll::Ready(()) => Poll::Ready(false),
            Poll::Pending => timers.poll_due(cx).map(|()| true),
        })
        .await;
        let counters = &self.shared.counters;
        let waited = if waits_for_demand {
            &counters.waiting_for_demand
        } else {
            &counters.waiting_for_events
        };
        // A delay has passed by the exact clock only.
        let activity = &self.shared.activity;
        let now = if due {
            activity.read()
        } else {
            activity.tick()
        };
        waited.add_u64(now.saturating_sub(started));
    }
}
