//! Where one task is told that there is something for it.

use std::sync::Arc;
use std::task::{Context, Poll};

use stage_core::SubscriptionId;

use super::bell::{Acquaintance, Bell, FROM_CONSUMERS, FROM_PRODUCERS, SleepUntil, Sleeper};
use super::sync::Mutex;
use crate::snapshot::Party;

/// There are messages or orders, or what a consumer has left cannot wait.
const MESSAGES: u8 = 1;
/// The stage wants to be called again.
const AGAIN: u8 = 1 << 1;
/// The only link to a producer has news.
const LONE_PRODUCER: u8 = 1 << 2;
/// A producer is in the lists.
const LISTED_PRODUCER: u8 = 1 << 3;
/// The only link to a consumer has news.
const LONE_CONSUMER: u8 = 1 << 4;
/// A consumer is in the lists.
const LISTED_CONSUMER: u8 = 1 << 5;

const LISTED: u8 = LISTED_PRODUCER | LISTED_CONSUMER;

const _: () = assert!(
    LONE_PRODUCER | LISTED_PRODUCER == FROM_PRODUCERS
        && LONE_CONSUMER | LISTED_CONSUMER == FROM_CONSUMERS
);

/// Wakes one task, and says which of its links have news: rung by whoever left
/// something for it. The task's side is its [`Listener`].
///
/// Ringing for a task that is awake wakes nobody: wake-ups are what a pipeline
/// spends most of its time on.
///
/// A link enters a list when it goes from nothing to something and not again
/// before its news was fetched, so a list is never longer than there are
/// links, and idle links cost nothing. Where there is only one to choose from it
/// need not be listed.
#[derive(Debug)]
pub(crate) struct Station {
    /// Whose it is.
    party: Party,
    bell: Bell,
    /// `None` as long as nothing was listed.
    board: Mutex<Option<Box<Board>>>,
}

/// What others leave for a task that has several links.
#[derive(Debug, Default)]
struct Board {
    lists: Lists,
    /// The only consumer whose asks wake the task, if there is such a one.
    awaited: Option<SubscriptionId>,
}

/// Links with news.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    /// Those on which a consumer has asked or cancelled.
    pub(crate) from_consumers: Vec<SubscriptionId>,
    /// Those on which a producer has sent or ended.
    pub(crate) from_producers: Vec<SubscriptionId>,
}

/// What a task hears when it listens, besides its links' news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard {
    /// There are messages or orders.
    pub(crate) messages: bool,
    /// The stage's own waker was woken: it wants to be called again.
    pub(crate) again: bool,
}

impl Heard {
    /// Nothing but its links' news.
    pub(crate) const LINKS: Self = Self {
        messages: false,
        again: false,
    };
}

impl Station {
    pub(crate) fn new(party: Party) -> Arc<Self> {
        Arc::new(Self {
            party,
            bell: Bell::default(),
            board: Mutex::default(),
        })
    }

    /// Who is told here.
    pub(crate) const fn party(&self) -> &Party {
        &self.party
    }

    /// Has the task look for messages and orders.
    pub(crate) fn ring(&self) {
        self.bell.ring(MESSAGES);
    }

    /// Has the stage called again.
    pub(crate) fn ring_again(&self) {
        self.bell.ring(AGAIN);
    }

    /// A consumer has asked on this link. Does not wake the task while it awaits
    /// another one, or its own producers.
    #[inline]
    pub(super) fn ring_from_consumer(
        &self,
        link: SubscriptionId,
        listed: bool,
        consumer: &Acquaintance,
    ) {
        if !listed {
            self.bell.ring_by(consumer, LONE_CONSUMER);
        } else if self.list_consumer(link) {
            self.bell.ring_by(consumer, LISTED_CONSUMER);
        }
    }

    /// A consumer has left what cannot wait; it may have been listed before.
    #[cold]
    pub(super) fn ring_at_once(&self, link: SubscriptionId, listed: bool, told: bool) {
        if listed && !told {
            self.list_consumer(link);
        }
        let news = if listed {
            LISTED_CONSUMER
        } else {
            LONE_CONSUMER
        };
        self.bell.ring(MESSAGES | news);
    }

    /// Whether its task is to hear of it now.
    #[inline(never)]
    fn list_consumer(&self, link: SubscriptionId) -> bool {
        let mut board = self.board.lock();
        let board = board.get_or_insert_default();
        board.lists.from_consumers.push(link);
        board.awaited.is_none_or(|awaited| awaited == link)
    }

