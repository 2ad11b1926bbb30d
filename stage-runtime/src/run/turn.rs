//! The turns of a stage's loop: it takes what has arrived, runs a handler, and
//! rests when there is nothing to do.

use std::future::poll_fn;
use std::ops::ControlFlow::{Break, Continue};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::Poll;

use stage_core::Dispatcher;
use tokio::task::{consume_budget, yield_now};
use tokio::time::{Instant, sleep_until};

use super::flow::{Exit, Flow, mostly, rarely, seldom};
use super::halves::{InletHalf, OutletHalf};
use super::role::Role;
use super::task::StageTask;
use super::timers::Due;
use crate::activity::Doing;
use crate::link::Listener;

/// A stage that always has something to do takes so many turns before it lets
/// others have its thread: those who wait for what it has sent already.
const TURNS: u32 = 8;

impl<R, D> StageTask<R, D>
where
    R: Role,
    D: Dispatcher<Event = R::Out> + 'static,
    D::Route: Send,
{
    /// Takes turns until there is a reason to leave the loop.
    pub(super) async fn live(&mut self) -> Exit {
        let mut turns = 0;
        loop {
            // Only the answer is kept across what is awaited next.
            let more = match self.turn().await {
                Break(exit) => {
                    seldom();
                    return exit;
                }
                Continue(more) => more,
            };
            if !more {
                turns = 0;
                self.rest().await;
            } else if turns < TURNS {
                turns += 1;
                // One unit of tokio's budget per batch.
                consume_budget().await;
            } else {
                turns = 0;
                yield_now().await;
            }
        }
    }

    /// Does one thing of each kind that there is to do; says whether there is
    /// more.
    async fn turn(&mut self) -> Flow<bool> {
        if self.listener.is_rung() {
            let heard = self.listener.hear();
            if heard.again {
                seldom();
                self.outlet.wake();
                if R::WAKES {
                    rarely(self.be_woken()).await?;
                }
            }
            if heard.messages {
                rarely(self.take_messages()).await?;
            } else {
                self.fetch();
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
            return Continue(true);
        }
        if self.may_be_done() {
            rarely(self.complete_if_done()).await?;
        }
        Continue(false)
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
        self.identity.counters.queued.set(self.inlets.queued());
        self.outlet.come_to_rest();
        let listener = &mut self.listener;
        match self.timers.next() {
            None => poll_fn(|cx| listener.poll_rung(cx)).await,
            Some(at) => rarely(rung_or_due(listener, at)).await,
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
async fn rung_or_due(listener: &mut Listener, due: Instant) {
    let mut delay = pin!(sleep_until(due));
    poll_fn(|cx| match listener.poll_rung(cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => delay.as_mut().poll(cx),
    })
    .await;
}
