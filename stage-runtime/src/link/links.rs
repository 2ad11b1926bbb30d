//! The links of one half of a stage, by subscription.

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use stage_core::SubscriptionId;

/// A map of links by subscription, made for one entry.
///
/// Most halves have one link. The first is stored inline: it is found without hashing
/// and costs no allocation. While it is the only one, it is notified by a flag of its
/// own and not through a list.
pub(crate) struct Links<L> {
    first: Option<(SubscriptionId, L)>,
    /// Allocated for the second link.
    others: Option<Box<IndexMap<SubscriptionId, L, RandomState>>>,
}

impl<L> Default for Links<L> {
    fn default() -> Self {
        Self {
            first: None,
            others: None,
        }
    }
}

impl<L> Links<L> {
    /// Adds a link. Calls `set_only` with `true` for the first link, and with `false`
    /// for that link when another one is added.
    pub(crate) fn insert(&mut self, id: SubscriptionId, link: L, set_only: impl Fn(&L, bool)) {
        if self.is_empty() {
            set_only(&link, true);
            self.first = Some((id, link));
            return;
        }
        if let Some((_, first)) = &self.first {
            set_only(first, false);
        }
        self.others.get_or_insert_default().insert(id, link);
    }

    /// Returns the link that an "only link" notification is about: the first one. It
    /// may have others beside it by now, if it was notified before they were added.
    #[inline]
    pub(crate) fn only(&self) -> Option<SubscriptionId> {
        self.first.as_ref().map(|(id, _)| *id)
    }

    /// Returns the link of a subscription.
    #[inline]
    pub(crate) fn get(&self, id: SubscriptionId) -> Option<&L> {
        match &self.first {
            Some((first, link)) if *first == id => Some(link),
            _ => self.others.as_ref()?.get(&id),
        }
    }

    /// Returns the link of a subscription.
    #[inline]
    pub(crate) fn get_mut(&mut self, id: SubscriptionId) -> Option<&mut L> {
        match &mut self.first {
            Some((first, link)) if *first == id => Some(link),
            _ => self.others.as_mut()?.get_mut(&id),
        }
    }

    /// Removes a link. The place of the first one stays free until no link is left.
    pub(crate) fn remove(&mut self, id: SubscriptionId) -> Option<L> {
        match self.first.take_if(|(first, _)| *first == id) {
            Some((_, link)) => Some(link),
            None => self.others.as_mut()?.swap_remove(&id),
        }
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.as_ref().map_or(0, |others| others.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none() && self.others.as_ref().is_none_or(|others| others.is_empty())
    }

    /// Iterates over the links in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SubscriptionId, &L)> {
        let first = self.first.iter().map(|(id, link)| (*id, link));
        let others = self.others.iter().flat_map(|others| others.iter());
        first.chain(others.map(|(&id, link)| (id, link)))
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut L> {
        let first = self.first.iter_mut().map(|(_, link)| link);
        first.chain(
            self.others
                .iter_mut()
                .flat_map(|others| others.values_mut()),
        )
    }

    /// Removes all links and returns them.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (SubscriptionId, L)> + use<L> {
        let others = self.others.take().into_iter().flat_map(|others| *others);
        self.first.take().into_iter().chain(others)
    }
}

#[cfg(test)]
mod tests {
    use super::Links;
    use stage_core::SubscriptionId;

    #[test]
    fn links_are_found_and_removed_however_many_there_are() {
        for count in [1, 2, 3, 40] {
            let ids = || (0..count).map(SubscriptionId::new);
            let mut links = Links::default();
            ids().for_each(|id| links.insert(id, id.get(), |_, _| ()));
            assert_eq!(links.only(), ids().next());
            for gone in ids().step_by(2) {
                assert_eq!(links.remove(gone), Some(gone.get()));
                assert_eq!(links.remove(gone), None);
            }
            for id in ids() {
                let here = (id.get() % 2 == 1).then_some(id.get());
                assert_eq!(links.get(id).copied(), here);
                assert_eq!(links.get_mut(id).copied(), here);
            }
            assert_eq!(links.len() as u64, count / 2);
            assert_eq!(links.drain().count() as u64, count / 2);
            assert!(links.is_empty() && links.get(SubscriptionId::new(1)).is_none());
        }
    }

    /// The first link learns when it is no longer the only one.
    #[test]
    fn a_link_is_the_only_one_until_a_second_comes() {
        use std::cell::Cell;
        let mut links = Links::default();
        let only: [Cell<Option<bool>>; 3] = Default::default();
        for (n, cell) in only.iter().enumerate() {
            let id = SubscriptionId::new(n as u64);
            links.insert(id, cell, |link, is| link.set(Some(is)));
            assert_eq!(only[0].get(), Some(n == 0));
        }
        assert_eq!((only[1].get(), only[2].get()), (None, None));
    }
}
