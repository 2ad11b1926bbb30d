//! [`Outlet`]: what can be subscribed to, without the type of the stage.
//!
//! Its methods that return a subscription are in `handle/outlet`.

use std::fmt;
use std::sync::Arc;

use stage_core::{Gate, Reason, SubscribeError, SubscriptionId};
use tokio::sync::oneshot;

use crate::current::current_stage;
use crate::producer_control::{ProducerControl, ProducerControlSender};
use crate::reply::{Reply, ended, producer_dropped};
use crate::stage_control::StageControl;

/// The output side of a running stage of any type that emits `E` to subscribers with a
/// route of type `R`; cheap to clone.
///
/// [`StageRef::outlet`](crate::StageRef::outlet) returns it. A reference to it subscribes
/// by the default route, if there is one. It keeps nothing running: a subscription to a
/// stage that has ended is refused.
///
/// ```
/// use std::collections::HashMap;
/// use stage_runtime::operators::{fold, from_iter, map};
/// use stage_runtime::handle::Outlet;
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let small = from_iter(1..=3_u64).stage().spawn();
/// let large = map(|n: u64| n * 100).stage().subscribe_to(&small).spawn();
///
/// let mut topics: HashMap<&str, Outlet<u64>> = HashMap::new();
/// topics.insert("small", small.outlet());
/// topics.insert("large", large.outlet());
///
/// let sum = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(&topics["large"]).spawn();
/// assert_eq!(sum.output().await?, 600);
/// # Ok(())
/// # }
/// ```
pub struct Outlet<E, R = ()> {
    stage: StageControl,
    requests: ProducerControlSender<E, R>,
}

impl<E, R> Outlet<E, R> {
    pub(crate) fn new(stage: StageControl, requests: ProducerControlSender<E, R>) -> Self {
        Self { stage, requests }
    }

    /// Returns the stage without its types.
    #[must_use]
    pub fn control(&self) -> StageControl {
        self.stage.clone()
    }

    /// Opens or closes the producer's gate; see
    /// [`StageRef::set_gate`](crate::StageRef::set_gate).
    pub fn set_gate(&self, gate: Gate) {
        self.request(ProducerControl::SetGate(gate));
    }

    /// Ends the subscription of a consumer from the producer's side; see
    /// [`StageRef::evict`](crate::StageRef::evict).
    pub fn evict(&self, subscription: SubscriptionId, reason: impl Into<Reason>) {
        self.request(ProducerControl::Evict(subscription, reason.into()));
    }

    /// Changes the route of a running subscription, and waits until the producer has done
    /// so; see [`StageRef::reroute`](crate::StageRef::reroute).
    ///
    /// # Errors
    ///
    /// [`SubscribeError`] when the subscription is not one of this producer or has ended,
    /// the dispatcher refuses the route or does not change routes, the producer has ended,
    /// or one of its own handlers awaits this. The old route stays.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future does not take the request back.
    pub async fn reroute(
        &self,
        subscription: SubscriptionId,
        route: R,
    ) -> Result<(), SubscribeError> {
        let shared = &self.stage.shared;
        if current_stage() == Some(shared.id) {
            return Err(SubscribeError::InHandler {
                consumer: Arc::clone(&shared.name),
            });
        }
        let gone = ended(&shared.name, &producer_dropped());
        let (sender, answer) = oneshot::channel();
        self.request(ProducerControl::Reroute {
            id: subscription,
            route,
            reply: Some(Reply::new(sender, gone.clone())),
        });
        answer.await.unwrap_or(Err(gone)).map(|_| ())
    }

    /// Sends a request to the producer half, and notifies the stage. If the stage has
    /// ended, answers for it.
    fn request(&self, control: ProducerControl<E, R>) {
        let shared = &self.stage.shared;
        match self.send(control) {
            Ok(()) => shared.notifier.notify(),
            Err(unsent) => unsent.turn_away(&shared.name, shared.outcome.get()),
        }
    }

    /// Returns the stage, for the crate.
    pub(crate) const fn stage(&self) -> &StageControl {
        &self.stage
    }

    /// Queues a request to the producer half; returns it if the stage has ended. The
    /// caller notifies the stage.
    pub(crate) fn send(&self, control: ProducerControl<E, R>) -> Result<(), ProducerControl<E, R>> {
        self.requests.send_to_producer(control)
    }
}

impl<E, R> Clone for Outlet<E, R> {
    fn clone(&self) -> Self {
        Self {
            stage: self.stage.clone(),
            requests: Arc::clone(&self.requests),
        }
    }
}

impl<E, R> fmt::Debug for Outlet<E, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet")
            .field("stage", &self.stage.name())
            .field("ended", &self.stage.is_ended())
            .finish_non_exhaustive()
    }
}
