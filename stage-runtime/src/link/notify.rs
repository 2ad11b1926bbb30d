//! Notifications of one task: which of its links have something, and whether there are
//! messages.

use std::sync::Arc;
use std::task::{Context, Poll};

use stage_core::SubscriptionId;

use super::sync::Mutex;
use super::wake_flags::{
    CachedWaker, FROM_CONSUMERS, FROM_PRODUCERS, ParkedWaker, WakeFlags, WakeOn,
};
use crate::snapshot::Endpoint;

/// There is a message or a control request, or a consumer has done something that must
/// wake the task at once.
const MESSAGES: u8 = 1;
/// The stage's own waker was woken.
const WAKE: u8 = 1 << 1;
/// The only link to a producer has something.
const ONLY_PRODUCER: u8 = 1 << 2;
/// Links to some of several producers have something; they are in the list.
const PENDING_PRODUCER: u8 = 1 << 3;
/// The only link to a consumer has something.
const ONLY_CONSUMER: u8 = 1 << 4;
/// Links to some of several consumers have something; they are in the list.
const PENDING_CONSUMER: u8 = 1 << 5;

/// The flags that stand for a list.
const PENDING: u8 = PENDING_PRODUCER | PENDING_CONSUMER;

const _: () = assert!(
    ONLY_PRODUCER | PENDING_PRODUCER == FROM_PRODUCERS
        && ONLY_CONSUMER | PENDING_CONSUMER == FROM_CONSUMERS
);

/// Notifies one task and tells it which of its links have something. The task reads
/// its [`Notifications`].
///
/// Notifying a task that runs already wakes nothing: wake-ups are the largest cost of
/// a pipeline.
///
/// A link is listed when it notifies the task, and not again before the task has
/// fetched from it. So a list is never longer than the number of links, and idle links
/// cost nothing. The only link of a half has a flag of its own and needs no list.
#[derive(Debug)]
pub(crate) struct Notifier {
    /// The stage or stream that runs on the task.
    endpoint: Endpoint,
    flags: WakeFlags,
    /// Allocated when the first link is listed.
    many: Mutex<Option<Box<ManyLinks>>>,
}

/// The part of a notifier for tasks with several links on one side.
#[derive(Debug, Default)]
struct ManyLinks {
    pending: PendingLinks,
    /// The one consumer that the task awaits: the asks of others do not wake it.
    awaited: Option<SubscriptionId>,
}

/// Links that have something for the task.
#[derive(Debug, Default)]
pub(crate) struct PendingLinks {
    /// Links on which a consumer has asked or cancelled.
    pub(crate) from_consumers: Vec<SubscriptionId>,
    /// Links on which a producer has sent or ended.
    pub(crate) from_producers: Vec<SubscriptionId>,
}

/// The notifications of a task other than those of its links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Notified {
    /// There are messages or control requests.
    pub(crate) messages: bool,
    /// The stage's own waker was woken.
    pub(crate) wake: bool,
}

impl Notified {
    /// None: only links have something.
    pub(crate) const LINKS: Self = Self {
        messages: false,
        wake: false,
    };
}

impl Notifier {
    /// Makes the notifier of the task that runs `endpoint`.
    pub(crate) fn new(endpoint: Endpoint) -> Arc<Self> {
        Arc::new(Self {
            endpoint,
            flags: WakeFlags::default(),
            many: Mutex::default(),
        })
    }

    /// Returns the stage or stream that is notified.
    pub(crate) const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Notifies the task of messages, control requests or lifecycle requests.
    pub(crate) fn notify(&self) {
        self.flags.notify(MESSAGES);
    }

    /// Notifies the task that the stage's own waker was woken.
    pub(crate) fn notify_wake(&self) {
        self.flags.notify(WAKE);
    }

    /// Notifies the task that a consumer has asked over `link`. Does not wake it while
    /// it awaits another consumer or its own producers.
    ///
    /// `only`: the link is the only one to a consumer. `consumer`: the caller's cache
    /// of the task's waker.
    #[inline]
    pub(super) fn notify_from_consumer(
        &self,
        link: SubscriptionId,
        only: bool,
        consumer: &CachedWaker,
    ) {
        if only {
            self.flags.notify_by(consumer, ONLY_CONSUMER);
        } else if self.list_consumer(link) {
            self.flags.notify_by(consumer, PENDING_CONSUMER);
        }
    }

    /// Notifies the task that a consumer has cancelled or settled its last events.
    /// Wakes it whatever it awaits.
    ///
    /// `notified`: the link has notified the task before and is listed already.
    #[cold]
    pub(super) fn notify_at_once(&self, link: SubscriptionId, only: bool, notified: bool) {
        if !only && !notified {
            self.list_consumer(link);
        }
        let flag = if only {
            ONLY_CONSUMER
        } else {
            PENDING_CONSUMER
        };
        self.flags.notify(MESSAGES | flag);
    }

