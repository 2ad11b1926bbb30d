//! What the handlers of a probe were called with.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::time::Duration;

use stage_core::{Info, Outcome, Peer, StageResult};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a test waits for what must not come. With paused time it passes
/// as soon as no task can go on.
const QUIET: Duration = Duration::from_millis(50);

/// One call of one of a probe's handlers.
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
    /// `handle_info`, with this text; of another type, the type's name.
    Info(&'static str),
    /// `handle_complete`.
    Completing,
    /// `terminate`.
    Terminated(Outcome),
}

/// The calls of a probe, in order, to be awaited by a test.
///
/// The methods that wait for one kind of call leave the other calls for later.
/// All of them panic when what they wait for does not come.
#[derive(Debug)]
pub struct Calls<E> {
    arrived: VecDeque<Call<E>>,
    probe: mpsc::UnboundedReceiver<Call<E>>,
}

impl<E: Debug> Calls<E> {
    /// The next call, whatever it is.
    ///
    /// # Panics
    ///
    /// When no call comes.
    pub async fn next(&mut self) -> Call<E> {
        self.pick("a call", Ok).await
    }

    /// The events of the next call of `handle_events`.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub async fn events(&mut self) -> Vec<E> {
        self.pick("events", |call| match call {
            Call::Events(events) => Ok(events),
            other => Err(other),
        })
        .await
    }

    /// The next `count` events, in however many batches.
    ///
    /// # Panics
    ///
    /// When fewer come, or the last batch goes beyond `count`.
    pub async fn gather(&mut self, count: usize) -> Vec<E> {
        let mut gathered = Vec::new();
        while gathered.len() < count {
            gathered.extend(self.events().await);
        }
        assert_eq!(gathered.len(), count, "more events came: {gathered:?}");
        gathered
    }

    /// The demand of the next call of `handle_demand`.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub async fn demand(&mut self) -> usize {
        self.pick("demand", |call| match call {
            Call::Demand(demand) => Ok(demand),
            other => Err(other),
        })
        .await
    }

    /// The next producer subscribed to.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub async fn producer_joined(&mut self) -> Peer {
        self.pick("a subscription to a producer", |call| match call {
            Call::ProducerJoined(peer) => Ok(peer),
            other => Err(other),
        })
        .await
    }

    /// The next producer whose subscription ended, and how.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub async fn producer_left(&mut self) -> (Peer, Outcome) {
        self.pick("the end of a producer", |call| match call {
            Call::ProducerLeft(peer, outcome) => Ok((peer, outcome)),
            other => Err(other),
        })
        .await
    }

    /// The next consumer that subscribed.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub async fn consumer_joined(&mut self) -> Peer {
        self.pick("the subscription of a consumer", |call| match call {
            Call::ConsumerJoined(peer) => Ok(peer),
            other => Err(other),
        })
        .await
    }

    /// The next consumer whose subscription ended, and how.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub async fn consumer_left(&mut self) -> (Peer, Outcome) {
        self.pick("the end of a consumer", |call| match call {
            Call::ConsumerLeft(peer, outcome) => Ok((peer, outcome)),
            other => Err(other),
        })
        .await
    }

    /// The text of the next info.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub async fn info(&mut self) -> &'static str {
        self.pick("an info", |call| match call {
            Call::Info(text) => Ok(text),
            other => Err(other),
        })
        .await
    }

    /// How the probe ended.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub async fn terminated(&mut self) -> Outcome {
        self.pick("the end", |call| match call {
            Call::Terminated(outcome) => Ok(outcome),
            other => Err(other),
        })
        .await
    }

    /// Checks that no call is left, and that none comes.
    ///
    /// # Panics
    ///
    /// When there is one.
    pub async fn quiet(&mut self) {
        let call = match self.arrived.pop_front() {
            Some(call) => Some(call),
            None => timeout(QUIET, self.probe.recv()).await.ok().flatten(),
        };
        assert!(call.is_none(), "nothing should have been called: {call:?}");
    }

    /// Waits until no call comes any more, and takes all there were.
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

/// Tells a test of the calls.
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

    /// Tells the test, then runs its hook.
    pub(super) fn record(&mut self, call: &Call<E>) -> StageResult {
        // A test that dropped its calls does not want to know.
        let _ = self.calls.send(call.clone());
        (self.hook)(call)
    }

    pub(super) fn record_info(&mut self, info: &Info) -> StageResult {
        let text = info.downcast_ref().copied();
        self.record(&Call::Info(text.unwrap_or(info.type_name())))
    }
}
