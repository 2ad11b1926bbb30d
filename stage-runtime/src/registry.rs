//! The links of one stage, to look at.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::link::LinkView;
use crate::snapshot::{LinkSnapshot, LinkTotals};

/// Entries that are kept before those that ended are looked for.
const FEW: usize = 32;

/// The links that a stage has on one of its sides.
///
/// Those that have ended stay until there are many, so that a pipeline which
/// has completed can still be looked at; then only their sums are kept.
#[derive(Default)]
pub(crate) struct Registry(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    /// Most stages never have more than this one.
    first: Option<Arc<dyn LinkView>>,
    more: Option<Box<More>>,
}

#[derive(Default)]
struct More {
    links: Vec<Arc<dyn LinkView>>,
    /// The sums of those that were swept away.
    past: LinkTotals,
    /// How many links there may be before the next sweep.
    enough: usize,
}

impl Registry {
    pub(crate) fn insert(&self, link: Arc<dyn LinkView>) {
        let mut links = self.0.lock();
        if links.first.is_none() && links.more.is_none() {
            links.first = Some(link);
            return;
        }
        let first = links.first.take();
        let more = links.more.get_or_insert_default();
        more.links.extend(first);
        if more.links.len() >= more.enough.max(FEW) {
            more.sweep();
        }
        more.links.push(link);
    }

    /// The links, and the sums of those that were swept away.
    pub(crate) fn snapshot(&self) -> (Vec<LinkSnapshot>, LinkTotals) {
        let links = self.0.lock();
        let mut views = Vec::from_iter(links.first.clone());
        let mut past = LinkTotals::default();
        if let Some(more) = &links.more {
            views.extend_from_slice(&more.links);
            past = more.past;
        }
        drop(links);
        (views.iter().map(|link| link.snapshot()).collect(), past)
    }
}

impl More {
    fn sweep(&mut self) {
        self.links.retain(|link| {
            let over = link.is_over();
            if over {
                self.past.add(&link.snapshot().totals);
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
