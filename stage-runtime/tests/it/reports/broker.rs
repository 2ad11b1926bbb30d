//! A queue outside of the pipeline that leases its messages, and a source that reads it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use stage_runtime::prelude::*;
use tokio::time::{Instant, sleep};

#[derive(Default)]
struct Messages {
    ready: VecDeque<u64>,
    /// When each lease runs out.
    leased: BTreeMap<u64, Instant>,
    acked: Vec<u64>,
    /// Acknowledged without a lease.
    refused: Vec<u64>,
    /// Given back, or ready again because their lease had run out.
    released: Vec<u64>,
    expired: Vec<u64>,
}

/// A queue whose messages are ready again when their lease runs out.
#[derive(Clone)]
pub(crate) struct Broker {
    messages: Arc<Mutex<Messages>>,
    lease: Duration,
}

impl Broker {
    pub(crate) fn new(numbers: impl IntoIterator<Item = u64>, lease: Duration) -> Self {
        let messages = Messages {
            ready: numbers.into_iter().collect(),
            ..Messages::default()
        };
        Self {
            messages: Arc::new(Mutex::new(messages)),
            lease,
        }
    }

    fn with<T>(&self, f: impl FnOnce(&mut Messages) -> T) -> T {
        let mut messages = self.messages.lock().unwrap();
        let now = Instant::now();
        let leased = messages.leased.iter();
        let over: Vec<_> = leased
            .filter(|(_, until)| **until <= now)
            .map(|(n, _)| *n)
            .collect();
        for n in over {
            messages.leased.remove(&n);
            messages.expired.push(n);
            messages.ready.push_back(n);
        }
        f(&mut messages)
    }

    pub(crate) fn receive(&self, most: usize) -> Vec<u64> {
        let until = Instant::now() + self.lease;
        self.with(|messages| {
            let count = most.min(messages.ready.len());
            let received: Vec<_> = messages.ready.drain(..count).collect();
            messages.leased.extend(received.iter().map(|n| (*n, until)));
            received
        })
    }

    pub(crate) fn acknowledge(&self, n: u64) {
        self.with(|messages| match messages.leased.remove(&n) {
            Some(_) => messages.acked.push(n),
            None => messages.refused.push(n),
        });
    }

    pub(crate) fn release(&self, n: u64) {
        self.with(|messages| {
            if messages.leased.remove(&n).is_some() {
                messages.released.push(n);
                messages.ready.push_back(n);
            }
        });
    }

    pub(crate) fn renew(&self, n: u64) {
        let renewed = Instant::now() + self.lease;
        self.with(|messages| {
            if let Some(until) = messages.leased.get_mut(&n) {
                *until = renewed;
            }
        });
    }

    pub(crate) fn acked(&self) -> Vec<u64> {
        self.with(|messages| messages.acked.clone())
    }

    pub(crate) fn leased(&self) -> usize {
        self.with(|messages| messages.leased.len())
    }

    pub(crate) fn expired(&self) -> Vec<u64> {
        self.with(|messages| messages.expired.clone())
    }

    pub(crate) fn released(&self) -> Vec<u64> {
        self.with(|messages| messages.released.clone())
    }

    pub(crate) fn refused(&self) -> Vec<u64> {
        self.with(|messages| messages.refused.clone())
    }

    /// All that are acknowledged, ready or leased, in order: each message once.
    pub(crate) fn all(&self) -> Vec<u64> {
        self.with(|messages| {
            let mut all = messages.acked.clone();
            all.extend(&messages.ready);
            all.extend(messages.leased.keys());
            all.sort_unstable();
            all
        })
    }
}

/// What was acknowledged and not told to the broker yet.
#[derive(Default)]
struct Acks {
    list: Mutex<Vec<u64>>,
    waker: Mutex<Option<Waker>>,
}

/// A message on its way through the pipeline.
pub(crate) struct Delivery {
    pub(crate) number: u64,
    acks: Arc<Acks>,
}

