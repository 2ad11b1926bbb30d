//! The end of a stage.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use stage_core::{Dispatcher, Outcome, SubscribeError};

use super::halves::{InletHalf, OutletHalf};
use super::role::Role;
use super::task::StageTask;
use crate::activity::Doing;
use crate::desk::Control;
use crate::mailbox::InletControl;
use crate::reply::answer;

impl<R, D> StageTask<R, D>
where
    R: Role,
    D: Dispatcher<Event = R::Out> + 'static,
    D::Route: Send,
{
    /// The stage's last call.
    pub(super) async fn take_leave(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Failed(failure) => tracing::error!(%failure, "stage failed"),
            Outcome::Completed | Outcome::Cancelled(_) => {
                tracing::debug!(%outcome, "stage ended");
            }
        }
        self.terminate(outcome).await;
    }

    /// Ends the stage, whose last call was made: first its neighbours, then its
    /// handles.
    pub(super) fn end(mut self, outcome: &Outcome) {
        // A message that is refused, or dropped here, tells its caller so.
        self.desk.close_mailbox();
        self.listener.fetch();
        self.fetch_inlets();
        let lost = self.inlets.end(outcome);
        self.discard(lost);
        // A dispatcher that has panicked once may do so again.
        let ended = catch_unwind(AssertUnwindSafe(|| {
            // What consumers have just given back is lost with the buffer.
            self.fetch_outlet();
            self.outlet.end(outcome);
        }));
        if ended.is_err() {
            tracing::error!("the dispatcher panicked again; consumers are told that it is gone");
        }
        // The clock was read when the last call of its handlers returned.
        self.identity.activity.set(Doing::Ended);
        // Before the outcome: whoever has heard that the stage has ended finds it.
        let unwanted = self.desk.give_back(self.handler.stage);
        // Before the desk closes: whoever finds it closed asks for this.
        self.identity.send(outcome.clone());
        for control in self.desk.close() {
            match control {
                Control::Outlet(control) => {
                    control.turn_away(&self.identity.name, Some(outcome.clone()));
                }
                Control::Inlet(InletControl::Subscribe { reply, .. }) => {
                    let consumer = Arc::clone(&self.identity.name);
                    answer(reply, Err(SubscribeError::ConsumerEnded { consumer }));
                }
                Control::Inlet(InletControl::Cancel(..) | InletControl::Ask(..)) => (),
            }
        }
        // It is the user's, and may take its time or panic.
        drop(unwanted);
    }

    fn discard(&self, count: usize) {
        if count > 0 {
            self.identity.counters.discarded.add(count);
            tracing::warn!(
                count,
                "events discarded: neither the stage nor its producer can have them"
            );
        }
    }
}
