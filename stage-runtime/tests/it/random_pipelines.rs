//! Pipelines of random shape and demand: every event arrives, exactly as often
//! as the dispatchers say, and the counters agree.

use std::time::Duration;

use proptest::prelude::*;
use stage_runtime::ProducerConsumerHandle;
use stage_runtime::operators::{fold, from_iter};
use stage_runtime::prelude::*;
use stage_test::assert_settled;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

#[derive(Debug, Clone)]
struct Shape {
    threads: bool,
    co_located: bool,
    events: u64,
    sources: usize,
    workers: usize,
    sinks: usize,
    demands: Vec<(usize, usize)>,
}

impl Shape {
    fn demand(&self, link: usize) -> (usize, usize) {
        self.demands[link % self.demands.len()]
    }

    fn runtime(&self) -> Runtime {
        let mut builder = if self.threads {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(2);
            builder
        } else {
            Builder::new_current_thread()
        };
        builder.enable_all().build().unwrap()
    }
}

fn shapes() -> impl Strategy<Value = Shape> {
    let demand = (1..40usize).prop_flat_map(|max| (Just(max), 0..max));
    (
        any::<bool>(),
        any::<bool>(),
        0..400u64,
        1..4usize,
        1..4usize,
        1..5usize,
        prop::collection::vec(demand, 1..8),
    )
        .prop_map(
            |(threads, co_located, events, sources, workers, sinks, demands)| Shape {
                threads,
                co_located,
                events,
                sources,
                workers,
                sinks,
                demands,
            },
        )
}

fn with(subscription: Subscription<u64>, (max, min): (usize, usize)) -> Subscription<u64> {
    subscription.max_demand(max).min_demand(min)
}

fn collect()
-> stage_runtime::operators::Fold<Vec<u64>, impl FnMut(Vec<u64>, u64) -> Vec<u64> + Send, u64> {
    fold(Vec::new(), |mut all: Vec<u64>, n| {
        all.push(n);
        all
    })
}

/// Sources -> workers (Demand) -> sinks (by `wire`); returns what each sink
/// got.
fn run<R: Send + 'static, D: stage_core::Dispatcher<Event = u64, Route = R> + 'static>(
    shape: &Shape,
    dispatcher: impl Fn() -> D,
    wire: impl Fn(&ProducerConsumerHandle<Relay, R>, usize) -> Option<Subscription<u64>>,
) -> Vec<Vec<u64>> {
    shape.runtime().block_on(async {
        let pipeline = Pipeline::new();
        let mut group = pipeline.group(stage_runtime::RestartStrategy::OneForOne);
        if shape.co_located {
            group = group.co_located();
        }
        let sources: Vec<_> = (0..shape.sources as u64)
            .map(|source| {
                let from = source * shape.events;
                from_iter(from..from + shape.events)
                    .stage()
                    .gate(Gate::Closed)
                    .in_group(&group)
                    .spawn()
            })
            .collect();
        let mut link = 0;
        let mut next = || {
            link += 1;
            shape.demand(link)
        };
        let workers: Vec<_> = (0..shape.workers)
            .map(|_| {
                sources
                    .iter()
                    .fold(Relay.stage().dispatcher(dispatcher()), |stage, source| {
                        stage.subscribe_to(with(source.subscription(), next()))
                    })
                    .in_group(&group)
                    .spawn()
            })
            .collect();
        let sinks: Vec<_> = (0..shape.sinks)
            .map(|sink| {
                workers
                    .iter()
                    .filter_map(|worker| wire(worker, sink))
                    .fold(collect().stage(), |stage, subscription| {
                        stage.subscribe_to(with(subscription, next()))
                    })
                    .in_group(&group)
                    .spawn()
            })
            .collect();
        // Spawning has put every subscription in place.
        for source in &sources {
            source.set_gate(Gate::Open);
        }
        let mut got = Vec::new();
        for sink in sinks {
            let output = timeout(Duration::from_secs(20), sink.output()).await;
            got.push(output.expect("the pipeline stands still").unwrap());
        }
        for worker in workers {
            let stats = worker.stats();
            assert_eq!(stats.events_in, stats.events_out);
            assert_eq!((stats.discarded, stats.buffered), (0, 0));
            worker.join().await.unwrap();
        }
        pipeline.join().await.unwrap();
        assert_settled(&pipeline);
        got
    })
}

/// Hands every event on.
#[derive(Debug)]
struct Relay;

impl ProducerConsumer for Relay {
    type In = u64;
    type Out = u64;

    async fn handle_events(
        &mut self,
        events: &mut Batch<u64>,
        out: &mut Emitter<'_, u64>,
    ) -> StageResult {
        out.extend(events);
        Ok(())
    }
}

fn all(shape: &Shape) -> Vec<u64> {
    (0..shape.events * shape.sources as u64).collect()
}

fn sorted(mut events: Vec<u64>) -> Vec<u64> {
    events.sort_unstable();
    events
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn demand_hands_every_event_to_one_consumer(shape in shapes()) {
        let got = run(&shape, Demand::new, |worker, _| Some(worker.subscription()));
        prop_assert_eq!(sorted(got.concat()), all(&shape));
    }

    #[test]
    fn broadcast_hands_every_event_to_every_consumer(shape in shapes()) {
        let got = run(&shape, Broadcast::new, |worker, sink| {
            Some(if sink == 0 {
                worker.selector(|n| n % 3 != 0)
            } else {
                worker.subscription()
            })
        });
        for (sink, events) in got.into_iter().enumerate() {
            let wanted = all(&shape).into_iter().filter(|n| sink > 0 || n % 3 != 0);
            prop_assert_eq!(sorted(events), wanted.collect::<Vec<_>>());
        }
    }

    #[test]
    fn partition_hands_every_event_to_its_owner(shape in shapes()) {
        let sinks = shape.sinks;
        let got = run(
            &shape,
            || Partition::by_name(0..sinks, move |n: &u64| Some(*n as usize % sinks))
                .unwrap()
                .queue_bound(3),
            |worker, sink| Some(worker.partition(sink)),
        );
        for (sink, events) in got.into_iter().enumerate() {
            let wanted = all(&shape).into_iter().filter(|n| *n as usize % sinks == sink);
            prop_assert_eq!(sorted(events), wanted.collect::<Vec<_>>());
        }
    }
}
