//! Source, adder, sum, as actors: a message an event.
//!
//! kameo's mailbox is bounded. That of ractor is not, so there a thousand
//! credits bound what is under way, which the last actor gives back 500 at a
//! time; without them it would be measured how fast memory fills up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kameo::actor::{PreparedActor, Spawn};
use kameo::message::{Context, Message};
use ractor::{ActorProcessingErr, ActorRef};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use super::chain::expected;

const AHEAD: usize = 1000;

// --- ractor -----------------------------------------------------------------

struct Adder;
struct Sum;

struct SumState {
    sum: u64,
    credits: Arc<Semaphore>,
    handled: usize,
    result: Option<tokio::sync::oneshot::Sender<u64>>,
}

impl ractor::Actor for Adder {
    type Msg = u64;
    type State = ActorRef<u64>;
    type Arguments = ActorRef<u64>;

    async fn pre_start(
        &self,
        _: ActorRef<u64>,
        next: ActorRef<u64>,
    ) -> Result<ActorRef<u64>, ActorProcessingErr> {
        Ok(next)
    }

    async fn handle(
        &self,
        _: ActorRef<u64>,
        n: u64,
        next: &mut ActorRef<u64>,
    ) -> Result<(), ActorProcessingErr> {
        Ok(next.cast(n + 1)?)
    }

    async fn post_stop(
        &self,
        _: ActorRef<u64>,
        next: &mut ActorRef<u64>,
    ) -> Result<(), ActorProcessingErr> {
        Ok(next.drain()?)
    }
}

impl ractor::Actor for Sum {
    type Msg = u64;
    type State = SumState;
    type Arguments = SumState;

    async fn pre_start(
        &self,
        _: ActorRef<u64>,
        state: SumState,
    ) -> Result<SumState, ActorProcessingErr> {
        Ok(state)
    }

    async fn handle(
        &self,
        _: ActorRef<u64>,
        n: u64,
        state: &mut SumState,
    ) -> Result<(), ActorProcessingErr> {
        state.sum += n;
        state.handled += 1;
        if state.handled.is_multiple_of(AHEAD / 2) {
            state.credits.add_permits(AHEAD / 2);
        }
        Ok(())
    }

    async fn post_stop(
        &self,
        _: ActorRef<u64>,
        state: &mut SumState,
    ) -> Result<(), ActorProcessingErr> {
        if let Some(result) = state.result.take() {
            // Nobody waits any more only if the benchmark was given up.
            let _ = result.send(state.sum);
        }
        Ok(())
    }
}

/// An event, a message.
pub(crate) fn ractor(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let credits = Arc::new(Semaphore::new(AHEAD));
        let (result, sum) = tokio::sync::oneshot::channel();
        let state = SumState {
            sum: 0,
            credits: Arc::clone(&credits),
            handled: 0,
            result: Some(result),
        };
        let (last, _) = ractor::Actor::spawn(None, Sum, state)
            .await
            .expect("the actor starts");
        let (adder, _) = ractor::Actor::spawn(None, Adder, last)
            .await
            .expect("the actor starts");
        tokio::spawn(async move {
            let mut next = 0;
            while next < events {
                let end = events.min(next + AHEAD as u64 / 2);
                let permits = credits.acquire_many((end - next) as u32).await;
                permits.expect("it is never closed").forget();
                for n in next..end {
                    adder.cast(n).expect("the actor runs");
                }
                next = end;
            }
            adder.drain().expect("the actor runs");
        });
        assert_eq!(sum.await, Ok(expected(events, 1)));
        started.elapsed()
    })
}

// --- kameo ------------------------------------------------------------------

struct KameoAdder(kameo::actor::ActorRef<KameoSum>);

struct KameoSum(u64);

impl kameo::Actor for KameoAdder {
    type Args = Self;
    type Error = kameo::error::Infallible;

    async fn on_start(args: Self, _: kameo::actor::ActorRef<Self>) -> Result<Self, Self::Error> {
        Ok(args)
    }
}

impl kameo::Actor for KameoSum {
    type Args = Self;
    type Error = kameo::error::Infallible;

    async fn on_start(args: Self, _: kameo::actor::ActorRef<Self>) -> Result<Self, Self::Error> {
        Ok(args)
    }
}

impl Message<u64> for KameoAdder {
    type Reply = ();

    async fn handle(&mut self, n: u64, _: &mut Context<Self, ()>) {
        self.0.tell(n + 1).await.expect("the actor runs");
    }
}

impl Message<u64> for KameoSum {
    type Reply = ();

    async fn handle(&mut self, n: u64, _: &mut Context<Self, ()>) {
        self.0 += n;
    }
}

/// An event, a message.
pub(crate) fn kameo(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let last = PreparedActor::<KameoSum>::new(kameo::mailbox::bounded(AHEAD));
        let sum = last.actor_ref().clone();
        let last = last.spawn(KameoSum(0));
        let adder =
            KameoAdder::spawn_with_mailbox(KameoAdder(sum.clone()), kameo::mailbox::bounded(AHEAD));
        let source = tokio::spawn(async move {
            for n in 0..events {
                adder.tell(n).await.expect("the actor runs");
            }
            // Handled after everything that was told before.
            adder.stop_gracefully().await.expect("the actor runs");
            adder.wait_for_shutdown().await;
            sum.stop_gracefully().await.expect("the actor runs");
        });
        source.await.expect("the task does not panic");
        let (sum, _) = last
            .await
            .expect("the task does not panic")
            .expect("the actor does not panic");
        assert_eq!(sum.0, expected(events, 1));
        started.elapsed()
    })
}
