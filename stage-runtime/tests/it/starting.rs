//! How stages begin: as the value they are, bound to nobody, under any name.

use crate::common::{pending, soon, word};
use futures::{StreamExt, TryStreamExt};
use stage_runtime::SpawnError;
use stage_runtime::operators::from_iter;
use stage_runtime::prelude::*;
use stage_test::probe::{Call, Calls, ConsumerProbe, ProducerProbe, RelayProbe, act};
use tokio::sync::oneshot;

/// Nothing was ever called: the stage was never started.
async fn never_started(mut calls: Calls<u64>) {
    let calls: Vec<Call<u64>> = calls.drain().await;
    assert!(calls.is_empty(), "{calls:?}");
}

/// GS146 GS157 GS171: what an `init` there may answer instead of starting.
/// Here the value is made before, and options that cannot work start nothing.
#[tokio::test(start_paused = true)]
async fn what_cannot_work_is_not_started() {
    let source = from_iter(0..3u64).stage().spawn();
    let terms = || source.subscription().max_demand(0);

    let (probe, calls) = ConsumerProbe::<u64>::new();
    let error = probe.stage().subscribe_to(terms()).try_spawn().unwrap_err();
    assert!(matches!(error, SpawnError::Subscription { .. }), "{error}");
    never_started(calls).await;

    let (probe, calls) = RelayProbe::<u64, u64>::new(|_, _| Ok(()));
    let error = probe.stage().subscribe_to(terms()).try_spawn().unwrap_err();
    assert!(matches!(error, SpawnError::Subscription { .. }), "{error}");
    never_started(calls).await;

    // A builder that nobody spawns is a value like any other.
    let (probe, calls) = ProducerProbe::<u64>::silent();
    drop(probe.stage());
    never_started(calls).await;
}

/// GS146 GS157 GS171: there, the second of a name is refused.
#[tokio::test(start_paused = true)]
async fn two_stages_may_have_one_name() {
    let producers = [(); 2].map(|()| ProducerProbe::<u64>::silent().0);
    let [one, two] = producers.map(|probe| probe.stage().name("same").spawn());
    let relays = [(); 2].map(|()| RelayProbe::<u64, u64>::new(|_, _| Ok(())).0);
    let [three, four] = relays.map(|probe| probe.stage().name("same").spawn());
    let consumers = [(); 2].map(|()| ConsumerProbe::<u64>::new().0);
    let [five, six] = consumers.map(|probe| probe.stage().name("same").spawn());

    let names = [one.name(), two.name(), three.name(), four.name()];
    assert_eq!(names, ["same"; 4]);
    assert_eq!([five.name(), six.name()], ["same"; 2]);
    let mut ids = [one.id(), two.id(), three.id()].to_vec();
    ids.extend([four.id(), five.id(), six.id()]);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 6);
    one.stop("enough");
    soon(one.outcome()).await;
    soon(two.call(act(|_| Ok(())))).await.unwrap();
}

/// GS207
#[tokio::test(start_paused = true)]
async fn a_producer_is_named_by_its_handle_or_by_a_reference_to_it() {
    let (probe, _) = ProducerProbe::counting();
    let source = probe.stage().spawn();
    let elsewhere = source.stage_ref();
    let (one, mut ones) = ConsumerProbe::new();
    let (two, mut twos) = ConsumerProbe::new();
    let (three, mut threes) = ConsumerProbe::new();
    one.stage().subscribe_to(&source).spawn();
    two.stage().subscribe_to(&elsewhere).spawn();
    three.stage().subscribe_to(source.subscription()).spawn();
    for calls in [&mut ones, &mut twos, &mut threes] {
        assert_eq!(&*calls.producer_joined().await.stage, source.name());
        assert!(!calls.events().await.is_empty());
    }
}

/// GS204: there, a source ends with whoever started it unless told otherwise.
#[tokio::test(start_paused = true)]
async fn a_source_outlives_the_task_that_spawned_it() {
    let (tells, told) = oneshot::channel();
    let starter = tokio::spawn(async {
        let source = from_iter(0..3u64).stage().spawn();
        tells.send(source.stage_ref()).unwrap();
        panic!("went wrong");
    });
    assert!(soon(starter).await.unwrap_err().is_panic());
    let source = soon(told).await.unwrap();
    let stream = source.subscription().into_stream().unwrap();
    let all: Vec<u64> = soon(stream.try_collect()).await.unwrap();
    assert_eq!(all, [0, 1, 2]);
}

/// Counts in a circle; ends when a consumer leaves, if it is told to.
struct Circle {
    next: u64,
    stops: bool,
}

impl Producer for Circle {
    type Event = u64;

    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, u64>) -> StageResult {
        for _ in 0..demand {
            out.push(self.next % 3 + 1);
            self.next += 1;
        }
        Ok(())
    }

    async fn handle_cancel(
        &mut self,
        _: &Peer,
        _: &Outcome,
        out: &mut Emitter<'_, u64>,
    ) -> StageResult {
        if self.stops {
            out.complete();
        }
        Ok(())
    }
}

/// GS206: a source goes on when its consumer leaves; one that is to end says
/// so in `handle_cancel`.
#[tokio::test(start_paused = true)]
async fn a_source_ends_with_its_consumer_only_where_it_says_so() {
    let cycle = from_iter([1u64, 2, 3].into_iter().cycle()).stage().spawn();
    let stream = cycle.subscription().into_stream().unwrap();
    let five: Vec<u64> = soon(stream.take(5).try_collect()).await.unwrap();
    assert_eq!(five, [1, 2, 3, 1, 2]);
    pending(cycle.outcome()).await;

    for stops in [false, true] {
        let circle = Circle { next: 0, stops }.stage().spawn();
        // What was handed back would have to be delivered first.
        let terms = circle.subscription().max_demand(5).min_demand(0);
        let stream = terms.into_stream().unwrap();
        let five: Vec<u64> = soon(stream.take(5).try_collect()).await.unwrap();
        assert_eq!(five, [1, 2, 3, 1, 2]);
        if stops {
            assert_eq!(word(&soon(circle.outcome()).await), "completed");
        } else {
            pending(circle.outcome()).await;
        }
    }
}
