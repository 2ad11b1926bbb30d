//! The links of one stage, to look at.

use std::sync::Arc;

use parking_lot::Mutex;

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
    /// `None` before the first sweep, which most stages never come to.
    past: Option<Box<Past>>,
}

#[derive(Default)]
struct Past {
    totals: LinkTotals,
    /// How many links there may be before the next sweep.
    enough: usize,
}

impl Registry {
    pub(crate) fn insert(&self, link: Arc<dyn LinkView>) {
        let mut links = self.0.lock();
        if links.links.is_empty() {
            // Most stages have one.
            links.links.reserve_exact(1);
        }
        let enough = links.past.as_ref().map_or(FEW, |past| past.enough.max(FEW));
        if links.links.len() >= enough {
            links.sweep();
        }
        links.links.push(link);
    }

    /// The links, and the sums of those that were swept away.
    pub(crate) fn snapshot(&self) -> (Vec<LinkSnapshot>, LinkTotals) {
        let links = self.0.lock();
        let past = links.past.as_ref().map(|past| past.totals);
        let views = links.links.clone();
        drop(links);
        (
            views.iter().map(|link| link.snapshot()).collect(),
            past.unwrap_or_default(),
        )
    }
}

impl Links {
    fn sweep(&mut self) {
        let past = self.past.get_or_insert_default();
        self.links.retain(|link| {
            let over = link.is_over();
            if over {
                past.totals.add(&link.snapshot().totals);
            }
            !over
        });
        // Twice as many before the next one, so that a sweep costs nothing on
        // average.
        past.enough = self.links.len() * 2;
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}
