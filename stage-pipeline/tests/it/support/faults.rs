//! A queue in memory whose source and acknowledger fail on request, and tell what they
//! are called for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use stage_pipeline::memory::{MemoryQueue, MemorySource};
use stage_pipeline::{
    AckError, Acknowledger, Capabilities, Leases, Next, Settled, Source, Verdict,
};
use stages::StageResult;

use super::Log;

/// What a source or its acknowledger was called for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    Open,
    /// So many messages were leased; calls without any are left out.
    Lease(usize),
    /// Verdicts by the number of the message, in one call.
    Settle(Vec<(u64, Verdict)>),
    Abandon(u64, Verdict),
    Drain,
    Close,
}

/// What fails, and how often.
#[derive(Debug, Clone)]
pub(crate) struct Faults(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    calls: Log<Call>,
    made: AtomicUsize,
    opens: AtomicUsize,
    leases: AtomicUsize,
    lease_panics: AtomicUsize,
    settles: AtomicUsize,
    settle_panics: AtomicUsize,
    drains: AtomicUsize,
    drain_panics: AtomicUsize,
    abandon_panics: AtomicUsize,
    heartbeats: AtomicUsize,
    hang_lease: AtomicUsize,
    slow_leases: Mutex<Duration>,
    slow_returns: Mutex<Duration>,
    slow_settles: Mutex<Duration>,
    no_heartbeat: AtomicBool,
    reasons: Mutex<Vec<Option<Arc<str>>>>,
    largest: AtomicUsize,
    in_flight: AtomicUsize,
}

/// Takes one of `left`, if there is one.
fn due(left: &AtomicUsize) -> bool {
    left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1))
        .is_ok()
}

impl Faults {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// The next `times` calls of `open` fail.
    pub(crate) fn fail_opens(&self, times: usize) {
        self.0.opens.store(times, SeqCst);
    }

    /// The next `times` calls of `lease` that lease something fail, when they have.
    pub(crate) fn fail_leases(&self, times: usize) {
        self.0.leases.store(times, SeqCst);
    }

    /// The next `times` calls of `lease` that lease something panic, when they have.
    pub(crate) fn panic_leases(&self, times: usize) {
        self.0.lease_panics.store(times, SeqCst);
    }

    /// The next `times` calls of `lease` never return.
    pub(crate) fn hang_leases(&self, times: usize) {
        self.0.hang_lease.store(times, SeqCst);
    }

    /// Calls of `lease` take so long before they lease.
    pub(crate) fn slow_leases(&self, time: Duration) {
        *self.0.slow_leases.lock() = time;
    }

    /// Calls of `lease` that leased something take so long to return.
    pub(crate) fn slow_returns(&self, time: Duration) {
        *self.0.slow_returns.lock() = time;
    }

    /// Calls of `settle` take so long before the queue hears of it.
    pub(crate) fn slow_settles(&self, time: Duration) {
        *self.0.slow_settles.lock() = time;
    }

    /// Leases are not extended; to be called before the start.
    pub(crate) fn without_heartbeat(&self) {
        self.0.no_heartbeat.store(true, SeqCst);
    }

    /// The next `times` calls of `settle` fail.
    pub(crate) fn fail_settles(&self, times: usize) {
        self.0.settles.store(times, SeqCst);
    }

    /// The next `times` calls of `settle` panic.
    pub(crate) fn panic_settles(&self, times: usize) {
        self.0.settle_panics.store(times, SeqCst);
    }

    /// The next `times` calls of `drain` fail.
    pub(crate) fn fail_drains(&self, times: usize) {
        self.0.drains.store(times, SeqCst);
    }

    /// The next `times` calls of `drain` panic.
    pub(crate) fn panic_drains(&self, times: usize) {
        self.0.drain_panics.store(times, SeqCst);
    }

    /// The next `times` calls of `abandon` panic, when the queue has been told.
    pub(crate) fn panic_abandons(&self, times: usize) {
        self.0.abandon_panics.store(times, SeqCst);
    }

    /// The next `times` calls of `heartbeat` fail.
    pub(crate) fn fail_heartbeats(&self, times: usize) {
        self.0.heartbeats.store(times, SeqCst);
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.0.calls.all()
    }

    /// The verdicts on all messages, by number, whatever the calls.
    pub(crate) fn verdicts(&self) -> Vec<(u64, Verdict)> {
        let mut verdicts = Vec::new();
        for call in self.calls() {
            match call {
                Call::Settle(settled) => verdicts.extend(settled),
                Call::Abandon(id, verdict) => verdicts.push((id, verdict)),
                _ => {}
            }
        }
        verdicts
    }

