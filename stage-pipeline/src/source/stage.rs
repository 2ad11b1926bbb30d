//! [`SourceStage`]: the stage that runs a source.

use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use stages::prelude::*;

use super::{Capabilities, Counts, Leases, Next, Origin, Source};
use crate::ack::{Settlements, Verdict};
use crate::message::Message;
use crate::policy::RateLimit;
use crate::run::Shared;
use crate::step::Seal;

/// What the states of one source share over its restarts.
pub(crate) struct SourceOptions<T> {
    pub(crate) name: Arc<str>,
    /// The number of the source in its pipeline.
    pub(crate) number: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) counts: Arc<Counts>,
    pub(crate) capabilities: Capabilities,
    pub(crate) rate: Option<RateLimit>,
    pub(crate) max_in_flight: u64,
    pub(crate) seal: Option<Seal<T>>,
}

/// The stage of a source: leases as many messages as are asked for, as its limits allow.
pub(crate) struct SourceStage<S: Source> {
    source: S,
    options: Arc<SourceOptions<S::Data>>,
    origin: Option<Arc<Origin>>,
    next_heartbeat: Option<Instant>,
    /// Whether messages had to be released that others of their key have to come before.
    overtaking: bool,
    ended: bool,
}

impl<S: Source> SourceStage<S> {
    pub(crate) const fn new(source: S, options: Arc<SourceOptions<S::Data>>) -> Self {
        Self {
            source,
            options,
            origin: None,
            next_heartbeat: None,
            overtaking: false,
            ended: false,
        }
    }

    /// Returns how many of `demand` messages the limits allow now. Otherwise says what the
    /// stage waits for, and sees to it that it is called again.
    fn allowed(&mut self, demand: usize, out: &mut Emitter<'_, Message<S::Data>>) -> usize {
        let SourceOptions {
            counts,
            max_in_flight,
            rate,
            ..
        } = &*self.options;
        let in_flight = counts.in_flight();
        if std::mem::take(&mut self.overtaking) && in_flight > 0 {
            // They would come again at once, until one of those before them is settled.
            counts.wake_below(in_flight - 1, out.waker());
            out.waits_for("earlier messages of a key that failed", None);
            return 0;
        }
        let room = max_in_flight.saturating_sub(in_flight);
        if room == 0 {
            // Half of them first: a source that leases one by one is slow.
            counts.wake_below(max_in_flight / 2, out.waker());
            out.waits_for(
                format!("{in_flight} unsettled messages, of {max_in_flight} at most"),
                None,
            );
            return 0;
        }
        let want = demand.min(usize::try_from(room).unwrap_or(usize::MAX));
        let Some(rate) = rate else { return want };
        match rate.take(now(), want, out.waker()) {
            Ok(permits) => permits,
            Err(wait) => {
                out.waits_for("the rate limit", wait.duration());
                if let Some(wait) = wait.duration() {
                    out.again_after(wait);
                }
                0
            }
        }
    }

    /// Makes leased messages ready for the next stage; those that were delivered too often
    /// become dead letters.
    async fn admit(&mut self, first: usize, out: &mut Emitter<'_, Message<S::Data>>) {
        let SourceOptions { shared, seal, .. } = &*self.options;
        let messages = out.as_mut_vec();
        let leased = messages.len() - first;
        if leased == 0 {
            return;
        }
        let sequence = shared.fence.number(leased as u64);
        let mut dead = Vec::new();
        let mut failed = Vec::new();
        let mut overtaking = Vec::new();
        let mut at = first;
        for number in sequence.. {
            let Some(message) = messages.get_mut(at) else {
                break;
            };
            message.way.partition = number as u32;
            if shared.spans {
                message.enter(&self.options.name);
            }
            let deliveries = message.metadata().deliveries();
            if !shared.retry.may_deliver(deliveries) {
                let reason = format!("delivered {} times, and never settled", deliveries - 1);
                dead.push((messages.remove(at), reason.into()));
                continue;
            }
            if let Some(seal) = seal
                && let Err(error) = seal(message)
            {
                message.fail(error);
                failed.push(messages.remove(at));
                continue;
            }
            if shared.ordered && message.metadata().key().is_some() {
                message.set_sequence(number);
                let token = message.ack.token();
                let key = message.way.partition.into();
                let goes_back = shared.unsettled_keys.lease(
                    self.options.number,
                    token,
                    key,
                    number,
                    &shared.fence,
                );
                if goes_back {
                    overtaking.push(messages.remove(at));
                    continue;
                }
            }
            at += 1;
        }
        if !dead.is_empty() || !failed.is_empty() || !overtaking.is_empty() {
            let mut settlements = Settlements::default();
            self.overtaking = !overtaking.is_empty();
            for message in overtaking {
                settlements.push(message.ack, Verdict::Release, None);
            }
            let step: Arc<str> = "lease".into();
            shared.bury(dead, &mut settlements, &step).await;
            shared
                .settle_failed(&mut failed, &mut settlements, &step)
                .await;
            let _ = settlements.send().await;
        }
    }

