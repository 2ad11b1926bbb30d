//! The links of one half of a stage, of which there is mostly one.

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use stage_core::SubscriptionId;

/// Links by subscription. The only one is found without a hash.
pub(crate) type Links<L> = IndexMap<SubscriptionId, L, RandomState>;

/// Adds a link. The first need not be listed when it has news, as long as it is
/// the only one; it comes before any other until it is removed.
pub(crate) fn insert<L>(
    links: &mut Links<L>,
    id: SubscriptionId,
    link: L,
    set_listed: impl Fn(&L, bool),
) {
    match links.len() {
        0 => {
            // The map would make room for three.
            links.reserve_exact(1);
            set_listed(&link, false);
        }
        1 => set_listed(&links[0], true),
        _ => (),
    }
    links.insert(id, link);
}

/// The one that need not be listed, if there is such a one.
pub(crate) fn lone<L>(links: &Links<L>) -> Option<SubscriptionId> {
    links.keys().next().copied()
}
