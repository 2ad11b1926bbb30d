//! The end of a stage.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use stage_core::{Dispatcher, Outcome, SubscribeError};

use super::halves::{InletHalf, OutletHalf};
use super::revival::count_held;
use super::role::Role;
use super::task::StageTask;
use crate::activity::Doing;
use crate::desk::{Control, OwnDesk};
use crate::identity::Identity;
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

    /// Ends the stage, whose last call was made: first its neighbours, then all
    /// that it has, then its handles. Whoever hears of the end finds that nothing
    /// is left of it.
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
        let Self {
            handler,
            inlets,
            outlet,
            desk,
            again,
            timers,
            identity,
            ..
        } = self;
        let state = Self::give_back(handler.stage, outcome, &desk, &identity);
        // These are the user's, and may panic.
        drop_caught("its events", (handler.emitted, inlets, outlet));
        drop_caught("its state", state);
        drop_caught("its factory and its delayed infos", (again, timers));
        // Before the desk closes: whoever finds it closed asks for this.
        identity.send(outcome.clone());
        for control in desk.close() {
            match control {
                Control::Outlet(control) => {
                    control.turn_away(&identity.name, Some(outcome.clone()));
                }
                Control::Inlet(InletControl::Subscribe { reply, .. }) => {
                    let consumer = Arc::clone(&identity.name);
                    answer(reply, Err(SubscribeError::ConsumerEnded { consumer }));
                }
                Control::Inlet(InletControl::Cancel(..) | InletControl::Ask(..)) => (),
            }
        }
    }

    /// Gives the stage's state to its handle, which gets that of a stage with
    /// input which has completed. Otherwise returns it, to be dropped: a source
    /// that has ended keeps nothing open.
    fn give_back(
        state: R::Stage,
        outcome: &Outcome,
        desk: &OwnDesk<R::Stage, R::In, R::Out, D::Route>,
        identity: &Identity,
    ) -> Option<R::Stage> {
        let has_result = R::CONSUMES && matches!(outcome, Outcome::Completed);
        let unwanted = if has_result {
            desk.give_back(state)
        } else {
            Some(state)
        };
        if let Some(state) = &unwanted {
            count_held::<R>(state, &identity.counters);
        }
        unwanted
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

/// Drops what may panic while it is dropped.
fn drop_caught<T>(what: &'static str, dropped: T) {
    if catch_unwind(AssertUnwindSafe(|| drop(dropped))).is_err() {
        tracing::error!("{what} panicked when the stage had ended and they were dropped");
    }
}
