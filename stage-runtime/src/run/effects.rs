//! The effects of a call of a handler: events, asks, cancellations, delays.
//!
//! A handler writes what it emits and asks for into buffers of its stage.
//! [`apply_effects`](StageTask::apply_effects) takes them when the handler has
//! returned, also with an error. So a handler never touches a link, and never waits
//! for one.

use std::borrow::Cow;
use std::ops::ControlFlow::{Break, Continue};
use std::time::Duration;

use stage_core::{Command, Dispatcher, Failure, Outcome, StageResult};

use super::flow::{Exit, Flow, cold_path};
use super::halves::{Consuming, Producing};
use super::role::Role;
use super::task::StageTask;
use super::user_stage::failed;

impl<R, D> StageTask<R, D>
where
    R: Role,
    D: Dispatcher<Event = R::Out> + 'static,
    D::Route: Send,
{
    /// Applies the effects of a handler without a guard of its own; see
    /// [`apply_effects`](Self::apply_effects).
    #[inline]
    pub(super) fn finish_handler(&mut self, result: StageResult) -> Flow {
        self.in_handler = false;
        let result = result.map_err(|error| failed(&self.shared, error));
        self.apply_effects(result)
    }

    /// [`apply_effects`](Self::apply_effects), and breaks if the stage is to stop: the
    /// handler may have said so, and no other is called after it.
    pub(super) fn finish_call<T>(&mut self, result: Result<T, Failure>) -> Flow<T> {
        let value = self.apply_effects(result)?;
        self.end_if_stopped()?;
        Continue(value)
    }

    /// Breaks if the stage is to stop.
    pub(super) fn end_if_stopped(&self) -> Flow {
        match self.shared.lifecycle.stop() {
            Some(reason) => Break(Exit::Over(Outcome::Cancelled(reason))),
            None => Continue(()),
        }
    }

    /// Dispatches what a handler has emitted and carries out its commands, also if
    /// it failed: what it emitted before that stays emitted.
    ///
    /// Returns the value of the handler, or breaks with its failure.
    #[inline]
    pub(super) fn apply_effects<T>(&mut self, result: Result<T, Failure>) -> Flow<T> {
        let emitted = &mut self.handler.emitted.events;
        if !emitted.is_empty() {
            self.producer.emit(emitted);
        }
        if !self.handler.commands.are_none() || self.shows_waits {
            self.apply_commands();
        }
        match result {
            Ok(value) => Continue(value),
            Err(failure) => {
                cold_path();
                Break(Exit::Failed(failure))
            }
        }
    }

    /// Carries out the commands that a handler gave through its context.
    // Out of line: most calls give none.
    #[inline(never)]
    fn apply_commands(&mut self) {
        if self.shows_waits {
            self.show_waits(None);
        }
        let mut commands = std::mem::take(&mut self.handler.commands);
        for command in commands.drain() {
            match command {
                Command::Complete => self.completing = true,
                Command::Stop(reason) => self.shared.stop(reason),
                Command::Again => self.producer.wake(),
                Command::AgainAfter(delay) => self.timers.demand_after(delay),
                Command::WakeAfter(delay) => self.timers.wake_after(delay),
                Command::WaitsFor { what, until } => self.show_waits(Some((what, until))),
                Command::Ask(id, demand) => self.consumer.ask(id, demand),
                Command::Cancel(id, reason) => {
                    // An id is that of a producer or of a consumer; the other half
                    // ignores it.
                    self.consumer.cancel(id, reason.clone(), false);
                    self.producer.evict(id, reason);
                }
                Command::Info(delay, info) => self.timers.info_after(delay, info),
            }
        }
        // Kept for its allocation.
        self.handler.commands = commands;
    }

    /// Publishes what the stage says that it waits for.
    pub(super) fn show_waits(&mut self, waits: Option<(Cow<'static, str>, Option<Duration>)>) {
        if self.shows_waits || waits.is_some() {
            self.shows_waits = waits.is_some();
            self.shared.set_own_wait(waits);
        }
    }
}
