//! The list of all stages of a pipeline, as its stages and its owners see it.

use std::collections::{BTreeMap, HashSet};
use std::pin::pin;
use std::sync::Arc;

use parking_lot::Mutex;
use stage_core::{Budget, Outcome, Reason};
use tokio::sync::Notify;

use super::ended::{Ended, EndedStage};
use super::first_failure::FirstFailure;
use super::member::Member;
use crate::abort::AbortHandle;
use crate::current::current_stage;
use crate::error::Error;
use crate::group::{GroupState, RestartStrategy};
use crate::shared::StageShared;
use crate::snapshot::{BudgetSnapshot, LinkSnapshot, Snapshot};
use crate::stage_id::StageId;

/// All stages of a pipeline. The owners of the pipeline and the tasks of its stages
/// share it.
///
/// A stage is in the list of those that live exactly as long as it has no outcome: both
/// change under the lock.
#[derive(Default)]
pub(crate) struct PipelineMembers {
    state: Mutex<State>,
    /// Wakes tasks that wait for the end of the last stage.
    all_ended: Notify,
}

/// The part of [`PipelineMembers`] under its lock.
#[derive(Default)]
struct State {
    /// The stages that live, by name.
    living: HashSet<Member>,
    /// Stages that were refused for their name. They live until they have failed.
    refused: Vec<Member>,
    ended: Ended,
    first_failure: FirstFailure,
    /// The budgets that somebody has, in the order in which they were made.
    budgets: Vec<Budget>,
    /// The reason, if all stages were stopped.
    down: Option<Reason>,
    /// The pipeline drains, also stages that join later.
    draining: bool,
}

impl PipelineMembers {
    /// Adds a stage before it runs: stops it if the pipeline or its group was stopped, and
    /// makes it drain if they do. Returns `false`, and adds nothing, if a stage of that
    /// name lives.
    pub(super) fn insert(&self, stage: &Arc<StageShared>, group: &Arc<GroupState>) -> bool {
        let mut state = self.state.lock();
        let is_new = state.living.insert(Member {
            shared: Arc::clone(stage),
            group: Arc::clone(group),
            task: None,
        });
        if is_new {
            state.forward_requests(stage, group);
        }
        is_new
    }

    /// Adds a stage without a check of its name, before it runs: it is spawned to fail.
    pub(super) fn insert_refused(&self, stage: &Arc<StageShared>, group: &Arc<GroupState>) {
        let mut state = self.state.lock();
        state.refused.push(Member {
            shared: Arc::clone(stage),
            group: Arc::clone(group),
            task: None,
        });
        state.forward_requests(stage, group);
    }

    /// Notes the task of a stage that was added and has been spawned. The stage may have
    /// ended.
    pub(super) fn set_task(&self, stage: &StageShared, task: &AbortHandle) {
        let mut state = self.state.lock();
        let refused = state.refused.iter_mut();
        if let Some(member) = refused.into_iter().find(|member| member.id() == stage.id) {
            member.task = Some(task.clone());
        } else if let Some(mut member) = state.find(stage).cloned() {
            member.task = Some(task.clone());
            state.living.replace(member);
        }
    }

    /// Sets the outcome of a stage and moves it to the stages that have ended. Does nothing
    /// if it has an outcome.
    pub(super) fn end(&self, stage: &Arc<StageShared>, outcome: Outcome) {
        let mut state = self.state.lock();
        if stage.outcome.get().is_some() {
            return;
        }
        state.first_failure.note(stage, &outcome);
        stage.outcome.set(outcome);
        let member = state.take(stage);
        let last = state.is_empty();
        let mut forgotten = Vec::new();
        let mut of_group = None;
        if let Some(member) = &member {
            let group = Arc::clone(&member.group);
            of_group = group.remove().then(|| Arc::clone(&group));
            forgotten = state.ended.insert(EndedStage {
                shared: Arc::clone(stage),
                group,
            });
        }
        drop(state);
        // Not under the lock: wakers and the links of a forgotten stage run other code.
        stage.outcome.notify();
        if let Some(group) = of_group {
            group.all_ended().notify_waiters();
        }
        if last {
            self.all_ended.notify_waiters();
        }
        drop((member, forgotten));
    }

