//! The registry of one stage's links, for snapshots.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::link::LinkView;
use crate::snapshot::{LinkSnapshot, LinkTotals};

/// The least number of entries at which a sweep removes ended links.
const FEW: usize = 32;

/// The links that a stage has on one of its sides.
///
/// Ended links stay until there are many, so that a snapshot shows them after a
/// pipeline has completed. Then a sweep removes them and keeps their sums.
#[derive(Default)]
pub(crate) struct Registry(Mutex<Entries>);

/// The entries of a registry: inline while there is one.
#[derive(Default)]
struct Entries {
    /// The only link; most stages never have another one.
    first: Option<Arc<dyn LinkView>>,
    /// All links, once there were two.
    more: Option<Box<More>>,
}

/// The entries of a registry that has had more than one link.
#[derive(Default)]
struct More {
    links: Vec<Arc<dyn LinkView>>,
    /// The sums of the links that sweeps have removed.
    past: LinkTotals,
    /// The number of links at which the next sweep is due.
    enough: usize,
}

impl Registry {
    /// Adds a link.
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

    /// Returns snapshots of the links, and the sums of those that were removed.
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

    /// Whether all links are over: their sums do not change any more.
    pub(crate) fn is_over(&self) -> bool {
        let links = self.0.lock();
        let mut views = links
            .first
            .iter()
            .chain(links.more.iter().flat_map(|more| &more.links));
        views.all(|link| link.is_over())
    }

    /// Returns the sums of all links, also of those that were removed.
    pub(crate) fn totals(&self) -> LinkTotals {
        let (links, mut totals) = self.snapshot();
        for link in links {
            totals.add(&link.totals);
        }
        totals
    }
}

impl More {
    /// Removes the links that are over, and adds them to the sums.
    fn sweep(&mut self) {
        self.links.retain(|link| {
            let over = link.is_over();
            if over {
                self.past.add(&link.snapshot().totals);
            }
            !over
        });
        // The number doubles before the next sweep, so that the amortized cost of an
        // insertion is constant.
        self.enough = self.links.len() * 2;
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}