    /// From now on asks of others wait until `whom` has asked; asks that are
    /// listed already are heard now.
    #[inline(never)]
    fn await_consumer(&self, whom: Option<SubscriptionId>) {
        let any = {
            let mut board = self.board.lock();
            let board = board.get_or_insert_default();
            board.awaited = whom;
            !board.lists.from_consumers.is_empty()
        };
        if any {
            self.bell.ring(LISTED_CONSUMER);
        }
    }

    /// A producer has sent or ended on this link.
    #[inline]
    pub(super) fn ring_from_producer(
        &self,
        link: SubscriptionId,
        listed: bool,
        producer: &Acquaintance,
    ) {
        let news = if listed {
            self.list_producer(link);
            LISTED_PRODUCER
        } else {
            LONE_PRODUCER
        };
        self.bell.ring_by(producer, news);
    }

    #[inline(never)]
    fn list_producer(&self, link: SubscriptionId) {
        let mut board = self.board.lock();
        let lists = &mut board.get_or_insert_default().lists;
        lists.from_producers.push(link);
    }
}

/// The task's side of its station: awaits a ring, and has the links with news.
#[derive(Debug)]
pub(crate) struct Listener {
    station: Arc<Station>,
    sleeper: Sleeper,
    /// The listed links with news; `None` as long as there were none.
    pub(crate) listed: Option<Box<Lists>>,
    /// The same of the one link that is not listed.
    pub(crate) from_lone_consumer: bool,
    pub(crate) from_lone_producer: bool,
    /// It awaits one consumer, and nobody else's asks.
    awaits_one: bool,
}

impl Listener {
    pub(crate) fn new(station: Arc<Station>) -> Self {
        Self {
            station,
            sleeper: Sleeper::default(),
            listed: None,
            from_lone_consumer: false,
            from_lone_producer: false,
            awaits_one: false,
        }
    }

    /// Before a sleep: has the asks of all consumers but `whom` wait, if
    /// nothing can be sent before that one has asked.
    #[inline]
    pub(crate) fn await_consumer(&mut self, whom: Option<SubscriptionId>) {
        if whom.is_some() || self.awaits_one {
            self.awaits_one = whom.is_some();
            self.station.await_consumer(whom);
        }
    }

    /// Whether there is something to hear, as far as can be told at a glance:
    /// who is to sleep asks [`poll_rung`](Listener::poll_rung) for certain.
    #[inline]
    pub(crate) fn is_rung(&self) -> bool {
        self.station.bell.is_rung()
    }

    /// What has been rung since the last call; takes the links with news.
    /// Whatever was left before a ring is visible to the caller afterwards.
    #[inline]
    pub(crate) fn hear(&mut self) -> Heard {
        let heard = self.station.bell.hear();
        self.take(heard);
        Heard {
            messages: heard & MESSAGES != 0,
            again: heard & AGAIN != 0,
        }
    }

    /// Takes the links with news, and leaves the rest to be heard.
    pub(crate) fn fetch(&mut self) {
        let heard = self.station.bell.hear_of(FROM_PRODUCERS | FROM_CONSUMERS);
        self.take(heard);
    }

    #[inline]
    fn take(&mut self, heard: u8) {
        self.from_lone_consumer |= heard & LONE_CONSUMER != 0;
        self.from_lone_producer |= heard & LONE_PRODUCER != 0;
        if heard & LISTED != 0 {
            let listed = self.listed.get_or_insert_default();
            if let Some(board) = &mut *self.station.board.lock() {
                let news = &mut board.lists;
                hand_over(&mut news.from_consumers, &mut listed.from_consumers);
                hand_over(&mut news.from_producers, &mut listed.from_producers);
            }
        }
    }

    /// Ready when it has been rung; does not count as hearing it.
    #[inline]
    pub(crate) fn poll_rung(&mut self, until: SleepUntil, cx: &Context<'_>) -> Poll<()> {
        if self.is_rung() {
            return Poll::Ready(());
        }
        self.station.bell.poll(&mut self.sleeper, until, cx)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.station.bell.forget();
    }
}

/// Most often there is nothing at the other side, and the two lists trade
/// places.
fn hand_over(from: &mut Vec<SubscriptionId>, to: &mut Vec<SubscriptionId>) {
    if to.is_empty() {
        std::mem::swap(from, to);
    } else {
        to.append(from);
    }
}

