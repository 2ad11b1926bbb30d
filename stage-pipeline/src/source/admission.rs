//! What a source may lease, and what becomes of it before it is handed on.

use std::sync::Arc;
use std::time::Duration;

use stages::prelude::*;

use super::{Source, SourceOptions, SourceStage};
use crate::ack::{Settlements, Verdict};
use crate::clock::now;
use crate::message::Message;

impl<S: Source> SourceStage<S> {
    /// Returns how many of `demand` messages the limits allow now.
    ///
    /// # Errors
    ///
    /// If they allow none: the time after which to ask again, if the stage is not woken
    /// before. What it waits for is shown.
    pub(super) fn allowed(
        &mut self,
        demand: usize,
        out: &mut Emitter<'_, Message<S::Data>>,
    ) -> Result<usize, Option<Duration>> {
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
            return Err(None);
        }
        let room = max_in_flight.saturating_sub(in_flight);
        if room == 0 {
            // Half of them first: a source that leases one by one is slow.
            counts.wake_below(max_in_flight / 2, out.waker());
            out.waits_for(
                format!("{in_flight} unsettled messages, of {max_in_flight} at most"),
                None,
            );
            return Err(None);
        }
        let mut want = demand.min(usize::try_from(room).unwrap_or(usize::MAX));
        if let Some(keys) = &self.key_limits {
            want = want.min(keys.room());
            if want == 0 {
                out.waits_for("the rate limits of keys", keys.next_due(now()));
                return Err(None);
            }
        }
        let Some(rate) = rate else {
            return Ok(want);
        };
        rate.take(now(), want, out.waker()).map_err(|wait| {
            out.waits_for("the rate limit", wait.duration());
            wait.duration()
        })
    }

    /// Makes leased messages ready for the next stage; those that were delivered too often
    /// become dead letters.
    pub(super) async fn admit(&mut self, first: usize, out: &mut Emitter<'_, Message<S::Data>>) {
        let SourceOptions { shared, assign, .. } = &*self.options;
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
            message.envelope.partition = number as u32;
            if shared.spans {
                message.enter(&self.options.name);
            }
            let deliveries = message.metadata().deliveries();
            if !shared.retry.may_deliver(deliveries) {
                let reason = format!("delivered {} times, and never settled", deliveries - 1);
                dead.push((messages.remove(at), reason.into()));
                continue;
            }
            if let Some(assign) = assign
                && let Err(error) = assign(message)
            {
                message.fail(error);
                failed.push(messages.remove(at));
                continue;
            }
            if shared.ordered && message.metadata().key().is_some() {
                message.set_sequence(number);
                let token = message.ack.token();
                let key = message.envelope.partition.into();
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

    /// Emits messages that have waited for the rate limit of their key; returns how many.
    pub(super) fn pop_parked(
        &mut self,
        demand: usize,
        out: &mut Emitter<'_, Message<S::Data>>,
    ) -> usize {
        let Some(keys) = &mut self.key_limits else {
            return 0;
        };
        let before = out.len();
        let (messages, cx) = out.parts();
        keys.pop(now(), demand, cx.waker(), messages);
        let popped = out.len() - before;
        self.complete_if_exhausted(out);
        popped
    }

    /// Has the stage called again after this delay, or when a message that waits for the
    /// limit of its key may go.
    pub(super) fn call_again(
        &self,
        after: Option<Duration>,
        out: &mut Emitter<'_, Message<S::Data>>,
    ) {
        let keys = self.key_limits.as_ref();
        let due = keys.and_then(|keys| keys.next_due(now()));
        if let Some(delay) = after.into_iter().chain(due).min() {
            out.again_after(delay);
        }
    }

    /// Completes the stage once the source has no more messages and none waits here.
    pub(super) fn complete_if_exhausted(&mut self, out: &mut Emitter<'_, Message<S::Data>>) {
        if self.exhausted && !self.ended && self.held() == 0 {
            self.ended = true;
            self.wake_when_settled(out.waker());
            out.complete();
        }
    }

    /// Holds back messages whose key is over its rate limit.
    pub(super) fn limit_keys(&mut self, first: usize, out: &mut Emitter<'_, Message<S::Data>>) {
        let Some(keys) = &mut self.key_limits else {
            return;
        };
        let now = now();
        let (messages, cx) = out.parts();
        let leased = messages.split_off(first);
        let passed = leased.into_iter();
        messages.extend(passed.filter_map(|one| keys.admit(now, one, cx.waker())));
    }
}