    /// Waits until all stages have ended, or all those of `group`; also those that join
    /// meanwhile.
    pub(super) async fn ended(&self, group: Option<&GroupState>) {
        let notify = group.map_or(&self.all_ended, GroupState::all_ended);
        loop {
            let mut ended = pin!(notify.notified());
            // Enabled before the list is read, so that an end between the two is not
            // missed.
            ended.as_mut().enable();
            let lives = match group {
                Some(group) => {
                    let _state = self.state.lock();
                    group.is_living()
                }
                None => !self.state.lock().is_empty(),
            };
            if !lives {
                return;
            }
            ended.await;
        }
    }

    /// Whether there were stages and all of them have ended.
    pub(crate) fn have_ended(&self) -> bool {
        let state = self.state.lock();
        state.is_empty() && !state.ended.is_empty()
    }

    /// Returns how the pipeline ended so far.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.state.lock().first_failure.check()
    }

    /// Returns the number of stages that have not ended.
    pub(super) fn count(&self) -> usize {
        let state = self.state.lock();
        state.living.len() + state.refused.len()
    }

    /// Returns the stages that have not ended, or those of `group`, in the order in which
    /// they joined.
    pub(super) fn living(&self, group: Option<&Arc<GroupState>>) -> Vec<Member> {
        let state = self.state.lock();
        let members = state.members();
        let mut members: Vec<_> = match group {
            Some(group) => members
                .filter(|member| member.is_in(group))
                .cloned()
                .collect(),
            None => members.cloned().collect(),
        };
        drop(state);
        members.sort_unstable_by_key(Member::id);
        members
    }

    /// Returns the stages that the group of `stage` restarts together with it.
    pub(super) fn restart_with(&self, stage: &StageShared) -> Vec<Arc<StageShared>> {
        let state = self.state.lock();
        let Some(group) = state.find(stage).map(|member| &member.group) else {
            return Vec::new();
        };
        let includes = |other: &Member| match group.strategy() {
            RestartStrategy::OneForOne => false,
            RestartStrategy::OneForAll => other.id() != stage.id,
            RestartStrategy::RestForOne => other.id() > stage.id,
        };
        if group.strategy() == RestartStrategy::OneForOne {
            return Vec::new();
        }
        let others = state.members();
        let others = others.filter(|other| other.is_in(group) && includes(other));
        others.map(|other| Arc::clone(&other.shared)).collect()
    }

    /// Stops all stages but `except`, or all those of `group`; also those that join later.
    pub(super) fn stop(
        &self,
        group: Option<&Arc<GroupState>>,
        reason: &Reason,
        except: Option<StageId>,
    ) {
        {
            let mut state = self.state.lock();
            match group {
                Some(group) => group.set_down(reason.clone()),
                None => {
                    state.down.get_or_insert_with(|| reason.clone());
                }
            }
        }
        for member in self.living(group) {
            if Some(member.id()) != except {
                member.shared.stop(reason.clone());
            }
        }
    }

    /// Makes all stages drain, or all those of `group`; also those that join later.
    pub(super) fn drain(&self, group: Option<&GroupState>) {
        let mut state = self.state.lock();
        match group {
            Some(group) => group.set_draining(),
            None => state.draining = true,
        }
        state.drain();
    }

    /// Returns the name of the stage of this pipeline that this thread is polling: the
    /// caller is inside its handler.
    pub(super) fn current(&self) -> Option<Arc<str>> {
        let id = current_stage()?;
        let state = self.state.lock();
        let stage = state.members().find(|member| member.id() == id)?;
        Some(Arc::clone(&stage.shared.name))
    }

    /// Makes a budget that the snapshots show for as long as somebody has it.
    pub(super) fn budget(&self, bytes: usize) -> Budget {
        let budget = Budget::new(bytes);
        let mut state = self.state.lock();
        state.budgets.retain(Budget::is_shared);
        state.budgets.push(budget.clone());
        budget
    }

    /// Returns a snapshot of the stages and of their links.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let (mut members, past, budgets) = {
            let mut state = self.state.lock();
            state.budgets.retain(Budget::is_shared);
            let budgets: Vec<_> = state.budgets.iter().map(BudgetSnapshot::of).collect();
            let living = state
                .members()
                .map(|member| (&member.shared, &member.group));
            let ended = state.ended.kept().iter();
            let ended = ended.map(|stage| (&stage.shared, &stage.group));
            let all = living.chain(ended);
            let all = all.map(|(stage, group)| (Arc::clone(stage), group.name().cloned()));
            (all.collect::<Vec<_>>(), state.ended.past(), budgets)
        };
        members.sort_unstable_by_key(|(stage, _)| stage.id);
        let mut stages = Vec::with_capacity(members.len());
        let mut links = BTreeMap::new();
        for (member, group) in members {
            let (mut stage, its_links) = member.snapshot();
            stage.group = group;
            stages.push(stage);
            // Both ends report a link between two stages; the map keeps it once.
            for mut link in its_links {
                // Only the consumer's end knows the bytes.
                if let Some(LinkSnapshot {
                    in_flight_bytes: Some(bytes),
                    ..
                }) = links.get(&link.id)
                {
                    link.in_flight_bytes.get_or_insert(*bytes);
                }
                links.insert(link.id, link);
            }
        }
        Snapshot {
            stages,
            links: links.into_values().collect(),
            past_stages: past,
            budgets,
        }
    }
}

