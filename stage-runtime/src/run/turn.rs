//! The turns of a stage's loop: it takes what has arrived, runs a handler, and
//! rests when there is nothing to do.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::Poll;

use stage_core::Dispatcher;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use super::flow::{Flow, mostly, rarely, seldom};
use super::halves::{InletHalf, OutletHalf};
use super::role::Role;
use super::task::StageTask;
use super::timers::Due;
use crate::activity::Doing;
use crate::link::{Heard, Listener, SleepUntil};

/// A stage that always has something to do takes so many turns before it lets
/// others have its thread: those who wait for what it has sent already. That is
/// long before tokio's own budget for a task runs out, so it is not charged.
const TURNS: u32 = 8;

impl<R, D> StageTask<R, D>
where
    R: Role,
    D: Dispatcher<Event = R::Out> + 'static,
    D::Route: Send,
{
    /// Takes turns until there is a reason to leave the loop: in each it does
    /// one thing of each kind that there is to do.
    pub(super) async fn live(&mut self) -> Flow<Infallible> {
        let mut turns = 0;
        loop {
            if self.listener.is_rung() {
                match self.listener.hear() {
                    Heard::LINKS => self.fetch(),
                    heard => rarely(self.attend(heard)).await?,
                }
            }
            if !self.timers.are_unset() {
                seldom();
                self.take_due();
            }
            if self.outlet.has_tidings() {
                rarely(self.tell()).await?;
            }
            if self.has_work() {
                mostly(self.work().await)?;
            }
            if self.has_more() {
                turns += 1;
                if turns > TURNS {
                    turns = 0;
                    // Not boxed, as what is rarer is: it would be one allocation
                    // for so many batches.
                    yield_now().await;
                }
                continue;
            }
            turns = 0;
            if self.may_be_done() {
                rarely(self.complete_if_done()).await?;
            }
            self.rest().await;
        }
    }

    fn take_due(&mut self) {
        while let Some(due) = self.timers.take_due() {
            match due {
                Due::Demand => self.outlet.wake(),
                Due::Info(info) => self.accept_info(info),
            }
        }
    }

    fn has_more(&self) -> bool {
        self.has_work() || self.listener.is_rung() || self.outlet.has_tidings()
    }

    /// A stage that takes and sends needs both events and demand; while it has not
    /// the one, more of the other does not wake it.
    fn lacks(&self, waits_for_demand: bool) -> SleepUntil {
        let needs_both = R::CONSUMES && R::PRODUCES && !self.completing;
        match (needs_both, waits_for_demand) {
            (true, true) => SleepUntil::Demand,
            (true, false) if self.outlet.is_empty() => SleepUntil::Events,
            _ => SleepUntil::Rung,
        }
    }

    /// Sleeps until there is news or a delay has passed.
    async fn rest(&mut self) {
        let waits_for_demand = if R::CONSUMES {
            self.inlets.has_input()
        } else {
            !self.outlet.has_unmet_demand()
        };
        let activity = &self.identity.activity;
        let started = activity.now();
        let doing = if waits_for_demand {
            Doing::WaitingForDemand
        } else {
            Doing::WaitingForEvents
        };
        activity.set(doing);
        let completing = &self.identity.completing;
        completing.store(self.completing, Ordering::Relaxed);
        let counters = &self.identity.counters;
        counters.queued.set(self.inlets.queued());
        counters.held.set(R::held(&self.handler.stage));
        let awaited = self.outlet.come_to_rest();
        let until = self.lacks(waits_for_demand);
        let listener = &mut self.listener;
        listener.await_consumer(awaited);
        match self.timers.next() {
            None => poll_fn(|cx| listener.poll_rung(until, cx)).await,
            Some(at) => rarely(rung_or_due(listener, until, at)).await,
        }
        let counters = &self.identity.counters;
        let waited = if waits_for_demand {
            &counters.waiting_for_demand
        } else {
            &counters.waiting_for_events
        };
        let now = self.identity.activity.tick();
        waited.add_u64(now.saturating_sub(started));
    }
}

/// Waits for a ring, or until `due`.
async fn rung_or_due(listener: &mut Listener, until: SleepUntil, due: Instant) {
    let mut delay = pin!(sleep_until(due));
    poll_fn(|cx| match listener.poll_rung(until, cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => delay.as_mut().poll(cx),
    })
    .await;
}
