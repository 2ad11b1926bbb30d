//! [`SourceStage`]: the stage that runs a source.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use futures::FutureExt;
use stages::prelude::*;
use stages::protocol::panic_message;

use super::key_limits::KeyLimits;
use super::{Capabilities, Counts, Leases, Next, Origin, Source};
use crate::clock::{after, now};
use crate::message::Message;
use crate::policy::{KeyedRateLimit, RateLimit};
use crate::run::Shared;
use crate::step::Assign;

/// What the states of one source share over its restarts.
pub(crate) struct SourceOptions<T> {
    pub(crate) name: Arc<str>,
    /// The number of the source in its pipeline.
    pub(crate) number: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) counts: Arc<Counts>,
    pub(crate) capabilities: Capabilities,
    pub(crate) rate: Option<RateLimit>,
    pub(crate) key_rate: Option<KeyedRateLimit>,
    pub(crate) max_in_flight: u64,
    pub(crate) assign: Option<Assign<T>>,
}

/// The stage of a source: leases as many messages as are asked for, as its limits allow.
pub(crate) struct SourceStage<S: Source> {
    source: S,
    pub(super) options: Arc<SourceOptions<S::Data>>,
    origin: Option<Arc<Origin>>,
    next_heartbeat: Option<Instant>,
    pub(super) key_limits: Option<KeyLimits<S::Data>>,
    /// Whether the source has said that no message will come any more.
    pub(super) exhausted: bool,
    /// Whether messages had to be released that others of their key have to come before.
    pub(super) overtaking: bool,
    pub(super) ended: bool,
}

impl<S: Source> SourceStage<S> {
    pub(crate) fn new(source: S, options: Arc<SourceOptions<S::Data>>) -> Self {
        let key_limits = options.key_rate.clone().map(KeyLimits::new);
        Self {
            source,
            key_limits,
            exhausted: false,
            options,
            origin: None,
            next_heartbeat: None,
            overtaking: false,
            ended: false,
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
            self.next_heartbeat = Some(after(now, every));
            out.wake_after(every);
        }
        Ok(())
    }

    /// Wakes the stage when the last message is settled: it may complete then.
    pub(super) fn wake_when_settled(&self, waker: &Waker) {
        if self.options.counts.in_flight() > 0 {
            self.options.counts.wake_below(0, waker);
        }
    }
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
        let demand = demand.saturating_sub(self.pop_parked(demand, out));
        if self.exhausted || demand == 0 {
            self.call_again(None, out);
            return self.heartbeat(out).await;
        }
        let permits = match self.allowed(demand, out) {
            Ok(permits) => permits,
            Err(wait) => {
                self.call_again(wait, out);
                return self.heartbeat(out).await;
            }
        };
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
        self.limit_keys(first, out);
        if self.options.shared.ordered {
            self.options
                .shared
                .unsettled_keys
                .end_lease(self.options.number);
        }
        match next? {
            // It gave all it was allowed to, so there may be more: for the demand that its
            // limits, or those of keys, have left unmet.
            Next::Woken | Next::After(_) if leased >= permits && out.len() - first < demand => {
                out.again();
            }
            Next::Woken => self.call_again(None, out),
            Next::After(delay) => self.call_again(Some(delay), out),
            Next::End => {
                self.exhausted = true;
                self.complete_if_exhausted(out);
                self.call_again(None, out);
            }
        }
        self.heartbeat(out).await
    }

    async fn handle_wake(&mut self, out: &mut Emitter<'_, Self::Event>) -> StageResult {
        if self.ended {
            self.wake_when_settled(out.waker());
        } else if let Some(keys) = &mut self.key_limits {
            keys.recheck(now());
        }
        self.heartbeat(out).await
    }

    async fn handle_drain(&mut self, out: &mut Emitter<'_, Self::Event>) -> StageResult {
        self.ended = true;
        if let Some(keys) = &mut self.key_limits {
            keys.release_all();
        }
        self.wake_when_settled(out.waker());
        out.complete();
        let draining = AssertUnwindSafe(async { self.source.drain().await }).catch_unwind();
        let drained = draining
            .await
            .unwrap_or_else(|panic| Err(format!("it panicked: {}", panic_message(&*panic)).into()));
        if let Err(error) = drained {
            // As a failure of the stage it would bring another source, to drain as well.
            tracing::error!(source = %self.options.name, %error, "the source could not drain");
        }
        Ok(())
    }

    fn may_complete(&self) -> bool {
        self.options.counts.in_flight() == 0
    }

    fn held(&self) -> usize {
        self.key_limits.as_ref().map_or(0, KeyLimits::held)
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
        let SourceOptions { shared, assign, .. } = &*self.options;
        for mut message in push.0 {
            let number = shared.fence.number(1);
            message.envelope.partition = number as u32;
            message.set_sequence(number);
            if let Some(assign) = assign
                && let Err(error) = assign(&mut message)
            {
                message.fail(error);
            }
            out.push(message);
        }
        Ok(())
    }
}
