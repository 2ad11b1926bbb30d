//! Promises of the public API that no other test relies on.

use std::sync::Arc;

use crate::common::soon;
use stage_core::{DemandLimits, SubscribeError};
use stage_dispatchers::PartitionError;
use stage_runtime::operators::{fold, for_each, from_iter};
use stage_runtime::per_event::{ChildRestart, Shutdown};
use stage_runtime::prelude::*;
use stage_runtime::snapshot::StageKind;
use stage_runtime::{CallError, CastError, Error, SpawnError};
use stage_test::probe::ProducerProbe;

/// These enums are exhaustive on purpose: a match needs no wildcard, and a variant
/// more is a breaking change.
#[test]
fn some_enums_are_closed() {
    let outcome = |outcome: &Outcome| match outcome {
        Outcome::Completed | Outcome::Cancelled(_) | Outcome::Failed(_) => true,
    };
    let cancel = |mode| match mode {
        CancelMode::Permanent
        | CancelMode::Transient
        | CancelMode::Temporary
        | CancelMode::Pooled => true,
    };
    let demand = |mode| match mode {
        DemandMode::Automatic | DemandMode::Manual => true,
    };
    let gate = |gate| match gate {
        Gate::Open | Gate::Closed => true,
    };
    let overflow = |overflow| match overflow {
        Overflow::DropNewest | Overflow::DropOldest => true,
    };
    let kind = |kind| match kind {
        StageKind::Producer | StageKind::ProducerConsumer | StageKind::Consumer => true,
    };
    let shutdown = |shutdown: &Shutdown| match shutdown {
        Shutdown::Immediately | Shutdown::After(_) | Shutdown::Unlimited => true,
    };
    let restart = |restart| match restart {
        ChildRestart::Transient | ChildRestart::Temporary => true,
    };
    assert!(outcome(&Outcome::Completed) && cancel(CancelMode::Permanent));
    assert!(demand(DemandMode::Manual) && gate(Gate::Open));
    assert!(overflow(Overflow::DropNewest) && kind(StageKind::Consumer));
    assert!(restart(ChildRestart::Temporary) && shutdown(&Shutdown::Immediately));
}

