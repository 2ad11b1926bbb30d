//! `ProducerSide` step by step, and under random scripts.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use stage_core::{
    Batch, Deliveries, Dispatcher, Gate, Keep, Outbox, ProducerSide, SubscribeError,
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
        let mut side = Side::new(dispatcher, bound, Keep::Last, gate);
        let mut out = Outbox::new();
        side.subscribe(id(1), (), &mut out)
            .expect("nobody is subscribed");
        Self { side, out }
    }

    fn ask(&mut self, demand: usize) {
        let demand = NonZeroUsize::new(demand).expect("demand is at least 1");
        self.side.ask(id(1), demand, &mut self.out);
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
    let mut bench = Bench::new(None, Gate::Forward);
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
    let mut bench = Bench::new(None, Gate::Forward);
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
    let mut bench = Bench::new(None, Gate::Accumulate);
    bench.ask(3);
    bench.emit(0..2);
    assert_eq!((bench.next_demand(), bench.sent()), (None, vec![]));

    bench.side.set_gate(Gate::Forward, &mut bench.out);
    assert_eq!(bench.sent(), [0, 1]);
    assert_eq!(bench.next_demand(), Some(1));
}

/// Where the step itself brings no demand, what the dispatcher says at rest
/// has to be served all the same.
#[test]
fn demand_that_only_shows_at_rest_is_served_from_the_buffer() {
    let mut bench = Bench::over(Oldest::lazy(), None, Gate::Forward);
    bench.emit(0..4);
    bench.ask(6);
    assert_eq!(bench.sent(), [0, 1, 2, 3]);
    assert_eq!(bench.next_demand(), Some(2));
}

/// The demand of a subscriber that cancels stays unmet; when the next one
/// comes, upstream need not be told again.
#[test]
fn demand_outlives_the_subscriber_and_its_events_are_buffered() {
    let mut bench = Bench::new(None, Gate::Forward);
    bench.ask(3);
    bench.side.cancel(id(1), [], &mut bench.out);
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
    let mut bench = Bench::over(Oldest::plain(), None, Gate::Forward);
    bench.side.subscribe(id(2), (), &mut bench.out).unwrap();
    bench.ask(3);
    bench.emit(0..3);
    assert_eq!(bench.sent(), [0, 1, 2]);
    let five = NonZeroUsize::new(5).unwrap();
    bench.side.ask(id(2), five, &mut bench.out);
    let unhandled = [Batch::from(vec![1, 2])];
    bench.side.cancel(id(1), unhandled, &mut bench.out);
    assert_eq!((bench.sent(), bench.side.buffered()), (vec![1, 2], 0));
}

/// The same for what was emitted while the gate was shut.
#[test]
fn an_opened_gate_lets_out_what_was_asked_for_before_it_was_shut() {
    let mut bench = Bench::over(Oldest::plain(), None, Gate::Forward);
    bench.ask(3);
    bench.side.set_gate(Gate::Accumulate, &mut bench.out);
    bench.emit(0..3);
    assert!(bench.sent().is_empty());
    bench.side.set_gate(Gate::Forward, &mut bench.out);
    assert_eq!((bench.sent(), bench.side.buffered()), (vec![0, 1, 2], 0));
}

#[test]
fn new_events_queue_behind_buffered_ones() {
    let mut bench = Bench::new(None, Gate::Accumulate);
    bench.ask(4);
    bench.emit(0..2);
    bench.side.set_gate(Gate::Forward, &mut bench.out);
    bench.emit(2..6);
    assert_eq!(bench.sent(), [0, 1, 2, 3]);
    assert_eq!(bench.side.buffered(), 2);
    assert!(!bench.side.is_drained());
}

#[test]
fn a_full_buffer_reports_what_it_discarded() {
    let mut bench = Bench::new(Some(3), Gate::Forward);
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
        let mut bench = Bench::new(bound, Gate::Forward);
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
    let mut bench = Bench::new(None, Gate::Forward);
    for _ in 0..3 {
        bench.ask(usize::MAX);
    }
    assert_eq!(bench.next_demand(), Some(usize::MAX));
    bench.emit(0..5);
    assert_eq!(bench.sent().len(), 5);
    assert_eq!(bench.side.unmet(), usize::MAX - 5);
}

#[test]
fn a_refused_subscription_changes_nothing() {
    let mut bench = Bench::new(None, Gate::Forward);
    bench.ask(2);
    let refused = bench.side.subscribe(id(1), (), &mut bench.out);
    assert_eq!(
        refused,
        Err(SubscribeError::AlreadySubscribed { id: id(1) })
    );
    assert_eq!(bench.side.unmet(), 2);
}
