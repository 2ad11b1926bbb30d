//! `ProducerSide` step by step, and under random scripts.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use stage_core::{
    Batch, Bound, Deliveries, Dispatcher, Gate, Outbox, Overflow, ProducerSide, SubscribeError,
    SubscriptionId, Supply,
};
use stage_test::conformance::Conformance;

/// Sends to the oldest subscription that has demand.
#[derive(Debug, Default)]
struct Oldest {
    open: BTreeMap<SubscriptionId, usize>,
    /// Whether an ask returns nothing, and only `at_rest` speaks to upstream.
    lazy: bool,
    /// Whether `at_rest` says nothing, as by default.
    plain: bool,
}

impl Oldest {
    fn lazy() -> Self {
        Self {
            lazy: true,
            ..Self::default()
        }
    }

    fn plain() -> Self {
        Self {
            plain: true,
            ..Self::default()
        }
    }
}

impl Dispatcher for Oldest {
    type Event = u64;
    type Route = ();

    fn subscribe(&mut self, id: SubscriptionId, (): ()) -> Result<usize, SubscribeError> {
        if self.open.contains_key(&id) {
            return Err(SubscribeError::AlreadySubscribed { id });
        }
        self.open.insert(id, 0);
        Ok(0)
    }

    fn cancel(&mut self, id: SubscriptionId, _out: &mut Deliveries<u64>) -> usize {
        self.open.remove(&id);
        0
    }

    fn ask(
        &mut self,
        id: SubscriptionId,
        demand: NonZeroUsize,
        _out: &mut Deliveries<u64>,
    ) -> usize {
        match self.open.get_mut(&id) {
            Some(open) => {
                *open = open.saturating_add(demand.get());
                if self.lazy { 0 } else { demand.get() }
            }
            None => 0,
        }
    }

    fn dispatch(&mut self, mut events: Batch<u64>, out: &mut Deliveries<u64>) -> Batch<u64> {
        for (id, open) in &mut self.open {
            let now = events.split_to(*open);
            *open -= now.len();
            out.deliver(*id, now);
        }
        events
    }

    fn at_rest(&mut self, supply: Supply) -> usize {
        if self.plain {
            return 0;
        }
        let add = |sum: usize, open: &usize| sum.saturating_add(*open);
        let open = self.open.values().fold(0, add);
        let buffered = open.min(supply.buffered);
        let missing = (open - buffered).saturating_sub(supply.owed);
        missing.min(usize::MAX - supply.owed) + buffered
    }
}

#[test]
fn a_dispatcher_of_ones_own_conforms() {
    Conformance::new(Oldest::default, |_| (), |number| number).check();
    Conformance::new(Oldest::lazy, |_| (), |number| number).check();
    Conformance::new(Oldest::plain, |_| (), |number| number).check();
}

type Side = ProducerSide<Oldest, &'static str>;

fn id(number: u64) -> SubscriptionId {
    SubscriptionId::new(number)
}

/// A producer side with one subscriber, and what it wrote.
struct Bench {
    side: Side,
    out: Outbox<u64, &'static str>,
}

impl Bench {
    fn new(bound: Option<usize>, gate: Gate) -> Self {
        Self::over(Oldest::default(), bound, gate)
    }

    fn over(dispatcher: Oldest, bound: Option<usize>, gate: Gate) -> Self {
        let mut side = Side::new(
            dispatcher,
            bound.map_or(Bound::Unbounded, Bound::Events),
            Overflow::DropOldest,
            gate,
        );
        let mut out = Outbox::new();
        side.subscribe(id(1), (), &mut out)
            .expect("nobody is subscribed");
        Self { side, out }
    }

    fn ask(&mut self, demand: usize) {
        let demand = NonZeroUsize::new(demand).expect("demand is at least 1");
        self.side.ask(id(1), demand, &mut self.out);
    }

    /// The subscriber leaves, and gives these back.
    fn cancel<const N: usize>(&mut self, unhandled: [u64; N]) {
        self.side.cancel(id(1), &mut self.out);
        let unhandled = vec![Batch::from_iter(unhandled)];
        self.side.take_back(id(1), unhandled, &mut self.out);
    }