impl State {
    /// Whether no stage lives.
    fn is_empty(&self) -> bool {
        self.living.is_empty() && self.refused.is_empty()
    }

    /// Returns the stages that live, in no order.
    fn members(&self) -> impl Iterator<Item = &Member> {
        self.living.iter().chain(&self.refused)
    }

    /// Returns a stage that lives.
    fn find(&self, stage: &StageShared) -> Option<&Member> {
        let named = self.living.get(&*stage.name);
        named
            .filter(|member| member.id() == stage.id)
            .or_else(|| self.refused.iter().find(|member| member.id() == stage.id))
    }

    /// Removes a stage from those that live, and gives its name back.
    fn take(&mut self, stage: &StageShared) -> Option<Member> {
        let id = self.find(stage)?.id();
        if let Some(at) = self.refused.iter().position(|member| member.id() == id) {
            return Some(self.refused.swap_remove(at));
        }
        self.living.take(&*stage.name)
    }

    /// Tells a new stage what its pipeline and its group were told before.
    fn forward_requests(&self, stage: &StageShared, group: &GroupState) {
        group.add();
        if let Some(reason) = self.down.as_ref().or(group.down()) {
            stage.stop(reason.clone());
        }
        if self.draining || group.is_draining() {
            self.drain();
        }
    }

    /// Requests every stage that is to drain to do so, together with all others that
    /// drain. Called again when a stage joins, so that the others know of it.
    fn drain(&self) {
        let drains = |group: &GroupState| self.draining || group.is_draining();
        let ended = self.ended.kept().iter();
        // Also stages that have ended: a consumer may not have seen their end, and would
        // cancel its links to them.
        let ended = ended.filter(|stage| drains(&stage.group));
        let living = || self.members().filter(|member| drains(&member.group));
        let ids: HashSet<StageId> = living()
            .map(Member::id)
            .chain(ended.map(|stage| stage.shared.id))
            .collect();
        let ids = Arc::new(ids);
        for member in living() {
            member.shared.drain(&ids);
        }
    }
}
