//! [`Calls`]: the recorded handler calls of a probe.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::time::Duration;

use stage_core::{Info, Outcome, Peer, StageResult};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// The time limit for a call that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// The time for which no call must come. With paused time it passes as soon as
/// no task can make progress.
const QUIET: Duration = Duration::from_millis(50);

/// A call of one of a probe's handlers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Call<E> {
    /// `handle_demand`, with this demand.
    Demand(usize),
    /// `handle_events`, with these events.
    Events(Vec<E>),
    /// `handle_subscribe` of a consumer: this producer.
    ProducerJoined(Peer),
    /// `handle_cancel` of a consumer: this producer, this outcome.
    ProducerLeft(Peer, Outcome),
    /// `handle_subscribe` of a producer: this consumer.
    ConsumerJoined(Peer),
    /// `handle_cancel` of a producer: this consumer, this outcome.
    ConsumerLeft(Peer, Outcome),
    /// `handle_info`, with this text, or with the name of the type if the info
    /// is no text.
    Info(&'static str),
    /// `handle_complete`.
    Completing,
    /// `terminate`.
    Terminated(Outcome),
}

/// The calls of a probe, in order, for a test to await.
///
/// Methods that wait for one kind of call keep other calls for later. They
/// panic if the call does not come within 20 seconds.
#[derive(Debug)]
pub struct Calls<E> {
    arrived: VecDeque<Call<E>>,
    probe: mpsc::UnboundedReceiver<Call<E>>,
}

impl<E: Debug> Calls<E> {
    /// Returns the next call of any kind.
    ///
    /// # Panics
    ///
    /// If no call comes within 20 seconds.
    pub async fn next(&mut self) -> Call<E> {
        self.pick("a call", Ok).await
    }

    /// Returns the events of the next call of `handle_events`.
    ///
    /// # Panics
    ///
    /// If no such call comes within 20 seconds.
    pub async fn events(&mut self) -> Vec<E> {
        self.pick("events", |call| match call {
            Call::Events(events) => Ok(events),
            other => Err(other),
        })
        .await
    }

    /// Returns the next `count` events, from one or more batches.
    ///
    /// # Panics
    ///
    /// If fewer come, or if the last batch exceeds `count`.
    pub async fn gather(&mut self, count: usize) -> Vec<E> {
        let mut gathered = Vec::new();
        while gathered.len() < count {
            gathered.extend(self.events().await);
        }
        assert_eq!(gathered.len(), count, "more events came: {gathered:?}");
        gathered
    }

    /// Returns the demand of the next call of `handle_demand`.
    ///
    /// # Panics
    ///
    /// If no such call comes within 20 seconds.
    pub async fn demand(&mut self) -> usize {
        self.pick("demand", |call| match call {
            Call::Demand(demand) => Ok(demand),
            other => Err(other),
        })
        .await
    }

    /// Returns the next producer that the probe subscribed to.
    ///
    /// # Panics
    ///
    /// If no such call comes within 20 seconds.
    pub async fn producer_joined(&mut self) -> Peer {
        self.pick("a subscription to a producer", |call| match call {
            Call::ProducerJoined(peer) => Ok(peer),
            other => Err(other),
        })
        .await
    }

    /// Returns the next producer whose subscription ended, and the outcome.
    ///
    /// # Panics
    ///
    /// If no such call comes within 20 seconds.
    pub async fn producer_left(&mut self) -> (Peer, Outcome) {
        self.pick("the end of a producer", |call| match call {
            Call::ProducerLeft(peer, outcome) => Ok((peer, outcome)),
            other => Err(other),
        })
        .await
    }

    /// Returns the next consumer that subscribed.
    ///
    /// # Panics
    ///
    /// If no such call comes within 20 seconds.
    pub async fn consumer_joined(&mut self) -> Peer {
        self.pick("the subscription of a consumer", |call| match call {
            Call::ConsumerJoined(peer) => Ok(peer),
            other => Err(other),
        })
        .await
    }

    /// Returns the next consumer whose subscription ended, and the outcome.
    ///
    /// # Panics
    ///
    /// If no such call comes within 20 seconds.
    pub async fn consumer_left(&mut self) -> (Peer, Outcome) {
        self.pick("the end of a consumer", |call| match call {
            Call::ConsumerLeft(peer, outcome) => Ok((peer, outcome)),
            other => Err(other),
        })
        .await
    }

    /// Returns the text of the next info.
    ///
    /// # Panics
    ///
    /// If no such call comes within 20 seconds.
    pub async fn info(&mut self) -> &'static str {
        self.pick("an info", |call| match call {
            Call::Info(text) => Ok(text),
            other => Err(other),
        })
        .await
    }

    /// Returns the outcome of the probe.
    ///
    /// # Panics
    ///
    /// If the probe does not end within 20 seconds.
    pub async fn terminated(&mut self) -> Outcome {
        self.pick("the end", |call| match call {
            Call::Terminated(outcome) => Ok(outcome),
            other => Err(other),
        })
        .await
    }

    /// Checks that no call is left and that none comes for 50 ms.
    ///
    /// # Panics
    ///
    /// If there is one.
    pub async fn quiet(&mut self) {
        let call = match self.arrived.pop_front() {
            Some(call) => Some(call),
            None => timeout(QUIET, self.probe.recv()).await.ok().flatten(),
        };
        assert!(call.is_none(), "nothing should have been called: {call:?}");
    }

    /// Waits until no call has come for 50 ms, and returns all calls.
    pub async fn drain(&mut self) -> Vec<Call<E>> {
        while let Ok(Some(call)) = timeout(QUIET, self.probe.recv()).await {
            self.arrived.push_back(call);
        }
        self.arrived.drain(..).collect()
    }

    async fn pick<T>(&mut self, what: &str, pick: impl Fn(Call<E>) -> Result<T, Call<E>>) -> T {
        let mut passed_over = VecDeque::new();
        let picked = loop {
            let call = match self.arrived.pop_front() {
                Some(call) => Some(call),
                None => timeout(PATIENCE, self.probe.recv()).await.ok().flatten(),
            };
            match call.map(&pick) {
                Some(Ok(picked)) => break picked,
                Some(Err(other)) => passed_over.push_back(other),
                None => panic!("waited in vain for {what}; there were {passed_over:?}"),
            }
        };
        passed_over.append(&mut self.arrived);
        self.arrived = passed_over;
        picked
    }
}

type Hook<E> = Box<dyn FnMut(&Call<E>) -> StageResult + Send>;

/// Records calls for a test.
pub(super) struct Recorder<E> {
    calls: mpsc::UnboundedSender<Call<E>>,
    hook: Hook<E>,
}

impl<E: Clone> Recorder<E> {
    pub(super) fn new() -> (Self, Calls<E>) {
        let (calls, probe) = mpsc::unbounded_channel();
        let recorder = Self {
            calls,
            hook: Box::new(|_| Ok(())),
        };
        let arrived = VecDeque::new();
        (recorder, Calls { arrived, probe })
    }

    pub(super) fn set_hook(&mut self, hook: impl FnMut(&Call<E>) -> StageResult + Send + 'static) {
        self.hook = Box::new(hook);
    }

    /// Sends the call to the test, then runs the test's hook.
    pub(super) fn record(&mut self, call: &Call<E>) -> StageResult {
        // Sending fails if the test dropped its `Calls`, which is fine.
        let _ = self.calls.send(call.clone());
        (self.hook)(call)
    }

    pub(super) fn record_info(&mut self, info: &Info) -> StageResult {
        let text = info.downcast_ref().copied();
        self.record(&Call::Info(text.unwrap_or(info.type_name())))
    }
}