    /// Calls the heartbeat if it is due, and sets the timer for the next one.
    async fn heartbeat(&mut self, out: &mut Emitter<'_, Message<S::Data>>) -> StageResult {
        let Some(every) = self.options.capabilities.heartbeat_every else {
            return Ok(());
        };
        let now = now();
        if self.next_heartbeat.is_some_and(|due| due > now) {
            return Ok(());
        }
        if self.next_heartbeat.take().is_some() && self.options.counts.in_flight() > 0 {
            self.source.heartbeat().await?;
        }
        if self.options.counts.in_flight() > 0 {
            self.next_heartbeat = Some(now + every);
            out.wake_after(every);
        }
        Ok(())
    }

    /// Wakes the stage when the last message is settled: it may complete then.
    fn wake_when_settled(&self, waker: &Waker) {
        if self.options.counts.in_flight() > 0 {
            self.options.counts.wake_below(0, waker);
        }
    }
}

/// The clock of the runtime, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl<S: Source> Producer for SourceStage<S> {
    type Event = Message<S::Data>;

    async fn handle_start(&mut self, _: &mut Emitter<'_, Self::Event>) -> StageResult {
        self.source.open().await?;
        let acknowledger = self.source.acknowledger();
        self.origin = Some(Arc::new(Origin::new(&self.options, acknowledger)));
        Ok(())
    }

    async fn handle_demand(
        &mut self,
        demand: usize,
        out: &mut Emitter<'_, Self::Event>,
    ) -> StageResult {
        let Some(origin) = self.origin.clone() else {
            return Ok(());
        };
        let permits = self.allowed(demand, out);
        if permits == 0 {
            return Ok(());
        }
        let first = out.len();
        let (messages, cx) = out.parts();
        let mut leases = Leases::new(messages, cx.waker(), &origin);
        let SourceOptions { shared, number, .. } = &*self.options;
        if shared.ordered {
            shared.unsettled_keys.begin_lease(*number);
        }
        let next = self.source.lease(permits, &mut leases).await;
        drop(leases);
        let leased = out.len() - first;
        if let Some(rate) = &self.options.rate {
            rate.give_back(permits.saturating_sub(leased));
        }
        self.admit(first, out).await;
        if self.options.shared.ordered {
            self.options
                .shared
                .unsettled_keys
                .end_lease(self.options.number);
        }
        match next? {
            // It gave all it was allowed to: the limits are asked again for the rest.
            _ if leased >= permits && leased < demand => out.again(),
            Next::Woken => {}
            Next::After(delay) => out.again_after(delay),
            Next::End => {
                self.ended = true;
                self.wake_when_settled(out.waker());
                out.complete();
            }
        }
        self.heartbeat(out).await
    }

    async fn handle_wake(&mut self, out: &mut Emitter<'_, Self::Event>) -> StageResult {
        if self.ended {
            self.wake_when_settled(out.waker());
        }
        self.heartbeat(out).await
    }

    async fn handle_drain(&mut self, out: &mut Emitter<'_, Self::Event>) -> StageResult {
        self.ended = true;
        self.wake_when_settled(out.waker());
        out.complete();
        if let Err(error) = self.source.drain().await {
            // As a failure of the stage it would bring another source, to drain as well.
            tracing::error!(source = %self.options.name, %error, "the source could not drain");
        }
        Ok(())
    }

    fn may_complete(&self) -> bool {
        self.options.counts.in_flight() == 0
    }

    fn held(&self) -> usize {
        0
    }

    async fn terminate(&mut self, _: &Outcome) {
        self.source.close().await;
    }
}

/// Messages from a test.
pub(crate) struct Push<T>(pub(crate) Vec<Message<T>>);

impl<S: Source> Handler<Push<S::Data>, Message<S::Data>> for SourceStage<S> {
    type Reply = ();

    async fn handle(
        &mut self,
        push: Push<S::Data>,
        out: &mut Emitter<'_, Message<S::Data>>,
    ) -> StageResult {
        let SourceOptions { shared, seal, .. } = &*self.options;
        for mut message in push.0 {
            let number = shared.fence.number(1);
            message.way.partition = number as u32;
            message.set_sequence(number);
            if let Some(seal) = seal
                && let Err(error) = seal(&mut message)
            {
                message.fail(error);
            }
            out.push(message);
        }
        Ok(())
    }
}