    fn emit(&mut self, events: impl IntoIterator<Item = u64>) {
        self.side.emit(events.into_iter().collect(), &mut self.out);
    }

    fn sent(&mut self) -> Vec<u64> {
        let sends = self.out.deliveries.take_sends();
        sends.flat_map(|(_, batch)| batch).collect()
    }

    fn next_demand(&mut self) -> Option<usize> {
        self.side.next_demand().map(NonZeroUsize::get)
    }
}

#[test]
fn the_buffer_is_served_first_and_only_the_remainder_reaches_the_producer() {
    let mut bench = Bench::new(None, Gate::Open);
    bench.emit(0..4);
    bench.ask(3);
    assert_eq!(bench.sent(), [0, 1, 2]);
    assert_eq!(bench.next_demand(), None);
    bench.ask(3);
    assert_eq!(bench.sent(), [3]);
    assert_eq!(bench.next_demand(), Some(2));
}

#[test]
fn unmet_demand_is_named_in_full_again_when_there_is_more_or_after_a_wake() {
    let mut bench = Bench::new(None, Gate::Open);
    bench.ask(10);
    assert_eq!(bench.next_demand(), Some(10));
    bench.emit(0..4);
    assert_eq!(bench.next_demand(), None, "it was told");
    bench.side.wake();
    assert_eq!(bench.next_demand(), Some(6));
    bench.ask(5);
    assert_eq!(bench.next_demand(), Some(11));
    bench.emit(4..15);
    bench.side.wake();
    assert_eq!(bench.next_demand(), None, "nothing is unmet");
}

#[test]
fn a_shut_gate_collects_demand_and_buffers_events() {
    let mut bench = Bench::new(None, Gate::Closed);
    bench.ask(3);
    bench.emit(0..2);
    assert_eq!((bench.next_demand(), bench.sent()), (None, vec![]));

    bench.side.set_gate(Gate::Open, &mut bench.out);
    assert_eq!(bench.sent(), [0, 1]);
    assert_eq!(bench.next_demand(), Some(1));
}

/// Where the step itself brings no demand, what the dispatcher says at rest
/// has to be served all the same.
#[test]
fn demand_that_only_shows_at_rest_is_served_from_the_buffer() {
    let mut bench = Bench::over(Oldest::lazy(), None, Gate::Open);
    bench.emit(0..4);
    bench.ask(6);
    assert_eq!(bench.sent(), [0, 1, 2, 3]);
    assert_eq!(bench.next_demand(), Some(2));
}

/// The demand of a subscriber that cancels stays unmet; when the next one
/// comes, upstream need not be told again.
#[test]
fn demand_outlives_the_subscriber_and_its_events_are_buffered() {
    let mut bench = Bench::new(None, Gate::Open);
    bench.ask(3);
    bench.cancel([]);
    bench.emit(0..3);
    assert_eq!((bench.sent(), bench.side.buffered()), (vec![], 3));

    bench.side.subscribe(id(1), (), &mut bench.out).unwrap();
    bench.ask(2);
    assert_eq!(bench.sent(), [0, 1]);
    assert_eq!(bench.side.unmet(), 0);
}

/// The rule of rest, for a dispatcher that keeps the default `at_rest`: nobody
/// will ask for these again, because somebody has.
#[test]
fn what_is_handed_back_goes_to_whoever_has_demand_already() {
    let mut bench = Bench::over(Oldest::plain(), None, Gate::Open);
    bench.side.subscribe(id(2), (), &mut bench.out).unwrap();
    bench.ask(3);
    bench.emit(0..3);
    assert_eq!(bench.sent(), [0, 1, 2]);
    let five = NonZeroUsize::new(5).unwrap();
    bench.side.ask(id(2), five, &mut bench.out);
    bench.cancel([1, 2]);
    assert_eq!((bench.sent(), bench.side.buffered()), (vec![1, 2], 0));
}

