//! Where one task is told that there is something for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use stage_core::SubscriptionId;

/// Wakes one task, and says which of its links have news: rung by whoever left
/// something for it, awaited by the task when it has nothing to do.
///
/// Ringing for a task that has been rung and has not yet heard it costs a lock
/// and wakes nobody: wake-ups are what a pipeline spends most of its time on.
///
/// A link enters a list when it goes from nothing to something and not again
/// before its news was fetched, so a list is never longer than there are
/// links, and idle links cost nothing.
#[derive(Debug, Default)]
pub(crate) struct Station {
    /// Written under the lock, and read without it for a first look.
    rung: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    messages: bool,
    again: bool,
    sleeper: Option<Waker>,
    from_consumers: Vec<SubscriptionId>,
    from_producers: Vec<SubscriptionId>,
}

/// The links of a task that have news.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Links on which a consumer has asked or cancelled.
    pub(crate) from_consumers: Vec<SubscriptionId>,
    /// Links on which a producer has sent or ended.
    pub(crate) from_producers: Vec<SubscriptionId>,
}

/// What a task hears when it listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard {
    /// There are messages or orders.
    pub(crate) messages: bool,
    /// The stage's own waker was woken: it wants to be called again.
    pub(crate) again: bool,
}

impl Station {
    /// Has the task look for messages and orders.
    pub(crate) fn ring(&self) {
        self.wake(|state| state.messages = true);
    }

    /// Has the stage called again.
    pub(crate) fn ring_again(&self) {
        self.wake(|state| state.again = true);
    }

    /// A consumer has asked or cancelled on this link.
    pub(super) fn ring_from_consumer(&self, link: SubscriptionId) {
        self.wake(|state| state.from_consumers.push(link));
    }

    /// A producer has sent or ended on this link.
    pub(super) fn ring_from_producer(&self, link: SubscriptionId) {
        self.wake(|state| state.from_producers.push(link));
    }

    fn wake(&self, leave: impl FnOnce(&mut State)) {
        let sleeper = {
            let mut state = self.state.lock();
            leave(&mut state);
            self.rung.store(true, Ordering::Relaxed);
            state.sleeper.take()
        };
        // Outside the lock: waking may run code that is not ours.
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
    }

    /// Whether there is something to hear, as far as can be told at a glance:
    /// who is to sleep asks [`poll_rung`](Station::poll_rung) for certain.
    #[inline]
    pub(crate) fn is_rung(&self) -> bool {
        self.rung.load(Ordering::Relaxed)
    }

    /// What has been rung since the last call; the links with news are added to
    /// `news`. Whatever was left before a ring is visible to the caller
    /// afterwards.
    pub(crate) fn hear(&self, news: &mut News) -> Heard {
        let mut state = self.state.lock();
        self.rung.store(false, Ordering::Relaxed);
        hand_over(&mut state.from_consumers, &mut news.from_consumers);
        hand_over(&mut state.from_producers, &mut news.from_producers);
        Heard {
            messages: std::mem::take(&mut state.messages),
            again: std::mem::take(&mut state.again),
        }
    }

    /// Takes the links with news, and leaves the rest to be heard.
    pub(crate) fn fetch(&self, news: &mut News) {
        let mut state = self.state.lock();
        hand_over(&mut state.from_consumers, &mut news.from_consumers);
        hand_over(&mut state.from_producers, &mut news.from_producers);
    }

    /// Ready when it has been rung; does not count as hearing it.
    pub(crate) fn poll_rung(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if self.is_rung() {
            return Poll::Ready(());
        }
        match &mut state.sleeper {
            Some(sleeper) => sleeper.clone_from(cx.waker()),
            None => state.sleeper = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

/// Most often there is nothing at the other side, and the two lists trade
/// places.
#[inline]
fn hand_over(from: &mut Vec<SubscriptionId>, to: &mut Vec<SubscriptionId>) {
    if to.is_empty() {
        std::mem::swap(from, to);
    } else {
        to.append(from);
    }
}

#[cfg(test)]
mod tests {
    use super::{News, Station};
    use futures::task::noop_waker;
    use stage_core::SubscriptionId;
    use std::task::Context;

    #[test]
    fn a_ring_before_the_sleep_is_not_missed() {
        let station = Station::default();
        let waker = noop_waker();
        let mut cx = Context::from_waker(&waker);
        assert!(station.poll_rung(&mut cx).is_pending());
        station.ring();
        assert!(station.poll_rung(&mut cx).is_ready());
        assert!(
            station.poll_rung(&mut cx).is_ready(),
            "asking is not hearing"
        );
        let heard = station.hear(&mut News::default());
        assert!(heard.messages && !heard.again && !station.is_rung());
        assert!(station.poll_rung(&mut cx).is_pending());
    }

    #[test]
    fn again_is_heard_once() {
        let station = Station::default();
        station.ring_again();
        station.ring();
        let mut news = News::default();
        assert!(station.is_rung());
        let (once, twice) = (station.hear(&mut news), station.hear(&mut news));
        assert_eq!((once.messages, once.again), (true, true));
        assert_eq!((twice.messages, twice.again), (false, false));
    }

    #[test]
    fn links_with_news_are_handed_over_once_and_in_order() {
        let station = Station::default();
        let id = SubscriptionId::new;
        let mut news = News::default();
        station.ring_from_producer(id(1));
        station.fetch(&mut news);
        station.ring_from_producer(id(2));
        station.ring_from_consumer(id(3));
        assert!(!station.hear(&mut news).messages);
        assert_eq!(news.from_producers, [id(1), id(2)]);
        assert_eq!(news.from_consumers, [id(3)]);
    }
}
