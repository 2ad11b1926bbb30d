//! The links of one half of a stage, of which there is mostly one.

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use stage_core::SubscriptionId;

/// Links by subscription. The first is in a place of its own, where it is found
/// without a hash and costs no allocation; as long as it is the only one, it
/// need not be listed when it has news.
pub(crate) struct Links<L> {
    first: Option<(SubscriptionId, L)>,
    /// Made for the second.
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
    /// Adds a link; `set_listed` tells one whether it is to be listed.
    pub(crate) fn insert(&mut self, id: SubscriptionId, link: L, set_listed: impl Fn(&L, bool)) {
        if self.is_empty() {
            set_listed(&link, false);
            self.first = Some((id, link));
            return;
        }
        if let Some((_, first)) = &self.first {
            set_listed(first, true);
        }
        self.others.get_or_insert_default().insert(id, link);
    }

    /// The one that need not be listed, if there is such a one.
    #[inline]
    pub(crate) fn lone(&self) -> Option<SubscriptionId> {
        self.first.as_ref().map(|(id, _)| *id)
    }

    #[inline]
    pub(crate) fn get(&self, id: SubscriptionId) -> Option<&L> {
        match &self.first {
            Some((first, link)) if *first == id => Some(link),
            _ => self.others.as_ref()?.get(&id),
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: SubscriptionId) -> Option<&mut L> {
        match &mut self.first {
            Some((first, link)) if *first == id => Some(link),
            _ => self.others.as_mut()?.get_mut(&id),
        }
    }

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

    /// Takes all of them out.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (SubscriptionId, L)> + use<L> {
        let others = self.others.take().into_iter().flat_map(|others| *others);
        self.first.take().into_iter().chain(others)
    }
}
