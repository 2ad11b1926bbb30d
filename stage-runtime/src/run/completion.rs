//! The way of a stage to its completion: its input has ended, what it emitted is
//! settled, and it may complete.

use std::ops::ControlFlow::{Break, Continue};

use stage_core::{Dispatcher, Outcome};

use super::flow::{Exit, Flow};
use super::halves::{Consuming, Producing};
use super::role::Role;
use super::task::StageTask;
use super::user_stage::guard;
use crate::activity::Doing;

impl<R, D> StageTask<R, D>
where
    R: Role,
    D: Dispatcher<Event = R::Out> + 'static,
    D::Route: Send,
{
    /// Whether to call [`complete_if_done`](Self::complete_if_done) before parking.
    /// A cheap test, false until the stage is about to end.
    pub(super) fn may_be_done(&self) -> bool {
        self.completing || (R::CONSUMES && self.has_nothing_left()) || self.is_deserted()
    }

    /// Whether the consumer half has come to its end: its permanent producers have
    /// completed, its pooled ones have ended or, in a drain, all producers have ended, and all is handled.
    fn has_nothing_left(&self) -> bool {
        self.consumer.are_completed() || (self.draining.is_some() && self.consumer.is_empty())
    }

    /// Whether the stage drains, has or may get events, and has no consumer left
    /// to send them to.
    fn is_deserted(&self) -> bool {
        let has_events = !R::CONSUMES || self.completing || self.consumer.has_input();
        R::PRODUCES
            && self.draining.is_some()
            && has_events
            && self.producer.is_deserted()
            && R::may_complete(&self.handler.stage)
    }

    /// Whether not even `Restart::always` restarts the stage once it has completed: it
    /// drains, its input has ended, or it was told to complete. It restarts a stage that
    /// completes of its own accord.
    fn completes_for_good(&self) -> bool {
        self.draining.is_some()
            || (R::CONSUMES && self.consumer.is_empty())
            || self.shared.lifecycle.completes()
    }

    /// Whether the policy of the stage is `Restart::always`.
    fn restarts_when_completed(&self) -> bool {
        let supervision = self.supervision.as_ref();
        supervision.is_some_and(|supervision| supervision.restarts.policy.after_completion())
    }

    /// Completes the stage step by step: `handle_complete` once its input has
    /// ended; the end of its links, if it is a source, once its consumers have settled
    /// everything; then the end once the stage may complete.
    pub(super) async fn complete_if_done(&mut self) -> Flow {
        // A consumer that may not complete yet can still subscribe to others.
        let ends_input = R::PRODUCES || R::may_complete(&self.handler.stage);
        if !self.completing && self.has_nothing_left() && ends_input {
            let (stage, mut out) = self.handler.open(None);
            let gathered = guard(
                &self.shared,
                Doing::HandleComplete,
                R::handle_complete(stage, &mut out),
            )
            .await;
            // `completing` is set after this, so that a stage whose
            // `handle_complete` failed calls it again in its next state.
            self.finish_call(gathered)?;
            self.completing = true;
            self.run_callbacks().await?;
        }
        self.producer.shed_unread();
        if self.completing && self.producer.is_drained() {
            if R::may_complete(&self.handler.stage) {
                return Break(if self.completes_for_good() {
                    Exit::Over(Outcome::Completed)
                } else {
                    Exit::Finished
                });
            }
            // Its consumers may gather what it waits for until they hear that no more comes.
            // A stage that consumes may still have events for them.
            if !R::CONSUMES && (self.completes_for_good() || !self.restarts_when_completed()) {
                self.producer.end_links();
            }
        }
        if self.is_deserted() {
            let why = "drained, and nobody is left to take its events";
            return Break(Exit::Over(Outcome::Cancelled(why.into())));
        }
        Continue(())
    }
}
