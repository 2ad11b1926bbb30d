//! The links of one stage, to look at.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::link::LinkView;
use crate::snapshot::{LinkSnapshot, LinkTotals};

/// Links that are kept before those that ended are looked for.
const FEW: usize = 32;

/// The links that a stage has on one of its sides.
///
/// Those that have ended stay until there are many, so that a pipeline which
/// has completed can still be looked at; then only their sums are kept.
#[derive(Default)]
pub(crate) struct Registry(Mutex<Links>);

#[derive(Default)]
struct Links {
    links: Vec<Arc<dyn LinkView>>,
    past: LinkTotals,
    /// How many there may be before the next sweep.
    enough: usize,
}

impl Registry {
    pub(crate) fn insert(&self, link: Arc<dyn LinkView>) {
        let mut links = self.lock();
        if links.links.len() >= links.enough.max(FEW) {
            links.sweep();
        }
        links.links.push(link);
    }

    /// The links, and the sums of those that were swept away.
    pub(crate) fn snapshot(&self) -> (Vec<LinkSnapshot>, LinkTotals) {
        let links = self.lock();
        let past = links.past;
        let views = links.links.clone();
        drop(links);
        (views.iter().map(|link| link.snapshot()).collect(), past)
    }

    fn lock(&self) -> MutexGuard<'_, Links> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Links {
    fn sweep(&mut self) {
        let past = &mut self.past;
        self.links.retain(|link| {
            let over = link.is_over();
            if over {
                past.add(&link.snapshot().totals);
            }
            !over
        });
        // Twice as many before the next one, so that a sweep costs nothing on
        // average.
        self.enough = self.links.len() * 2;
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}