impl Delivery {
    pub(crate) fn ack(self) {
        self.acks.list.lock().unwrap().push(self.number);
        let waker = self.acks.waker.lock().unwrap().clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Emits the messages of a [`Broker`]. It tells the broker of acknowledgements, which takes
/// 2 ms, renews leases if it is told to, and stays until it holds no lease.
pub(crate) struct Leases {
    broker: Broker,
    acks: Arc<Acks>,
    unsettled: BTreeSet<u64>,
    renews: Option<(Duration, Instant)>,
    pub(crate) log: super::support::Seen<&'static str>,
}

impl Leases {
    pub(crate) fn new(broker: &Broker) -> Self {
        Self {
            broker: broker.clone(),
            acks: Arc::default(),
            unsettled: BTreeSet::new(),
            renews: None,
            log: super::support::seen(),
        }
    }

    pub(crate) fn renewing_every(mut self, period: Duration) -> Self {
        self.renews = Some((period, Instant::now()));
        self
    }

    fn log(&self, call: &'static str) {
        self.log.lock().unwrap().push(call);
    }
}

impl Producer for Leases {
    type Event = Delivery;

    async fn handle_start(&mut self, out: &mut Emitter<'_, Delivery>) -> StageResult {
        self.log("start");
        // Connects.
        sleep(Duration::from_millis(5)).await;
        *self.acks.waker.lock().unwrap() = Some(out.waker().clone());
        if let Some((period, next)) = &mut self.renews {
            *next = Instant::now() + *period;
            out.wake_after(*period);
        }
        Ok(())
    }

    async fn handle_demand(
        &mut self,
        demand: usize,
        out: &mut Emitter<'_, Delivery>,
    ) -> StageResult {
        self.log("demand");
        let received = self.broker.receive(demand);
        if received.len() < demand {
            out.again_after(Duration::from_millis(100));
        }
        self.unsettled.extend(&received);
        for number in received {
            let acks = Arc::clone(&self.acks);
            out.push(Delivery { number, acks });
        }
        Ok(())
    }

    async fn handle_wake(&mut self, out: &mut Emitter<'_, Delivery>) -> StageResult {
        if let Some((period, next)) = &mut self.renews
            && *next <= Instant::now()
        {
            self.unsettled.iter().for_each(|n| self.broker.renew(*n));
            *next = Instant::now() + *period;
            out.wake_after(*period);
        }
        let acks = std::mem::take(&mut *self.acks.list.lock().unwrap());
        if !acks.is_empty() {
            sleep(Duration::from_millis(2)).await;
        }
        for n in acks {
            self.broker.acknowledge(n);
            self.unsettled.remove(&n);
        }
        Ok(())
    }

    async fn handle_returned(
        &mut self,
        returned: &mut Batch<Delivery>,
        _: &mut Emitter<'_, Delivery>,
    ) -> StageResult {
        self.log("returned");
        for delivery in returned {
            self.unsettled.remove(&delivery.number);
            self.broker.release(delivery.number);
        }
        Ok(())
    }

    async fn handle_drain(&mut self, out: &mut Emitter<'_, Delivery>) -> StageResult {
        self.log("drain");
        out.complete();
        Ok(())
    }

    fn may_complete(&self) -> bool {
        self.unsettled.is_empty()
    }

    fn held(&self) -> usize {
        self.unsettled.len()
    }

    async fn terminate(&mut self, _: &Outcome) {
        self.log("terminate");
        self.unsettled.iter().for_each(|n| self.broker.release(*n));
        self.unsettled.clear();
    }
}

/// Gives its messages to a task, which settles them.
pub(crate) struct Works(pub(crate) tokio::sync::mpsc::UnboundedSender<Delivery>);

impl Consumer for Works {
    type Event = Delivery;

    async fn handle_events(
        &mut self,
        deliveries: &mut Batch<Delivery>,
        _: &mut Context<'_>,
    ) -> StageResult {
        for delivery in deliveries {
            self.0.send(delivery).map_err(|_| "nobody works")?;
        }
        Ok(())
    }
}
