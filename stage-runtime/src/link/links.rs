//! The links of one half of a stage, of which there is mostly one.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use stage_core::SubscriptionId;

/// Up to so many links one is looked for by comparing; most stages have fewer,
/// and need no index.
const FEW: usize = 8;

/// Links by subscription, in the order in which they came; one that is removed
/// has its place taken by the last.
pub(crate) struct Links<L> {
    /// Most stages never have more than this one, so it needs no block of its
    /// own. `None` if there is none at all.
    first: Option<(SubscriptionId, L)>,
    more: Option<Box<More<L>>>,
}

/// All links but the first.
struct More<L> {
    links: Vec<(SubscriptionId, L)>,
    /// Where each of them is, once there were more than [`FEW`].
    index: Option<HashMap<SubscriptionId, usize, RandomState>>,
}

impl<L> Default for Links<L> {
    fn default() -> Self {
        Self {
            first: None,
            more: None,
        }
    }
}

impl<L> Links<L> {
    pub(crate) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn len(&self) -> usize {
        let more = self.more.as_ref().map_or(0, |more| more.links.len());
        usize::from(self.first.is_some()) + more
    }

    #[inline]
    pub(crate) fn get(&self, id: &SubscriptionId) -> Option<&L> {
        match &self.first {
            Some((first, link)) if first == id => Some(link),
            _ => self.more.as_ref()?.get(*id),
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: &SubscriptionId) -> Option<&mut L> {
        match &mut self.first {
            Some((first, link)) if first == id => Some(link),
            _ => self.more.as_mut()?.get_mut(*id),
        }
    }

    fn push(&mut self, id: SubscriptionId, link: L) {
        if self.first.is_none() {
            self.first = Some((id, link));
        } else {
            self.more.get_or_insert_default().push(id, link);
        }
    }

    /// Removes a link; the last one takes its place.
    pub(crate) fn swap_remove(&mut self, id: &SubscriptionId) -> Option<L> {
        let more = self.more.as_mut();
        match &self.first {
            Some((first, _)) if first == id => {
                let last = more.and_then(|more| more.pop());
                std::mem::replace(&mut self.first, last).map(|(_, link)| link)
            }
            _ => more?.swap_remove(*id),
        }
    }

    /// Takes all links.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = (SubscriptionId, L)> {
        let more = self.more.take().map(|more| more.links);
        let first = self.first.take();
        first.into_iter().chain(more.into_iter().flatten())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&SubscriptionId, &L)> {
        let more = self.more.iter().flat_map(|more| &more.links);
        let links = self.first.iter().chain(more);
        links.map(|(id, link)| (id, link))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &SubscriptionId> {
        self.iter().map(|(id, _)| id)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &L> {
        self.iter().map(|(_, link)| link)
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut L> {
        let more = self.more.iter_mut().flat_map(|more| &mut more.links);
        let links = self.first.iter_mut().chain(more);
        links.map(|(_, link)| link)
    }
}

impl<L> Default for More<L> {
    fn default() -> Self {
        Self {
            links: Vec::new(),
            index: None,
        }
    }
}

impl<L> More<L> {
    fn find(&self, id: SubscriptionId) -> Option<usize> {
        match &self.index {
            None => self.links.iter().position(|(other, _)| *other == id),
            Some(index) => index.get(&id).copied(),
        }
    }

    fn get(&self, id: SubscriptionId) -> Option<&L> {
        let at = self.find(id)?;
        Some(&self.links[at].1)
    }

    fn get_mut(&mut self, id: SubscriptionId) -> Option<&mut L> {
        let at = self.find(id)?;
        Some(&mut self.links[at].1)
    }

    fn push(&mut self, id: SubscriptionId, link: L) {
        let at = self.links.len();
        self.links.push((id, link));
        match &mut self.index {
            Some(index) => {
                index.insert(id, at);
            }
            None if at < FEW => (),
            None => {
                let places = self.links.iter().enumerate();
                self.index = Some(places.map(|(at, (id, _))| (*id, at)).collect());
            }
        }
    }

    fn pop(&mut self) -> Option<(SubscriptionId, L)> {
        let last = self.links.pop()?;
        if let Some(index) = &mut self.index {
            index.remove(&last.0);
        }
        Some(last)
    }

    fn swap_remove(&mut self, id: SubscriptionId) -> Option<L> {
        let at = self.find(id)?;
        let (_, link) = self.links.swap_remove(at);
        if let Some(index) = &mut self.index {
            index.remove(&id);
            if let Some((moved, _)) = self.links.get(at) {
                index.insert(*moved, at);
            }
        }
        Some(link)
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
    match (&links.first, links.len()) {
        (None, _) => set_listed(&link, false),
        (Some((_, only)), 1) => set_listed(only, true),
        _ => (),
    }
    links.push(id, link);
}

/// The one that need not be listed, if there is such a one.
#[inline]
pub(crate) fn lone<L>(links: &Links<L>) -> Option<SubscriptionId> {
    links.first.as_ref().map(|(id, _)| *id)
}

#[cfg(test)]
mod tests {
    use super::{FEW, Links, insert, lone};
    use stage_core::SubscriptionId;

    #[test]
    fn links_are_found_with_an_index_and_without() {
        for count in [1, 2, FEW, FEW + 1, FEW + 2, 5 * FEW] {
            let ids = || (0..count as u64).map(SubscriptionId::new);
            let mut links = Links::default();
            ids().for_each(|id| insert(&mut links, id, id.get(), |_, _| ()));
            assert_eq!(lone(&links), ids().next());
            assert!(links.iter().map(|(id, _)| *id).eq(ids()));
            assert!(links.values_mut().map(|link| *link).eq(0..count as u64));
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
