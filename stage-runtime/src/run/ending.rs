//! The end of a stage.
//!
//! First `terminate` is called. The rest is synchronous, so that a task cannot be
//! dropped in the middle of it:
//!
//! 1. The mailbox closes.
//! 2. The consumer half hands its events back and cancels its links.
//! 3. The producer half takes what its consumers have handed back, counts what is
//!    left as discarded, and ends its links.
//! 4. The state goes to the handle, or is dropped with the factory and the delays.
//! 5. The outcome is published, and tasks that wait in `join` go on.
//! 6. The control queue closes; the requests in it are refused.
//!
//! A task that is dropped before its end settles the same through the `Drop` of
//! each part.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use stage_core::{Dispatcher, Outcome, SubscribeError};

use super::halves::{Consuming, Producing};
use super::restart::count_held;
use super::role::Role;
use super::task::StageTask;
use crate::activity::Doing;
use crate::consumer_control::ConsumerControl;
use crate::control::{Control, ControlReceiver};
use crate::reply::answer;
use crate::shared::StageShared;

impl<R, D> StageTask<R, D>
where
    R: Role,
    D: Dispatcher<Event = R::Out> + 'static,
    D::Route: Send,
{
    /// Traces the outcome and calls `terminate`, the last call of the stage.
    pub(super) async fn log_and_terminate(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Failed(failure) => tracing::error!(%failure, "stage failed"),
            Outcome::Completed | Outcome::Cancelled(_) => {
                tracing::debug!(%outcome, "stage ended");
            }
        }
        self.terminate(outcome).await;
    }

    /// Ends the stage after its last call.
    ///
    /// The order is: end the links, drop everything the stage owns, then publish
    /// the outcome. A task that sees the outcome can rely on the stage's state,
    /// factory and delayed infos being dropped, or returned to the handle.
    pub(super) fn end(mut self, outcome: &Outcome) {
        // The callers of messages that are refused, or dropped here, get an error.
        self.control.close_mailbox();
        self.notifications.take_links();
        self.fetch_producers();
        let lost = self.consumer.end(outcome);
        self.discard(lost);
        // A dispatcher that has panicked once may do so again.
        let ended = catch_unwind(AssertUnwindSafe(|| {
            // Events that consumers have just handed back count as discarded
            // together with the buffer.
            self.fetch_consumers();
            self.producer.end(outcome);
        }));
        if ended.is_err() {
            tracing::error!("the dispatcher panicked again; consumers get a cancelled outcome");
        }
        // No tick before this: the clock was read when the last handler returned.
        self.shared.activity.set(Doing::Ended);
        let Self {
            handler,
            consumer,
            producer,
            control,
            supervision,
            timers,
            shared,
            ..
        } = self;
        let state = Self::give_back(handler.stage, outcome, &control, &shared);
        // Dropping these runs the user's code, which may panic.
        drop_caught("its events", (handler.emitted, consumer, producer));
        drop_caught("its state", state);
        drop_caught("its factory and its delayed infos", (supervision, timers));
        // Before the control queue closes: a sender that finds it closed reads the
        // outcome.
        shared.send(outcome.clone());
        for control in control.close() {
            match control {
                Control::Producer(control) => {
                    control.turn_away(&shared.name, Some(outcome.clone()));
                }
                Control::Consumer(ConsumerControl::Subscribe { reply, .. }) => {
                    let consumer = Arc::clone(&shared.name);
                    answer(reply, Err(SubscribeError::ConsumerEnded { consumer }));
                }
                Control::Consumer(ConsumerControl::Cancel(..) | ConsumerControl::Ask(..)) => (),
            }
        }
    }

    /// Returns the state of a consumer that has completed to its handle.
    ///
    /// Any other state is handed to the caller to drop: a source that has ended
    /// must not keep a file or a connection open.
    fn give_back(
        state: R::Stage,
        outcome: &Outcome,
        control: &ControlReceiver<R::Stage, R::In, R::Out, D::Route>,
        shared: &StageShared,
    ) -> Option<R::Stage> {
        let has_result = R::CONSUMES && matches!(outcome, Outcome::Completed);
        let unwanted = if has_result {
            control.return_stage(state)
        } else {
            Some(state)
        };
        if let Some(state) = &unwanted {
            count_held::<R>(state, &shared.counters);
        }
        unwanted
    }

    /// Counts and reports events that were lost because both ends of a link were
    /// gone.
    fn discard(&self, count: usize) {
        if count > 0 {
            self.shared.counters.discarded.add(count);
            tracing::warn!(
                count,
                "events discarded: neither the stage nor its producer can have them"
            );
        }
    }
}

/// Drops a value and catches a panic of its `Drop`. `what` names it in the log.
fn drop_caught<T>(what: &'static str, dropped: T) {
    if catch_unwind(AssertUnwindSafe(|| drop(dropped))).is_err() {
        tracing::error!("{what} panicked when the stage had ended and they were dropped");
    }
}