    /// Lists the link; returns whether this is to set the flag.
    #[inline(never)]
    fn list_consumer(&self, link: SubscriptionId) -> bool {
        let mut many = self.many.lock();
        let many = many.get_or_insert_default();
        many.pending.from_consumers.push(link);
        many.awaited.is_none_or(|awaited| awaited == link)
    }

    /// Sets the consumer that the task awaits: the asks of all others are listed
    /// without a notification. Notifies the task of those that are listed already.
    #[inline(never)]
    fn await_consumer(&self, whom: Option<SubscriptionId>) {
        let any = {
            let mut many = self.many.lock();
            let many = many.get_or_insert_default();
            many.awaited = whom;
            !many.pending.from_consumers.is_empty()
        };
        if any {
            self.flags.notify(PENDING_CONSUMER);
        }
    }

    /// Notifies the task that a producer has sent over `link`, or has ended it. The
    /// arguments are as for [`notify_from_consumer`](Self::notify_from_consumer).
    #[inline]
    pub(super) fn notify_from_producer(
        &self,
        link: SubscriptionId,
        only: bool,
        producer: &CachedWaker,
    ) {
        let flag = if only {
            ONLY_PRODUCER
        } else {
            self.list_producer(link);
            PENDING_PRODUCER
        };
        self.flags.notify_by(producer, flag);
    }

    /// Lists the link.
    #[inline(never)]
    fn list_producer(&self, link: SubscriptionId) {
        let mut many = self.many.lock();
        let pending = &mut many.get_or_insert_default().pending;
        pending.from_producers.push(link);
    }
}

/// The task's side of its [`Notifier`]: waits for a notification and collects the
/// links that have something.
///
/// Taking the notifications moves them here. The task then fetches from the links and
/// clears the fields as it does so.
#[derive(Debug)]
pub(crate) struct Notifications {
    notifier: Arc<Notifier>,
    parked: ParkedWaker,
    /// Links from the lists that were not fetched yet. Allocated for the first.
    pub(crate) pending: Option<Box<PendingLinks>>,
    /// The only link to a consumer was not fetched yet.
    pub(crate) from_only_consumer: bool,
    /// The only link to a producer was not fetched yet.
    pub(crate) from_only_producer: bool,
    /// The task awaits one consumer, and the asks of others do not wake it.
    awaits_one: bool,
}

impl Notifications {
    /// Makes the receiving side of `notifier`; there must be only one.
    pub(crate) fn new(notifier: Arc<Notifier>) -> Self {
        Self {
            notifier,
            parked: ParkedWaker::default(),
            pending: None,
            from_only_consumer: false,
            from_only_producer: false,
            awaits_one: false,
        }
    }

    /// Sets the consumer that the task awaits; to be called before it parks. Nothing
    /// can be sent before `whom` has asked, so the asks of others do not wake the task.
    /// `None` lets every ask wake it.
    #[inline]
    pub(crate) fn await_consumer(&mut self, whom: Option<SubscriptionId>) {
        if whom.is_some() || self.awaits_one {
            self.awaits_one = whom.is_some();
            self.notifier.await_consumer(whom);
        }
    }

    /// Whether there is a notification. A relaxed load, which may miss one that
    /// is being made: use [`poll_notified`](Self::poll_notified) before parking.
    #[inline]
    pub(crate) fn is_notified(&self) -> bool {
        self.notifier.flags.is_notified()
    }

    /// Takes all notifications since the last call. Everything written before a
    /// notification is visible to the caller afterwards.
    #[inline]
    pub(crate) fn take(&mut self) -> Notified {
        let flags = self.notifier.flags.take();
        self.collect_links(flags);
        Notified {
            messages: flags & MESSAGES != 0,
            wake: flags & WAKE != 0,
        }
    }

    /// Takes the notifications of links only.
    pub(crate) fn take_links(&mut self) {
        let flags = self
            .notifier
            .flags
            .take_only(FROM_PRODUCERS | FROM_CONSUMERS);
        self.collect_links(flags);
    }

    /// Notes the links that `flags` stand for.
    #[inline]
    fn collect_links(&mut self, flags: u8) {
        self.from_only_consumer |= flags & ONLY_CONSUMER != 0;
        self.from_only_producer |= flags & ONLY_PRODUCER != 0;
        if flags & PENDING != 0 {
            let pending = self.pending.get_or_insert_default();
            if let Some(many) = &mut *self.notifier.many.lock() {
                let new = &mut many.pending;
                move_all(&mut new.from_consumers, &mut pending.from_consumers);
                move_all(&mut new.from_producers, &mut pending.from_producers);
            }
        }
    }

    /// Returns `Ready` if there is a notification, without taking it. Otherwise parks
    /// the task until there is one that `wake_on` lets through.
    #[inline]
    pub(crate) fn poll_notified(&mut self, wake_on: WakeOn, cx: &Context<'_>) -> Poll<()> {
        if self.is_notified() {
            return Poll::Ready(());
        }
        self.notifier.flags.poll(&mut self.parked, wake_on, cx)
    }
}

/// Frees the waker, and with it the memory of the task, which has ended.
impl Drop for Notifications {
    fn drop(&mut self) {
        self.notifier.flags.forget();
    }
}

