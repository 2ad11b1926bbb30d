//! The restart strategies, and the state that belongs to one group of a pipeline.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use stage_core::Reason;
use tokio::sync::Notify;

/// Which other stages of a group restart when one of them fails.
///
/// Source: the strategies of OTP's `Supervisor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum RestartStrategy {
    /// None: the failed stage restarts alone. The default.
    #[default]
    OneForOne,
    /// All stages of the group.
    OneForAll,
    /// The stages that joined the group after the failed one.
    RestForOne,
}

/// The state of one group. The list of its stages is that of its pipeline, in which each
/// stage refers to its group.
///
/// Written under the lock of that list.
#[derive(Debug, Default)]
pub(crate) struct GroupState {
    strategy: RestartStrategy,
    name: OnceLock<Arc<str>>,
    /// How many of its stages have not ended.
    living: AtomicUsize,
    /// The group drains, also stages that join later.
    draining: AtomicBool,
    /// The reason, if all stages of the group were stopped.
    down: OnceLock<Reason>,
    /// Wakes tasks that wait for the end of the last stage.
    all_ended: Notify,
}

impl GroupState {
    /// Makes the state of a group without stages.
    pub(crate) fn new(strategy: RestartStrategy) -> Arc<Self> {
        Arc::new(Self {
            strategy,
            ..Self::default()
        })
    }

    /// Returns the strategy of the group.
    pub(crate) fn strategy(&self) -> RestartStrategy {
        self.strategy
    }

    /// Whether every stage of the group has to be supervised.
    pub(crate) fn needs_factories(&self) -> bool {
        self.strategy != RestartStrategy::OneForOne
    }

    /// Names the group; the first name counts.
    pub(crate) fn set_name(&self, name: String) {
        // A group is named where it is made; a second name would split it in reports.
        let _ = self.name.set(name.into());
    }

    /// Returns the name of the group.
    pub(crate) fn name(&self) -> Option<&Arc<str>> {
        self.name.get()
    }

    /// Counts one more stage.
    pub(crate) fn add(&self) {
        self.living.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one stage less. Returns whether it was the last one.
    pub(crate) fn remove(&self) -> bool {
        self.living.fetch_sub(1, Ordering::Relaxed) == 1
    }

    /// Whether a stage of the group has not ended.
    pub(crate) fn is_living(&self) -> bool {
        self.living.load(Ordering::Relaxed) > 0
    }

    /// Makes stages that join later drain.
    pub(crate) fn set_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the group drains.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Stops stages that join later; the first reason counts.
    pub(crate) fn set_down(&self, reason: Reason) {
        let _ = self.down.set(reason);
    }

    /// Returns the reason if the stages of the group were stopped.
    pub(crate) fn down(&self) -> Option<&Reason> {
        self.down.get()
    }

    /// Returns what wakes tasks when the last stage has ended.
    pub(crate) fn all_ended(&self) -> &Notify {
        &self.all_ended
    }
}
