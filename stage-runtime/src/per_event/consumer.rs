//! The [`Consumer`] implementation of [`PerEvent`].

use std::panic::catch_unwind;
use std::pin::pin;

use futures::future::select;
use stage_core::{Batch, Consumer, Context, DemandMode, Info, Outcome, Peer, StageResult};
use tokio::task::yield_now;
use tokio::time::sleep;

use super::asks::Asks;
use super::messages::Deadline;
use super::{ChildWork, PerEvent, Shutdown};

/// Children started before the stage yields: in a large batch, the first children must not
/// wait until the last one is created.
const STARTS_PER_TURN: usize = 64;

impl<W: ChildWork<E>, E: Send + 'static> Consumer for PerEvent<W, E> {
    type Event = E;

    async fn handle_subscribe(
        &mut self,
        producer: &Peer,
        cx: &mut Context<'_>,
    ) -> StageResult<DemandMode> {
        self.asks
            .insert(producer.subscription, Asks::new(producer.demand));
        cx.ask(producer.subscription, producer.demand.max());
        Ok(DemandMode::Manual)
    }

    async fn handle_cancel(
        &mut self,
        producer: &Peer,
        _outcome: &Outcome,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        // The children of the subscription continue.
        self.asks.remove(&producer.subscription);
        self.end_idle();
        Ok(())
    }

    async fn handle_events(&mut self, events: &mut Batch<E>, cx: &mut Context<'_>) -> StageResult {
        let subscription = cx.subscription();
        if let Some(asks) = subscription.and_then(|from| self.asks.get_mut(&from)) {
            asks.started(events.len());
        }
        for (started, event) in events.into_iter().enumerate() {
            if started > 0 && started.is_multiple_of(STARTS_PER_TURN) {
                yield_now().await;
            }
            self.start(event, subscription);
        }
        // Marks all events as handled: each has its child, so that none is in hand if
        // `reap` fails.
        events.advance(0);
        self.reap(cx)
    }

    async fn handle_wake(&mut self, cx: &mut Context<'_>) -> StageResult {
        // Lets other children end first, so that one ask covers all of them.
        yield_now().await;
        self.reap(cx)
    }

    async fn handle_info(&mut self, info: Info, _cx: &mut Context<'_>) -> StageResult {
        if let Some(Deadline(id)) = info.downcast_ref() {
            // Not found if the child has ended in time.
            if let Ok(child) = self.children.find(*id) {
                child.abort();
            }
        }
        Ok(())
    }

    fn may_complete(&self) -> bool {
        self.children.is_empty()
    }

    fn held(&self) -> usize {
        self.children.held()
    }

    async fn terminate(&mut self, _outcome: &Outcome) {
        if !self.children.is_empty() {
            self.shut_down().await;
        }
        self.children.keep_idle(0);
    }
}

impl<W: ChildWork<E>, E: Send + 'static> PerEvent<W, E> {
    /// Stops the children by the shutdown policy.
    async fn shut_down(&mut self) {
        match self.shutdown {
            Shutdown::Immediately => {}
            Shutdown::After(limit) => {
                self.children.ask_all_to_stop();
                // `sleep` panics on a runtime without a timer; the children are aborted at
                // once then.
                if let Ok(deadline) = catch_unwind(|| sleep(limit)) {
                    select(pin!(self.wait_for_all()), pin!(deadline)).await;
                }
            }
            Shutdown::Unlimited => {
                self.children.ask_all_to_stop();
                self.wait_for_all().await;
            }
        }
        let before = self.counts().stopped;
        self.children.abort_all();
        self.wait_for_all().await;
        self.children.publish();
        let count = self.counts().stopped - before;
        if count > 0 {
            let total = self.counts().stopped;
            tracing::warn!(count, total, "children aborted: their stage has ended");
        }
    }
}