/// The same for what was emitted while the gate was shut.
#[test]
fn an_opened_gate_lets_out_what_was_asked_for_before_it_was_shut() {
    let mut bench = Bench::over(Oldest::plain(), None, Gate::Open);
    bench.ask(3);
    bench.side.set_gate(Gate::Closed, &mut bench.out);
    bench.emit(0..3);
    assert!(bench.sent().is_empty());
    bench.side.set_gate(Gate::Open, &mut bench.out);
    assert_eq!((bench.sent(), bench.side.buffered()), (vec![0, 1, 2], 0));
}

#[test]
fn new_events_queue_behind_buffered_ones() {
    let mut bench = Bench::new(None, Gate::Closed);
    bench.ask(4);
    bench.emit(0..2);
    bench.side.set_gate(Gate::Open, &mut bench.out);
    bench.emit(2..6);
    assert_eq!(bench.sent(), [0, 1, 2, 3]);
    assert_eq!(bench.side.buffered(), 2);
    assert!(!bench.side.is_drained());
}

#[test]
fn a_full_buffer_reports_what_it_discarded() {
    let mut bench = Bench::new(Some(3), Gate::Open);
    bench.ask(2);
    bench.emit(0..8);
    assert_eq!(bench.sent(), [0, 1]);
    assert_eq!((bench.side.buffered(), bench.out.overflowed), (3, 3));
    bench.ask(3);
    assert_eq!(bench.sent(), [5, 6, 7]);
}

#[test]
fn an_info_is_due_when_the_events_before_it_have_left() {
    for bound in [None, Some(100)] {
        let mut bench = Bench::new(bound, Gate::Open);
        bench.side.info("at once", &mut bench.out);
        bench.emit(0..2);
        bench.side.info("after 1", &mut bench.out);
        bench.emit(2..4);
        bench.side.info("after 3", &mut bench.out);
        assert_eq!(bench.out.infos, ["at once"], "{bound:?}");

        bench.ask(1);
        assert_eq!(bench.out.infos.len(), 1, "{bound:?}");
        bench.ask(2);
        assert_eq!(bench.out.infos, ["at once", "after 1"], "{bound:?}");
        bench.ask(1);
        assert_eq!(
            bench.out.infos,
            ["at once", "after 1", "after 3"],
            "{bound:?}"
        );
        assert_eq!(bench.sent(), [0, 1, 2, 3]);
    }
}

#[test]
fn demand_saturates() {
    let mut bench = Bench::new(None, Gate::Open);
    for _ in 0..3 {
        bench.ask(usize::MAX);
    }
    assert_eq!(bench.side.unmet(), usize::MAX);
    bench.emit(0..5);
    assert_eq!(bench.sent().len(), 5);
    assert_eq!(bench.side.unmet(), usize::MAX - 5);
}

#[test]
fn a_refused_subscription_changes_nothing() {
    let mut bench = Bench::new(None, Gate::Open);
    bench.ask(2);
    let refused = bench.side.subscribe(id(1), (), &mut bench.out);
    assert_eq!(
        refused,
        Err(SubscribeError::AlreadySubscribed { id: id(1) })
    );
    assert_eq!(bench.side.unmet(), 2);
}

/// Nets what it is asked against what subscribers that left had asked for, as
/// `Demand` does.
#[derive(Debug, Default)]
struct Netting {
    open: BTreeMap<SubscriptionId, usize>,
    pending: usize,
}

impl Dispatcher for Netting {
    type Event = u64;
    type Route = ();

    fn subscribe(&mut self, id: SubscriptionId, (): ()) -> Result<usize, SubscribeError> {
        self.open.insert(id, 0);
        Ok(0)
    }

    fn cancel(&mut self, id: SubscriptionId, _out: &mut Deliveries<u64>) -> usize {
        self.pending += self.open.remove(&id).unwrap_or_default();
        0
    }

    fn ask(
        &mut self,
        id: SubscriptionId,
        demand: NonZeroUsize,
        _out: &mut Deliveries<u64>,
    ) -> usize {
        *self.open.entry(id).or_default() += demand.get();
        let netted = demand.get().min(self.pending);
        self.pending -= netted;
        demand.get() - netted
    }

