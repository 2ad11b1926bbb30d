//! What can be done with a stage that takes events.

use std::sync::Arc;

use stage_core::{Reason, SubscribeError, SubscriptionId};
use tokio::sync::oneshot;

use super::StageRef;
use super::kind::{Output, Takes};
use crate::consumer_control::ConsumerControl;
use crate::current::current_stage;
use crate::reply::Reply;
use crate::subscription::IntoSubscription;

impl<S, E: Send + 'static, O: Output> StageRef<S, Takes<E>, O> {
    /// Subscribes the running stage to one more producer, and waits until the
    /// producer has taken the subscription.
    ///
    /// # Errors
    ///
    /// [`SubscribeError`] when the terms cannot work, the producer has ended, its
    /// dispatcher says no, the stage completes or drains, or one of its own handlers
    /// awaits this. The stage goes on without the subscription.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the subscription back.
    pub async fn subscribe(
        &self,
        subscription: impl IntoSubscription<E>,
    ) -> Result<SubscriptionId, SubscribeError> {
        self.send_subscribe(subscription, None).await
    }

    /// Moves a subscription: cancels the one and subscribes to the other, so
    /// that the stage does not end even if the old one was permanent. What had
    /// arrived over the old one is handled first. An `old` that has ended is
    /// passed over.
    ///
    /// # Errors
    ///
    /// As for [`subscribe`](StageRef::subscribe). The old subscription is gone
    /// then, except after [`SubscribeError::Demand`], which is found first.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future takes nothing back.
    pub async fn resubscribe(
        &self,
        old: SubscriptionId,
        reason: impl Into<Reason>,
        subscription: impl IntoSubscription<E>,
    ) -> Result<SubscriptionId, SubscribeError> {
        self.send_subscribe(subscription, Some((old, reason.into())))
            .await
    }

    /// Cancels a subscription. What has arrived is still handled; then the
    /// stage behaves as the subscription's [`CancelMode`](stage_core::CancelMode) mode
    /// says. A subscription that has ended is passed over.
    pub fn cancel(&self, subscription: SubscriptionId, reason: impl Into<Reason>) {
        self.control(ConsumerControl::Cancel(subscription, reason.into()));
    }

    /// Asks for `demand` more events over a subscription: the whole of its
    /// demand in manual mode, an extra in automatic mode. A subscription that
    /// has ended is passed over.
    pub fn ask(&self, subscription: SubscriptionId, demand: usize) {
        self.control(ConsumerControl::Ask(subscription, demand));
    }

    async fn send_subscribe(
        &self,
        subscription: impl IntoSubscription<E>,
        instead_of: Option<(SubscriptionId, Reason)>,
    ) -> Result<SubscriptionId, SubscribeError> {
        let subscription = subscription.into_subscription();
        if current_stage() == Some(self.shared.id) {
            return Err(SubscribeError::InHandler {
                consumer: Arc::clone(&self.shared.name),
            });
        }
        // Here rather than in the stage: the caller learns it at once.
        subscription.terms()?;
        let gone = SubscribeError::ConsumerEnded {
            consumer: Arc::clone(&self.shared.name),
        };
        let (sender, answer) = oneshot::channel();
        self.control(ConsumerControl::Subscribe {
            subscription,
            instead_of,
            reply: Some(Reply::new(sender, gone.clone())),
        });
        answer.await.unwrap_or(Err(gone))
    }

    fn control(&self, control: ConsumerControl<E>) {
        // A stage that has ended drops it, and with it the reply.
        if self.control.send_to_consumer(control).is_ok() {
            self.shared.notifier.notify();
        }
    }
}
