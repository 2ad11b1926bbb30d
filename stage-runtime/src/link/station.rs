//! Where the links of one task report that they have something for it.

use crossbeam_queue::SegQueue;
use stage_core::SubscriptionId;

use super::bell::Bell;

/// The bell of a task, and the lists of its links that have news.
///
/// A link enters a list when it goes from nothing to something and not again
/// before its news was fetched, so a list is never longer than there are
/// links, and idle links cost nothing.
#[derive(Debug, Default)]
pub(crate) struct Station {
    pub(crate) bell: Bell,
    /// Links on which a consumer has asked or cancelled.
    pub(super) from_consumers: SegQueue<SubscriptionId>,
    /// Links on which a producer has sent or ended.
    pub(super) from_producers: SegQueue<SubscriptionId>,
}

impl Station {
    /// A link on which a consumer has asked or cancelled.
    pub(crate) fn next_consumer_news(&self) -> Option<SubscriptionId> {
        self.from_consumers.pop()
    }

    /// A link on which a producer has sent or ended.
    pub(crate) fn next_producer_news(&self) -> Option<SubscriptionId> {
        self.from_producers.pop()
    }
}