#[cfg(test)]
mod tests {
    use super::{Acquaintance, Listener, SleepUntil, Station};
    use crate::snapshot::Party;
    use futures::task::noop_waker;
    use stage_core::SubscriptionId;
    use std::sync::Arc;
    use std::task::Context;

    fn listener() -> (Arc<Station>, Listener) {
        let station = Station::new(Party {
            id: 1,
            name: "stage".into(),
            is_stream: false,
        });
        (Arc::clone(&station), Listener::new(station))
    }

    #[test]
    fn a_ring_before_the_sleep_is_not_missed() {
        let (station, mut listener) = listener();
        let waker = noop_waker();
        let cx = Context::from_waker(&waker);
        assert!(listener.poll_rung(SleepUntil::Rung, &cx).is_pending());
        station.ring();
        assert!(listener.poll_rung(SleepUntil::Rung, &cx).is_ready());
        assert!(
            listener.poll_rung(SleepUntil::Rung, &cx).is_ready(),
            "asking is not hearing"
        );
        let heard = listener.hear();
        assert!(heard.messages && !heard.again && !listener.is_rung());
        assert!(listener.poll_rung(SleepUntil::Rung, &cx).is_pending());
    }

    #[test]
    fn again_is_heard_once() {
        let (station, mut listener) = listener();
        station.ring_again();
        station.ring();
        assert!(listener.is_rung());
        let (once, twice) = (listener.hear(), listener.hear());
        assert_eq!((once.messages, once.again), (true, true));
        assert_eq!((twice.messages, twice.again), (false, false));
    }

    #[test]
    fn links_with_news_are_handed_over_once_and_in_order() {
        let (station, mut listener) = listener();
        let id = SubscriptionId::new;
        station.ring_from_producer(id(1), true, &Acquaintance::default());
        listener.fetch();
        station.ring_from_producer(id(2), true, &Acquaintance::default());
        station.ring_from_consumer(id(3), true, &Acquaintance::default());
        assert!(!listener.hear().messages);
        let listed = listener.listed.take().unwrap_or_default();
        assert_eq!(listed.from_producers, [id(1), id(2)]);
        assert_eq!(listed.from_consumers, [id(3)]);
    }

    #[test]
    fn who_awaits_one_consumer_is_not_woken_by_others() {
        let (station, mut listener) = listener();
        let id = SubscriptionId::new;
        listener.await_consumer(Some(id(2)));
        station.ring_from_consumer(id(1), true, &Acquaintance::default());
        assert!(!listener.is_rung());
        station.ring_from_consumer(id(2), true, &Acquaintance::default());
        assert!(listener.is_rung());
        listener.hear();
        let listed = listener.listed.take().unwrap_or_default();
        assert_eq!(listed.from_consumers, [id(1), id(2)]);

        station.ring_from_consumer(id(1), true, &Acquaintance::default());
        station.ring_from_producer(id(3), true, &Acquaintance::default());
        assert!(listener.is_rung(), "a producer is not a consumer");
        listener.hear();
        station.ring_at_once(id(1), true, true);
        assert!(listener.is_rung(), "some things cannot wait");
        listener.hear();
        let listed = listener.listed.take().unwrap_or_default();
        assert_eq!(listed.from_consumers, [id(1)], "listed once");
    }

    #[test]
    fn asks_that_were_left_are_heard_before_the_next_sleep() {
        let (station, mut listener) = listener();
        let id = SubscriptionId::new;
        for next in [Some(id(2)), Some(id(1)), None] {
            listener.await_consumer(Some(id(2)));
            station.ring_from_consumer(id(1), true, &Acquaintance::default());
            assert!(!listener.is_rung());
            listener.await_consumer(next);
            assert!(listener.is_rung());
            listener.hear();
            listener.listed.take();
        }
        station.ring_from_consumer(id(1), true, &Acquaintance::default());
        assert!(listener.is_rung(), "it awaits nobody any more");
    }

    #[test]
    fn a_lone_link_is_not_listed_and_leaves_messages_to_be_heard() {
        let (station, mut listener) = listener();
        station.ring();
        station.ring_from_producer(SubscriptionId::new(1), false, &Acquaintance::default());
        listener.fetch();
        assert!(listener.from_lone_producer && !listener.from_lone_consumer);
        assert!(listener.listed.is_none());
        assert!(listener.hear().messages);
    }
}
