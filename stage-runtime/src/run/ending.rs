//! The end of a stage.

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
    /// The stage's last call.
    pub(super) async fn say_goodbye(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Failed(failure) => tracing::error!(%failure, "stage failed"),
            Outcome::Completed | Outcome::Cancelled(_) => {
                tracing::debug!(%outcome, "stage ended");
            }
        }
        self.terminate(outcome).await;
    }

    /// Ends the stage, whose last call was made: first its neighbours, then all
    /// that it has, then its handles. Whoever hears of the end finds that nothing
    /// is left of it.
    pub(super) fn end(mut self, outcome: &Outcome) {
        // A message that is refused, or dropped here, tells its caller so.
        self.control.close_mailbox();
        self.notifications.take_links();
        self.fetch_producers();
        let lost = self.consumer.end(outcome);
        self.discard(lost);
        // A dispatcher that has panicked once may do so again.
        let ended = catch_unwind(AssertUnwindSafe(|| {
            // What consumers have just given back is lost with the buffer.
            self.fetch_consumers();
            self.producer.end(outcome);
        }));
        if ended.is_err() {
            tracing::error!("the dispatcher panicked again; consumers are told that it is gone");
        }
        // The clock was read when the last call of its handlers returned.
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
        // These are the user's, and may panic.
        drop_caught("its events", (handler.emitted, consumer, producer));
        drop_caught("its state", state);
        drop_caught("its factory and its delayed infos", (supervision, timers));
        // Before the control closes: whoever finds it closed asks for this.
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

    /// Gives the stage's state to its handle, which gets that of a stage with
    /// input which has completed. Otherwise returns it, to be dropped: a source
    /// that has ended keeps nothing open.
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

/// Drops what may panic while it is dropped.
fn drop_caught<T>(what: &'static str, dropped: T) {
    if catch_unwind(AssertUnwindSafe(|| drop(dropped))).is_err() {
        tracing::error!("{what} panicked when the stage had ended and they were dropped");
    }
}
