//! The methods of a handle for stages that take events: subscribe, ask, cancel.

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
    /// ```
    /// use stage_runtime::operators::{fold, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(1..=4).stage().spawn();
    /// let sum = fold(0, |sum, n: i32| sum + n).stage().spawn();
    /// sum.subscribe(&numbers).await?;
    /// assert_eq!(sum.output().await?, 10);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SubscribeError`] when the terms are out of range, the producer has ended, its
    /// dispatcher refuses the route, the stage completes or drains, or one of its own
    /// handlers awaits this. The stage goes on without the subscription.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not cancel the subscription.
    pub async fn subscribe(
        &self,
        subscription: impl IntoSubscription<E>,
    ) -> Result<SubscriptionId, SubscribeError> {
        self.send_subscribe(subscription, None).await
    }

    /// Replaces a subscription: cancels `old` and makes the new one, without ending the
    /// stage even if `old` was permanent. The events that have arrived over `old` are
    /// handled first. An `old` that has ended is ignored.
    ///
    /// ```
    /// use stage_runtime::operators::{fold, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let silent = from_iter(1..).stage().gate(Gate::Closed).spawn();
    /// let numbers = from_iter(1..=4).stage().spawn();
    /// let sum = fold(0, |sum, n: i32| sum + n).stage().spawn();
    /// let old = sum.subscribe(&silent).await?;
    /// sum.resubscribe(old, "it is silent", &numbers).await?;
    /// assert_eq!(sum.output().await?, 10);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`subscribe`](StageRef::subscribe). The old subscription is cancelled even
    /// then, except after [`SubscribeError::Demand`], which is checked first.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future undoes nothing.
    pub async fn resubscribe(
        &self,
        old: SubscriptionId,
        reason: impl Into<Reason>,
        subscription: impl IntoSubscription<E>,
    ) -> Result<SubscriptionId, SubscribeError> {
        self.send_subscribe(subscription, Some((old, reason.into())))
            .await
    }

    /// Cancels a subscription. The events that have arrived are still handled. Then the
    /// subscription's [`CancelMode`](stage_core::CancelMode) decides whether the stage
    /// ends. A subscription that has ended is ignored.
    ///
    /// ```
    /// use stage_runtime::operators::{for_each, from_iter};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(1..).stage().spawn();
    /// let printer = for_each(|n: u64| println!("{n}")).stage().spawn();
    /// let subscription = printer.subscribe(numbers.subscription().max_demand(10)).await?;
    /// // The subscription is permanent, so its end is the end of the stage.
    /// printer.cancel(subscription, "enough");
    /// assert!(matches!(printer.outcome().await, Outcome::Cancelled(_)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn cancel(&self, subscription: SubscriptionId, reason: impl Into<Reason>) {
        self.request(ConsumerControl::Cancel(subscription, reason.into()));
    }

    /// Asks for `demand` more events over a subscription. In manual mode this is the only
    /// demand; in automatic mode it is added to the automatic demand. A subscription that
    /// has ended is ignored.
    ///
    /// ```
    /// use stage_runtime::operators::from_iter;
    /// use stage_runtime::prelude::*;
    ///
    /// /// Prints the numbers that it is told to ask for.
    /// struct Printer;
    ///
    /// impl Consumer for Printer {
    ///     type Event = u64;
    ///
    ///     async fn handle_subscribe(
    ///         &mut self,
    ///         _producer: &Peer,
    ///         _cx: &mut Context<'_>,
    ///     ) -> StageResult<DemandMode> {
    ///         Ok(DemandMode::Manual)
    ///     }
    ///
    ///     async fn handle_events(
    ///         &mut self,
    ///         numbers: &mut Batch<u64>,
    ///         _cx: &mut Context<'_>,
    ///     ) -> StageResult {
    ///         numbers.drain().for_each(|n| println!("{n}"));
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(1..=3).stage().spawn();
    /// let printer = Printer.stage().spawn();
    /// let subscription = printer.subscribe(&numbers).await?;
    /// printer.ask(subscription, 3);
    /// printer.await
    /// # }
    /// ```
    pub fn ask(&self, subscription: SubscriptionId, demand: usize) {
        self.request(ConsumerControl::Ask(subscription, demand));
    }

    /// Sends a request to subscribe, and waits for the reply.
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
        // Checked here as well as in the stage, so that a resubscription with wrong limits
        // leaves the old subscription alone.
        subscription.terms()?;
        let gone = SubscribeError::ConsumerEnded {
            consumer: Arc::clone(&self.shared.name),
        };
        let (sender, answer) = oneshot::channel();
        self.request(ConsumerControl::Subscribe {
            subscription,
            instead_of,
            reply: Some(Reply::new(sender, gone.clone())),
        });
        answer.await.unwrap_or(Err(gone))
    }

    /// Sends a request to the consumer half, and notifies the stage.
    fn request(&self, control: ConsumerControl<E>) {
        // If the stage has ended, the request is dropped, and with it the reply.
        if self.control.send_to_consumer(control).is_ok() {
            self.shared.notifier.notify();
        }
    }
}
