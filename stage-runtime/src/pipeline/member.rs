//! A stage with its type erased, as its pipeline holds it.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::abort::AbortHandle;
use crate::group::GroupState;
use crate::shared::StageShared;
use crate::stage_id::StageId;

/// A stage of a pipeline that has not ended. Two members are equal if their names are.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) shared: Arc<StageShared>,
    pub(super) group: Arc<GroupState>,
    /// `None` until the stage has been spawned.
    pub(super) task: Option<AbortHandle>,
}

impl Member {
    /// Returns the id of the stage.
    pub(super) fn id(&self) -> StageId {
        self.shared.id
    }

    /// Whether the stage was spawned in this group.
    pub(super) fn is_in(&self, group: &Arc<GroupState>) -> bool {
        Arc::ptr_eq(&self.group, group)
    }
}

impl Borrow<str> for Member {
    fn borrow(&self) -> &str {
        &self.shared.name
    }
}

impl Hash for Member {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.shared.name.hash(state);
    }
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        self.shared.name == other.shared.name
    }
}

impl Eq for Member {}