#[tokio::test(start_paused = true)]
async fn handles_and_pipelines_can_be_awaited() {
    let pipeline = Pipeline::new();
    let numbers = from_iter(0..10).stage().in_group(&pipeline).spawn();
    let printer = for_each(|_: i32| ())
        .stage()
        .subscribe_to(&numbers)
        .in_group(&pipeline)
        .spawn();
    soon(async { printer.await }).await.unwrap();
    soon(async { (&pipeline).await }).await.unwrap();
    soon(async { pipeline.await }).await.unwrap();

    let failing = for_each(|_: i32| panic!("went wrong"));
    let numbers = from_iter(0..10).stage().spawn();
    let failing = failing.stage().subscribe_to(&numbers).spawn();
    let error = soon(async { failing.await }).await.unwrap_err();
    assert!(error.to_string().contains("went wrong"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_group_is_an_option_of_every_builder_and_the_last_one_counts() {
    let (first, second) = (Pipeline::new(), Pipeline::new());
    let numbers = from_iter(0..3)
        .stage()
        .in_group(&first)
        .in_group(&second)
        .try_spawn()
        .unwrap();
    let sum = fold(0, |sum, n: i32| sum + n)
        .stage()
        .subscribe_to(&numbers)
        .in_group(&second)
        .try_spawn()
        .unwrap();
    assert_eq!(soon(sum.output()).await.unwrap(), 3);
    assert!(first.snapshot().stages.is_empty());
    assert_eq!(second.snapshot().stages.len(), 2);
}

/// Everything fallible converts with `?`.
#[test]
fn every_error_converts_into_the_error_of_a_program() {
    fn demand() -> Result<(), Error> {
        DemandLimits::new(0, 0)?;
        Ok(())
    }
    fn partition() -> Result<(), Error> {
        Partition::<u64>::new(0)?;
        Ok(())
    }
    fn cast() -> Result<(), Error> {
        Err(CastError::Full {
            stage: "counter".into(),
            capacity: 1024,
            message: "a message of any type",
        })?
    }
    fn call() -> Result<(), Error> {
        Err(CallError::Ended {
            stage: "counter".into(),
        })?
    }
    assert!(matches!(demand(), Err(Error::Demand(_))));
    let partition = partition().unwrap_err();
    assert!(matches!(
        partition,
        Error::Partition(PartitionError::NoPartitions)
    ));
    let cast = cast().unwrap_err();
    assert!(cast.to_string().contains("1024 messages"), "{cast}");
    assert!(matches!(call(), Err(Error::Call(_))));
}

/// What a printer shows that writes an error and all of its sources.
fn printed(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text += ": ";
        text += &source.to_string();
        next = source.source();
    }
    text
}

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[tokio::test(start_paused = true)]
async fn errors_print_their_cause_once() {
    let numbers = from_iter(0..3).stage().name("numbers").spawn();
    let wrong = for_each(|_: i32| ())
        .stage()
        .name("wrong")
        .subscribe_to(numbers.subscription().max_demand(0));
    let error = wrong.try_spawn().unwrap_err();
    assert!(matches!(
        error,
        SpawnError::Subscription {
            error: SubscribeError::Demand { .. },
            ..
        }
    ));
    let text = printed(&Error::from(error));
    assert_eq!(count(&text, "max_demand is 0"), 1, "{text}");

    let failing = ProducerProbe::<u64>::new(|_, _| Err("no more paper".into())).0;
    let failing = failing.stage().name("printer").spawn();
    let consumer = for_each(|_: u64| ()).stage().subscribe_to(&failing).spawn();
    let error = soon(consumer.join()).await.unwrap_err();
    let text = printed(&error);
    assert_eq!(count(&text, "no more paper"), 1, "{text}");
    assert_eq!(count(&text, "printer"), 1, "{text}");
}

/// Its options are wrong if it was made with 0.
struct Tickets(usize);

impl Producer for Tickets {
    type Event = usize;

    fn validate(&self) -> StageResult {
        match self.0 {
            0 => Err("0 tickets, but there have to be at least 1".into()),
            _ => Ok(()),
        }
    }

    async fn handle_demand(&mut self, _: usize, out: &mut Emitter<'_, usize>) -> StageResult {
        out.extend(0..self.0);
        out.complete();
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_stage_checks_its_own_options_before_it_starts() {
    let error = Tickets(0).stage().name("tickets").try_spawn().unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("`tickets`") && text.contains("at least 1"),
        "{text}"
    );
    assert!(matches!(error, SpawnError::Invalid { .. }));
    // Spawned all the same, it fails before its first event.
    let tickets = Tickets(0).stage().spawn();
    let sum = fold(0, |sum, n: usize| sum + n);
    let sum = sum.stage().subscribe_to(&tickets).spawn();
    let error = soon(sum.output()).await.unwrap_err();
    assert!(error.to_string().contains("at least 1"), "{error}");
    assert_eq!(tickets.stats().events_out, 0);
}

#[tokio::test(start_paused = true)]
async fn the_next_state_of_a_supervised_stage_is_checked_too() {
    let mut made = 0;
    let tickets = supervised(move || {
        made += 1;
        // The first is right and the next one is not.
        Failing(made)
    })
    .restart(Restart::on_failure().max_restarts(1));
    let tickets = tickets.stage().spawn();
    let consumer = for_each(|_: u64| ()).stage().subscribe_to(&tickets).spawn();
    let error = soon(consumer.join()).await.unwrap_err();
    assert!(error.to_string().contains("state 2 is wrong"), "{error}");
}

struct Failing(usize);

impl Producer for Failing {
    type Event = u64;

    fn validate(&self) -> StageResult {
        match self.0 {
            1 => Ok(()),
            n => Err(format!("state {n} is wrong").into()),
        }
    }

    async fn handle_demand(&mut self, _: usize, _: &mut Emitter<'_, u64>) -> StageResult {
        Err("it fails".into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_names_stages_and_links_by_the_ids_that_handles_have() {
    let pipeline = Pipeline::new();
    let numbers = from_iter(0..).stage().in_group(&pipeline).spawn();
    let sink = for_each(|_: u64| ()).stage().in_group(&pipeline).spawn();
    let link = soon(sink.subscribe(&numbers)).await.unwrap();
    let snapshot = pipeline.snapshot();
    assert_eq!(snapshot.stages[0].id, numbers.id());
    assert_eq!(snapshot.links[0].id, link);
    assert_eq!(snapshot.links[0].consumer.id, sink.id());
    assert_ne!(numbers.id(), sink.id());
    pipeline.stop("enough");
}

/// A route of a dispatcher from outside that has a default.
struct Priority(u8);

impl stage_core::DefaultRoute for Priority {
    fn default_route() -> Self {
        Self(1)
    }
}

/// Hands every event to the subscriber with the highest priority.
#[derive(Default)]
struct ByPriority {
    demand: Demand<u64>,
    priorities: Arc<std::sync::Mutex<Vec<u8>>>,
}

impl stage_core::Dispatcher for ByPriority {
    type Event = u64;
    type Route = Priority;

    fn subscribe(&mut self, id: SubscriptionId, route: Priority) -> Result<usize, SubscribeError> {
        self.priorities.lock().unwrap().push(route.0);
        self.demand.subscribe(id, ())
    }

    fn cancel(&mut self, id: SubscriptionId, out: &mut stage_core::Deliveries<u64>) -> usize {
        self.demand.cancel(id, out)
    }

    fn ask(
        &mut self,
        id: SubscriptionId,
        demand: std::num::NonZeroUsize,
        out: &mut stage_core::Deliveries<u64>,
    ) -> usize {
        self.demand.ask(id, demand, out)
    }

    fn dispatch(
        &mut self,
        events: Batch<u64>,
        out: &mut stage_core::Deliveries<u64>,
    ) -> Batch<u64> {
        self.demand.dispatch(events, out)
    }
}

#[tokio::test(start_paused = true)]
async fn a_route_of_your_own_may_have_a_default() {
    let dispatcher = ByPriority::default();
    let seen = Arc::clone(&dispatcher.priorities);
    let numbers = from_iter(0..10).stage().dispatcher(dispatcher).spawn();
    let plain = for_each(|_: u64| ()).stage().subscribe_to(&numbers).spawn();
    let high = numbers.route(Priority(9)).max_demand(1);
    let high = for_each(|_: u64| ()).stage().subscribe_to(high).spawn();
    soon(plain.join()).await.unwrap();
    soon(high.join()).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [1, 9]);
}