/// Moves all ids from one list to the end of another. An empty `to` is swapped, which
/// also hands its allocation back to the notifier.
fn move_all(from: &mut Vec<SubscriptionId>, to: &mut Vec<SubscriptionId>) {
    if to.is_empty() {
        std::mem::swap(from, to);
    } else {
        to.append(from);
    }
}

#[cfg(test)]
mod tests {
    use super::{CachedWaker, Notifications, Notifier, WakeOn};
    use crate::snapshot::Endpoint;
    use crate::stage_id::StageId;
    use futures::task::noop_waker;
    use stage_core::SubscriptionId;
    use std::sync::Arc;
    use std::task::Context;

    fn pair() -> (Arc<Notifier>, Notifications) {
        let notifier = Notifier::new(Endpoint {
            id: StageId::new(1),
            name: "stage".into(),
            is_stream: false,
        });
        (Arc::clone(&notifier), Notifications::new(notifier))
    }

    #[test]
    fn a_notification_before_parking_is_not_missed() {
        let (notifier, mut notifications) = pair();
        let waker = noop_waker();
        let cx = Context::from_waker(&waker);
        assert!(notifications.poll_notified(WakeOn::Any, &cx).is_pending());
        notifier.notify();
        assert!(notifications.poll_notified(WakeOn::Any, &cx).is_ready());
        assert!(
            notifications.poll_notified(WakeOn::Any, &cx).is_ready(),
            "polling takes nothing"
        );
        let notified = notifications.take();
        assert!(notified.messages && !notified.wake && !notifications.is_notified());
        assert!(notifications.poll_notified(WakeOn::Any, &cx).is_pending());
    }

    #[test]
    fn a_wake_is_taken_once() {
        let (notifier, mut notifications) = pair();
        notifier.notify_wake();
        notifier.notify();
        assert!(notifications.is_notified());
        let (once, twice) = (notifications.take(), notifications.take());
        assert_eq!((once.messages, once.wake), (true, true));
        assert_eq!((twice.messages, twice.wake), (false, false));
    }

    #[test]
    fn pending_links_are_taken_once_and_in_order() {
        let (notifier, mut notifications) = pair();
        let id = SubscriptionId::new;
        notifier.notify_from_producer(id(1), false, &CachedWaker::default());
        notifications.take_links();
        notifier.notify_from_producer(id(2), false, &CachedWaker::default());
        notifier.notify_from_consumer(id(3), false, &CachedWaker::default());
        assert!(!notifications.take().messages);
        let pending = notifications.pending.take().unwrap_or_default();
        assert_eq!(pending.from_producers, [id(1), id(2)]);
        assert_eq!(pending.from_consumers, [id(3)]);
    }

    #[test]
    fn a_task_that_awaits_one_consumer_is_not_woken_by_others() {
        let (notifier, mut notifications) = pair();
        let id = SubscriptionId::new;
        notifications.await_consumer(Some(id(2)));
        notifier.notify_from_consumer(id(1), false, &CachedWaker::default());
        assert!(!notifications.is_notified());
        notifier.notify_from_consumer(id(2), false, &CachedWaker::default());
        assert!(notifications.is_notified());
        notifications.take();
        let pending = notifications.pending.take().unwrap_or_default();
        assert_eq!(pending.from_consumers, [id(1), id(2)]);

        notifier.notify_from_consumer(id(1), false, &CachedWaker::default());
        notifier.notify_from_producer(id(3), false, &CachedWaker::default());
        assert!(notifications.is_notified(), "a producer is not a consumer");
        notifications.take();
        notifier.notify_at_once(id(1), false, true);
        assert!(notifications.is_notified(), "some things cannot wait");
        notifications.take();
        let pending = notifications.pending.take().unwrap_or_default();
        assert_eq!(pending.from_consumers, [id(1)], "listed once");
    }

    #[test]
    fn asks_that_waited_are_reported_before_the_next_park() {
        let (notifier, mut notifications) = pair();
        let id = SubscriptionId::new;
        for next in [Some(id(2)), Some(id(1)), None] {
            notifications.await_consumer(Some(id(2)));
            notifier.notify_from_consumer(id(1), false, &CachedWaker::default());
            assert!(!notifications.is_notified());
            notifications.await_consumer(next);
            assert!(notifications.is_notified());
            notifications.take();
            notifications.pending.take();
        }
        notifier.notify_from_consumer(id(1), false, &CachedWaker::default());
        assert!(notifications.is_notified(), "it awaits nobody any more");
    }

    #[test]
    fn the_only_link_is_not_listed_and_messages_stay_to_be_taken() {
        let (notifier, mut notifications) = pair();
        notifier.notify();
        notifier.notify_from_producer(SubscriptionId::new(1), true, &CachedWaker::default());
        notifications.take_links();
        assert!(notifications.from_only_producer && !notifications.from_only_consumer);
        assert!(notifications.pending.is_none());
        assert!(notifications.take().messages);
    }
}