    /// The reasons of failures that were told with verdicts.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let reasons = self.0.reasons.lock();
        reasons.iter().flatten().map(ToString::to_string).collect()
    }

    /// How many sources were made.
    pub(crate) fn sources(&self) -> usize {
        self.0.made.load(SeqCst)
    }

    /// The most messages that were leased and not settled.
    pub(crate) fn most_in_flight(&self) -> usize {
        self.0.largest.load(SeqCst)
    }

    /// Makes sources of `queue` that fail.
    pub(crate) fn source<T: Clone + Send + 'static>(
        &self,
        queue: &MemoryQueue<T>,
    ) -> impl FnMut() -> FaultySource<T> + Send + 'static {
        let (faults, queue) = (self.clone(), queue.clone());
        move || {
            faults.0.made.fetch_add(1, SeqCst);
            FaultySource {
                source: queue.source(),
                faults: faults.clone(),
            }
        }
    }

    fn note(&self, settled: &Settled) {
        self.0.in_flight.fetch_sub(1, SeqCst);
        self.0.reasons.lock().push(settled.reason.clone());
    }
}

pub(crate) struct FaultySource<T> {
    source: MemorySource<T>,
    faults: Faults,
}

impl<T: Clone + Send + 'static> Source for FaultySource<T> {
    type Data = T;

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.source.capabilities();
        if self.faults.0.no_heartbeat.load(SeqCst) {
            capabilities.heartbeat_every = None;
        }
        capabilities
    }

    fn acknowledger(&self) -> Arc<dyn Acknowledger> {
        Arc::new(FaultyAcknowledger {
            acknowledger: self.source.acknowledger(),
            faults: self.faults.clone(),
        })
    }

    async fn open(&mut self) -> StageResult {
        self.faults.0.calls.push(Call::Open);
        match due(&self.faults.0.opens) {
            true => Err("the broker is away".into()),
            false => Ok(()),
        }
    }

    async fn lease(&mut self, demand: usize, leases: &mut Leases<'_, T>) -> StageResult<Next> {
        let faults = &self.faults.0;
        if due(&faults.hang_lease) {
            return std::future::pending().await;
        }
        let time = *faults.slow_leases.lock();
        if !time.is_zero() {
            tokio::time::sleep(time).await;
        }
        let before = leases.len();
        let next = self.source.lease(demand, leases).await?;
        let leased = leases.len() - before;
        if leased > 0 {
            faults.calls.push(Call::Lease(leased));
            let in_flight = faults.in_flight.fetch_add(leased, SeqCst) + leased;
            faults.largest.fetch_max(in_flight, SeqCst);
            let time = *faults.slow_returns.lock();
            if !time.is_zero() {
                tokio::time::sleep(time).await;
            }
            if due(&faults.leases) {
                return Err("the connection is gone".into());
            }
            if due(&faults.lease_panics) {
                panic!("the source has a bug");
            }
        }
        Ok(next)
    }

    async fn heartbeat(&mut self) -> StageResult {
        if due(&self.faults.0.heartbeats) {
            return Err("the connection is gone".into());
        }
        self.source.heartbeat().await
    }

    async fn drain(&mut self) -> StageResult {
        self.faults.0.calls.push(Call::Drain);
        assert!(!due(&self.faults.0.drain_panics), "the source has a bug");
        match due(&self.faults.0.drains) {
            true => Err("the broker is away".into()),
            false => self.source.drain().await,
        }
    }

    async fn close(&mut self) {
        self.faults.0.calls.push(Call::Close);
    }
}

struct FaultyAcknowledger {
    acknowledger: Arc<dyn Acknowledger>,
    faults: Faults,
}

impl Acknowledger for FaultyAcknowledger {
    fn settle<'a>(&'a self, settled: &'a mut [Settled]) -> BoxFuture<'a, Result<(), AckError>> {
        let faults = &self.faults.0;
        let verdicts = settled.iter().map(|one| (one.token.id, one.verdict));
        faults.calls.push(Call::Settle(verdicts.collect()));
        settled.iter().for_each(|one| self.faults.note(one));
        if due(&faults.settle_panics) {
            panic!("the acknowledger has a bug");
        }
        if due(&faults.settles) {
            let error = AckError::new("the broker", settled.len(), "access denied");
            return async { Err(error) }.boxed();
        }
        let time = *faults.slow_settles.lock();
        async move {
            if !time.is_zero() {
                tokio::time::sleep(time).await;
            }
            self.acknowledger.settle(settled).await
        }
        .boxed()
    }

    fn abandon(&self, settled: Settled) {
        let (id, verdict) = (settled.token.id, settled.verdict);
        self.faults.0.calls.push(Call::Abandon(id, verdict));
        self.faults.note(&settled);
        self.acknowledger.abandon(settled);
        assert!(
            !due(&self.faults.0.abandon_panics),
            "the acknowledger has a bug"
        );
    }
}
