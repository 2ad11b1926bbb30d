//! The conformance suite finds mistakes in a dispatcher with a queue for each
//! subscriber: each rule for that audience has one that only it can find.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};

use stage_core::{
    Batch, Bound, Deliveries, Dispatcher, SubscribeError, SubscriptionId, Supply, panic_message,
};
use stage_dispatchers::{Detached, Selector, SubscriberQueue};
use stage_test::conformance::Conformance;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mistake {
    Nothing,
    ForgetsToCountWhatItDrops,
    CountsEventsAndNotCopies,
    SwapsTwoEvents,
    SendsWhatIsNotWanted,
    HandsBackWhatOthersHave,
    EvictsAStranger,
    ReroutesAStranger,
    ServesAnEvictedOne,
}

use Mistake::*;

/// A [`Detached`] with a mistake.
struct Wrong {
    inner: Detached<u64>,
    mistake: Mistake,
    steps: u64,
}

impl Wrong {
    /// Passes on what the dispatcher wrote, but for the mistake.
    fn spoil(&mut self, written: &mut Deliveries<u64>, out: &mut Deliveries<u64>) {
        self.steps += 1;
        for (id, batch) in written.take_sends() {
            let mut events = batch.into_vec();
            if self.mistake == SwapsTwoEvents {
                events.reverse();
            }
            out.deliver(id, Batch::from(events));
        }
        let _ = written.take_shed().count();
        let discarded = written.take_discarded();
        if self.mistake != ForgetsToCountWhatItDrops {
            out.discard(discarded);
        }
        for (id, reason) in written.take_evicted() {
            out.evict(id, reason);
        }
        if self.mistake == EvictsAStranger && self.steps == 20 {
            out.evict(SubscriptionId::new(999), "a mistake");
        }
    }

    fn with<T>(
        &mut self,
        out: &mut Deliveries<u64>,
        call: impl FnOnce(&mut Detached<u64>, &mut Deliveries<u64>) -> T,
    ) -> T {
        let mut written = Deliveries::new();
        let result = call(&mut self.inner, &mut written);
        self.spoil(&mut written, out);
        result
    }
}

impl Dispatcher for Wrong {
    type Event = u64;
    type Route = SubscriberQueue<u64>;

    fn subscribe(
        &mut self,
        id: SubscriptionId,
        route: SubscriberQueue<u64>,
    ) -> Result<usize, SubscribeError> {
        let route = match self.mistake {
            SendsWhatIsNotWanted => route.selector(Selector::all()),
            _ => route,
        };
        self.inner.subscribe(id, route)
    }

    fn cancel(&mut self, id: SubscriptionId, out: &mut Deliveries<u64>) -> usize {
        let known = self.inner.queued(id).is_some();
        let demand = self.with(out, |inner, out| inner.cancel(id, out));
        if self.mistake == HandsBackWhatOthersHave && known {
            out.hand_back(Batch::from(vec![0]));
        }
        demand
    }

    fn ask(&mut self, id: SubscriptionId, more: NonZeroUsize, out: &mut Deliveries<u64>) -> usize {
        self.with(out, |inner, out| inner.ask(id, more, out))
    }

    fn dispatch(&mut self, events: Batch<u64>, out: &mut Deliveries<u64>) -> Batch<u64> {
        let first = events.first().copied();
        let left = self.with(out, |inner, out| inner.dispatch(events, out));
        if self.mistake == ServesAnEvictedOne
            && let Some(event) = first
        {
            out.evict(SubscriptionId::new(1), "a mistake");
            self.mistake = Nothing;
            out.deliver(SubscriptionId::new(1), Batch::from(vec![event, event]));
        }
        left
    }

    fn at_rest(&mut self, supply: Supply) -> usize {
        self.inner.at_rest(supply)
    }

    fn take_back(
        &mut self,
        id: SubscriptionId,
        events: Vec<Batch<u64>>,
        out: &mut Deliveries<u64>,
    ) -> usize {
        self.with(out, |inner, out| inner.take_back(id, events, out))
    }

    fn reroute(
        &mut self,
        id: SubscriptionId,
        route: SubscriberQueue<u64>,
        out: &mut Deliveries<u64>,
    ) -> Result<usize, SubscribeError> {
        match self.mistake {
            ReroutesAStranger => Ok(0),
            _ => self.with(out, |inner, out| inner.reroute(id, route, out)),
        }
    }

    fn held(&self) -> usize {
        match self.mistake {
            // Of four subscribers.
            CountsEventsAndNotCopies => self.inner.held().div_ceil(4),
            _ => self.inner.held(),
        }
    }
}

fn verdict(mistake: Mistake) -> Result<(), String> {
    let make = move || Wrong {
        inner: Detached::new(),
        mistake,
        steps: 0,
    };
    let route = |_| {
        SubscriberQueue::new()
            .bound(Bound::Events(3))
            .selector(Selector::new(|event| event % 3 != 0))
    };
    let suite = Conformance::new(make, route, |number| number)
        .to_every_subscriber_in_its_own_time(|_, event| event % 3 != 0);
    catch_unwind(AssertUnwindSafe(|| suite.check())).map_err(|panic| panic_message(&*panic))
}

#[test]
fn the_suite_finds_every_planted_mistake() {
    assert_eq!(verdict(Nothing), Ok(()));
    let rules = [
        (ForgetsToCountWhatItDrops, "conservation"),
        (CountsEventsAndNotCopies, "conservation"),
        (SwapsTwoEvents, "conservation"),
        (SendsWhatIsNotWanted, "conservation"),
        (HandsBackWhatOthersHave, "conservation"),
        (EvictsAStranger, "noise changes nothing"),
        (ReroutesAStranger, "noise changes nothing"),
        (ServesAnEvictedOne, "never more than asked"),
    ];
    for (mistake, rule) in rules {
        let said = verdict(mistake).expect_err("the mistake should be found");
        assert!(said.starts_with(rule), "{mistake:?}: {said}");
    }
}

/// The audience of a plain broadcast is at once: it does not fit a queue for each.
#[test]
fn a_dispatcher_with_queues_is_no_broadcast_at_once() {
    let suite = Conformance::new(Detached::new, |_| SubscriberQueue::new(), |number| number)
        .to_every_subscriber(|_, _: &u64| true);
    let said = catch_unwind(AssertUnwindSafe(|| suite.check())).map_err(|it| panic_message(&*it));
    assert!(said.is_err_and(|said| said.starts_with("conservation")));
}