    fn dispatch(&mut self, mut events: Batch<u64>, out: &mut Deliveries<u64>) -> Batch<u64> {
        for (id, open) in &mut self.open {
            let now = events.split_to(*open);
            *open -= now.len();
            out.deliver(*id, now);
        }
        events
    }
}

/// gen_stage 77: the producer had nothing for the one that left.
#[test]
fn an_ask_that_is_netted_against_one_who_left_has_the_producer_called() {
    let mut out: Outbox<u64, ()> = Outbox::new();
    let mut side = ProducerSide::new(
        Netting::default(),
        Bound::Unbounded,
        Overflow::DropOldest,
        Gate::Open,
    );
    let count = |count| NonZeroUsize::new(count).unwrap();
    side.subscribe(id(1), (), &mut out).unwrap();
    side.ask(id(1), count(10), &mut out);
    assert_eq!(side.next_demand(), Some(count(10)));
    side.cancel(id(1), &mut out);
    side.take_back(id(1), Vec::new(), &mut out);
    assert_eq!(side.next_demand(), None, "nobody has asked for anything");

    side.subscribe(id(2), (), &mut out).unwrap();
    side.ask(id(2), count(4), &mut out);
    assert_eq!(side.next_demand(), Some(count(10)));
    side.ask(id(2), count(6), &mut out);
    assert_eq!(side.next_demand(), Some(count(10)), "it is netted as well");
    side.ask(id(2), count(1), &mut out);
    assert_eq!(side.next_demand(), Some(count(11)));
    side.emit((0..11).collect(), &mut out);
    assert_eq!((side.unmet(), side.buffered()), (0, 0));
}

/// What was abandoned is over when it has been met.
#[test]
fn demand_that_was_met_is_not_named_again_for_one_who_left() {
    let mut bench = Bench::new(None, Gate::Open);
    bench.ask(10);
    assert_eq!(bench.next_demand(), Some(10));
    bench.cancel([]);
    bench.emit(0..10);
    bench.side.subscribe(id(1), (), &mut bench.out).unwrap();
    bench.ask(10);
    assert_eq!(bench.sent().len(), 10);
    assert_eq!(bench.next_demand(), None);
}

/// A source that fills all the demand it is given returns from each call.
#[test]
fn demand_without_limit_is_named_in_parts_as_long_as_they_are_filled() {
    let mut bench = Bench::new(None, Gate::Open);
    bench.ask(usize::MAX);
    for _ in 0..3 {
        assert_eq!(bench.next_demand(), Some(10_000));
        assert_eq!(bench.next_demand(), None, "it was told");
        bench.emit(0..10_000);
    }
    assert_eq!(bench.next_demand(), Some(10_000));
    bench.emit(0..9_999);
    assert_eq!(bench.next_demand(), None, "it has no more now");
    bench.side.wake();
    assert_eq!(bench.next_demand(), Some(10_000));

    let mut bench = Bench::new(None, Gate::Open);
    bench.ask(10_000);
    assert_eq!(bench.next_demand(), Some(10_000));
    bench.emit(0..10_000);
    assert_eq!(bench.next_demand(), None, "that was all");
}

