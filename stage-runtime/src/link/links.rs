//! The links of one half of a stage, of which there is mostly one.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use stage_core::SubscriptionId;

/// Up to so many links one is looked for by comparing; most stages have fewer,
/// and need no index.
const FEW: usize = 8;

/// Links by subscription.
pub(crate) struct Links<L> {
    links: Vec<(SubscriptionId, L)>,
    /// Where each of them is, once there were more than [`FEW`].
    index: Option<Box<HashMap<SubscriptionId, usize, RandomState>>>,
}

impl<L> Default for Links<L> {
    fn default() -> Self {
        Self {
            links: Vec::new(),
            index: None,
        }
    }
}

impl<L> Links<L> {
    pub(crate) const fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    pub(crate) const fn len(&self) -> usize {
        self.links.len()
    }

    #[inline]
    pub(crate) fn get(&self, id: &SubscriptionId) -> Option<&L> {
        let at = self.find(*id)?;
        Some(&self.links[at].1)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: &SubscriptionId) -> Option<&mut L> {
        let at = self.find(*id)?;
        Some(&mut self.links[at].1)
    }

    #[inline]
    fn find(&self, id: SubscriptionId) -> Option<usize> {
        match &self.index {
            None => self.links.iter().position(|(other, _)| *other == id),
            Some(index) => index.get(&id).copied(),
        }
    }

    fn push(&mut self, id: SubscriptionId, link: L) {
        if self.links.is_empty() {
            // A vector would make room for four.
            self.links.reserve_exact(1);
        }
        let at = self.links.len();
        self.links.push((id, link));
        match &mut self.index {
            Some(index) => {
                index.insert(id, at);
            }
            None if at < FEW => (),
            None => {
                let index = self.links.iter().enumerate().map(|(at, (id, _))| (*id, at));
                self.index = Some(Box::new(index.collect()));
            }
        }
    }

    /// Removes a link; the last one takes its place.
    pub(crate) fn swap_remove(&mut self, id: &SubscriptionId) -> Option<L> {
        let at = self.find(*id)?;
        let (_, link) = self.links.swap_remove(at);
        if let Some(index) = &mut self.index {
            index.remove(id);
            if let Some((moved, _)) = self.links.get(at) {
                index.insert(*moved, at);
            }
        }
        Some(link)
    }

    /// Takes all links.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = (SubscriptionId, L)> {
        self.index = None;
        std::mem::take(&mut self.links).into_iter()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&SubscriptionId, &L)> {
        self.links.iter().map(|(id, link)| (id, link))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &SubscriptionId> {
        self.links.iter().map(|(id, _)| id)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &L> {
        self.links.iter().map(|(_, link)| link)
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut L> {
        self.links.iter_mut().map(|(_, link)| link)
    }
}

/// Adds a link. The first need not be listed when it has news, as long as it is
/// the only one; it comes before any other until it is removed.
pub(crate) fn insert<L>(
    links: &mut Links<L>,
    id: SubscriptionId,
    link: L,
    set_listed: impl Fn(&L, bool),
) {
    match &links.links[..] {
        [] => set_listed(&link, false),
        [(_, only)] => set_listed(only, true),
        _ => (),
    }
    links.push(id, link);
}

/// The one that need not be listed, if there is such a one.
pub(crate) fn lone<L>(links: &Links<L>) -> Option<SubscriptionId> {
    links.keys().next().copied()
}

#[cfg(test)]
mod tests {
    use super::{FEW, Links, insert, lone};
    use stage_core::SubscriptionId;

    #[test]
    fn links_are_found_with_an_index_and_without() {
        for count in [1, FEW, FEW + 1, 5 * FEW] {
            let ids = || (0..count as u64).map(SubscriptionId::new);
            let mut links = Links::default();
            ids().for_each(|id| insert(&mut links, id, id.get(), |_, _| ()));
            assert_eq!(lone(&links), ids().next());
            for gone in ids().step_by(2) {
                assert_eq!(links.swap_remove(&gone), Some(gone.get()));
                assert_eq!(links.swap_remove(&gone), None);
            }
            for id in ids() {
                let here = (id.get() % 2 == 1).then_some(id.get());
                assert_eq!(links.get(&id).copied(), here);
                assert_eq!(links.get_mut(&id).copied(), here);
            }
            assert_eq!(links.len(), count / 2);
            assert_eq!(links.take().count(), count / 2);
            assert!(links.is_empty() && links.get(&SubscriptionId::new(1)).is_none());
        }
    }
}
