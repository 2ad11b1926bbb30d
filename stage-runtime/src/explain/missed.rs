//! The subscriber that misses most of what its producer emits.

use stage_core::SubscriptionId;

use crate::snapshot::{Endpoint, Snapshot};

/// Events that a dispatcher has [shed](crate::snapshot::LinkTotals::shed) for one of its
/// subscribers, because the subscriber's queue was full.
///
/// Its `Display` is one clause, such as `` `b` has missed 8,000 events: `a` shed them ``.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Missed {
    /// The subscriber.
    pub consumer: Endpoint,
    /// The stage whose dispatcher shed them.
    pub producer: Endpoint,
    /// The [`id`](crate::snapshot::LinkSnapshot::id) of the link between them.
    pub link: SubscriptionId,
    /// How many events, so far.
    pub events: u64,
}

impl Missed {
    /// Returns what the subscriber that has missed most has missed; `None` if no subscriber
    /// has missed any. Subscriptions that have ended are left out.
    pub(super) fn most(snapshot: &Snapshot) -> Option<Self> {
        let links = snapshot.links.iter();
        let links = links.filter(|link| !link.ended && link.totals.shed > 0);
        let link = links.max_by_key(|link| link.totals.shed)?;
        Some(Self {
            consumer: link.consumer.clone(),
            producer: link.producer.clone(),
            link: link.id,
            events: link.totals.shed,
        })
    }
}