/// What a dispatcher returns while the gate is shut is neither forgotten nor
/// counted on top of the events that it is for.
#[test]
fn demand_returned_behind_a_shut_gate_is_served_once() {
    /// Holds every event until its subscriber asks, and returns as much demand
    /// as it hands back.
    #[derive(Default)]
    struct Holds(Vec<u64>, bool);

    impl Dispatcher for Holds {
        type Event = u64;
        type Route = ();

        fn subscribe(&mut self, _: SubscriptionId, (): ()) -> Result<usize, SubscribeError> {
            Ok(0)
        }

        fn cancel(&mut self, _: SubscriptionId, out: &mut Deliveries<u64>) -> usize {
            let held = std::mem::take(&mut self.0);
            let count = held.len();
            out.hand_back(held.into());
            count + usize::from(self.1)
        }

        fn ask(
            &mut self,
            _: SubscriptionId,
            demand: NonZeroUsize,
            _: &mut Deliveries<u64>,
        ) -> usize {
            demand.get()
        }

        fn dispatch(&mut self, events: Batch<u64>, _: &mut Deliveries<u64>) -> Batch<u64> {
            self.0.extend(events.into_vec());
            Batch::new()
        }

        fn held(&self) -> usize {
            self.0.len()
        }
    }

    for wants_one_more in [false, true] {
        let mut out: Outbox<u64, ()> = Outbox::new();
        let holds = Holds(Vec::new(), wants_one_more);
        let mut side = ProducerSide::new(holds, Bound::Unbounded, Overflow::DropOldest, Gate::Open);
        side.ask(id(1), NonZeroUsize::new(5).unwrap(), &mut out);
        side.emit((0..5).collect(), &mut out);
        assert_eq!((side.unmet(), side.held()), (0, 5));
        for round in 1..4 {
            side.set_gate(Gate::Closed, &mut out);
            side.cancel(id(1), &mut out);
            side.take_back(id(1), Vec::new(), &mut out);
            assert_eq!((side.buffered(), side.held()), (5, 0));
            side.set_gate(Gate::Open, &mut out);
            assert_eq!((side.buffered(), side.held()), (0, 5));
            let more = if wants_one_more { round } else { 0 };
            assert_eq!(side.unmet(), more, "after {round} rounds");
        }
    }
}

/// Takes nothing, whatever was asked.
struct Refuses {
    asked: usize,
    open: bool,
}

impl Dispatcher for Refuses {
    type Event = u64;
    type Route = ();

    fn subscribe(&mut self, _: SubscriptionId, (): ()) -> Result<usize, SubscribeError> {
        Ok(0)
    }

    fn cancel(&mut self, _: SubscriptionId, _: &mut Deliveries<u64>) -> usize {
        0
    }

    fn ask(&mut self, _: SubscriptionId, demand: NonZeroUsize, _: &mut Deliveries<u64>) -> usize {
        self.asked += demand.get();
        self.open |= self.asked > 5;
        demand.get()
    }

    fn dispatch(&mut self, events: Batch<u64>, out: &mut Deliveries<u64>) -> Batch<u64> {
        if !self.open {
            return events;
        }
        out.deliver(id(1), events);
        Batch::new()
    }
}

#[test]
fn infos_keep_their_order_when_the_events_before_them_cannot_leave() {
    let mut out: Outbox<u64, &'static str> = Outbox::new();
    let refuses = Refuses {
        asked: 0,
        open: false,
    };
    let mut side = ProducerSide::new(
        refuses,
        Bound::Events(100),
        Overflow::DropOldest,
        Gate::Open,
    );
    side.emit(vec![0, 1], &mut out);
    for info in ["one", "two", "three"] {
        side.info(info, &mut out);
    }
    side.ask(id(1), NonZeroUsize::new(2).unwrap(), &mut out);
    assert!(out.infos.is_empty(), "the events are still there");
    side.ask(id(1), NonZeroUsize::new(4).unwrap(), &mut out);
    assert_eq!(out.infos, ["one", "two", "three"]);
    assert_eq!(side.buffered(), 0);
}

#[test]
fn what_was_asked_for_behind_a_gate_goes_with_the_one_who_asked() {
    let mut out: Outbox<u64, ()> = Outbox::new();
    let mut side = ProducerSide::new(
        Netting::default(),
        Bound::Unbounded,
        Overflow::DropOldest,
        Gate::Closed,
    );
    side.subscribe(id(1), (), &mut out).unwrap();
    side.ask(id(1), NonZeroUsize::new(5).unwrap(), &mut out);
    side.cancel(id(1), &mut out);
    side.take_back(id(1), Vec::new(), &mut out);
    side.set_gate(Gate::Open, &mut out);
    assert_eq!((side.next_demand(), side.unmet()), (None, 0));
    side.emit(vec![0, 1], &mut out);
    assert_eq!(out.deliveries.take_sends().len(), 0);
    assert_eq!(side.buffered(), 2);
}
