//! [`LogSource`]: a group of a log as the source of a pipeline.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use stage_pipeline::ack::GapLimits;
use stage_pipeline::{
    AckError, Acknowledger, Capabilities, Guarantee, Leases, Next, Settled, Source,
};
use stages::StageResult;

use super::unsettled::{Delivery, Unsettled};
use super::{Log, LogEntry, LogReader, StartAt};
use crate::QueueError;
use crate::source::metadata;

/// How often the mark of the group is committed.
const COMMIT: Duration = Duration::from_secs(1);

/// Reads a log for a group, as the source of a pipeline; from [`Log::source`].
///
/// Entries are settled in any order, and the mark of the group never passes one that is not.
/// The mark is committed once a second, and when the source closes; what was settled after the
/// last commit is delivered again if the process ends before. An entry that is retried is
/// delivered again from memory.
///
/// | option | default |
/// |---|---|
/// | [`max_gap`](Self::max_gap) | 100,000 entries, 1 hour |
///
/// It promises [`Guarantee::Durable`] and keeps no dead letters: the pipeline needs a sink for
/// them. Deliveries are counted within the process.
pub struct LogSource {
    log: Log,
    group: Arc<str>,
    start: StartAt,
    limits: GapLimits,
    ends_when_read: bool,
    reader: Option<LogReader>,
    shared: Arc<Shared>,
    read: Vec<LogEntry>,
    committed: Instant,
    /// Whether the gap was too large at the last call.
    is_over: bool,
}

#[derive(Default)]
struct Shared {
    unsettled: Mutex<Unsettled>,
    waker: Mutex<Option<Waker>>,
    name: Arc<str>,
}

impl LogSource {
    pub(super) fn new(log: Log, group: &str, start: StartAt) -> Self {
        let name = format!("{}/{group}", log.name());
        Self {
            log,
            group: group.into(),
            start,
            limits: GapLimits {
                count: 100_000,
                age: Duration::from_secs(60 * 60),
            },
            ends_when_read: false,
            reader: None,
            shared: Arc::new(Shared {
                name: name.into(),
                ..Shared::default()
            }),
            read: Vec::new(),
            committed: now(),
            is_over: false,
        }
    }

    /// Sets how many entries may be read behind one that is not settled, and how long. Beyond
    /// that the source reads no more until that entry is settled, and says so in the log.
    #[must_use]
    pub const fn max_gap(mut self, entries: usize, age: Duration) -> Self {
        self.limits = GapLimits {
            count: entries,
            age,
        };
        self
    }

    /// Ends the source once all entries that there are have been read and settled.
    #[must_use]
    pub const fn end_when_read(mut self) -> Self {
        self.ends_when_read = true;
        self
    }

    async fn commit(&mut self) -> Result<(), QueueError> {
        self.committed = now();
        let done = self.shared.unsettled.lock().take_uncommitted();
        match (done, &mut self.reader) {
            (Some(done), Some(reader)) => reader.commit(done).await,
            _ => Ok(()),
        }
    }
}

/// The clock of the runtime, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn push(delivery: Delivery, leases: &mut Leases<'_, Vec<u8>>) {
    let Delivery {
        token,
        deliveries,
        entry,
    } = delivery;
    let metadata = metadata(deliveries, entry.appended_at, entry.key, entry.headers);
    leases.push(token, entry.payload, metadata);
}

impl Source for LogSource {
    type Data = Vec<u8>;

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(Guarantee::Durable).with_heartbeat(COMMIT)
    }

    fn acknowledger(&self) -> Arc<dyn Acknowledger> {
        Arc::clone(&self.shared) as _
    }

    async fn open(&mut self) -> StageResult {
        self.reader = Some(self.log.group(&self.group, self.start).await?);
        Ok(())
    }

    async fn lease(
        &mut self,
        demand: usize,
        leases: &mut Leases<'_, Vec<u8>>,
    ) -> StageResult<Next> {
        *self.shared.waker.lock() = Some(leases.waker().clone());
        let (is_over, next_due) = {
            let (now, mut unsettled) = (now(), self.shared.unsettled.lock());
            for delivery in unsettled.take_due(now, demand) {
                push(delivery, leases);
            }
            (unsettled.is_over(now, self.limits), unsettled.next_due(now))
        };
        let next = next_due.map_or(Next::Woken, Next::After);
        let left = demand.saturating_sub(leases.len());
        if std::mem::replace(&mut self.is_over, is_over) != is_over && is_over {
            tracing::warn!(source = %self.shared.name, "an entry is unsettled for too long; nothing more is read");
        }
        if is_over {
            return Ok(next);
        }
        let seen = self.log.watch.changes();
        let Some(reader) = &mut self.reader else {
            return Ok(next);
        };
        if left > 0 && reader.read(left, &mut self.read).await? == 0 {
            if self.ends_when_read && self.shared.unsettled.lock().is_empty() {
                self.commit().await?;
                return Ok(Next::End);
            }
            let cx = Context::from_waker(leases.waker());
            if let Poll::Ready(()) = self.log.watch.poll_after(seen, &cx) {
                leases.waker().wake_by_ref();
            }
        }
        for entry in self.read.drain(..) {
            let delivery = self.shared.unsettled.lock().read(now(), entry)?;
            push(delivery, leases);
        }
        if now().saturating_duration_since(self.committed) >= COMMIT {
            self.commit().await?;
        }
        Ok(next)
    }

    async fn heartbeat(&mut self) -> StageResult {
        self.commit().await?;
        Ok(())
    }

    async fn close(&mut self) {
        if let Err(error) = self.commit().await {
            tracing::error!(source = %self.shared.name, %error, "the mark was not committed; entries come again");
        }
        if let Some(reader) = self.reader.take()
            && let Err(error) = reader.leave().await
        {
            tracing::error!(source = %self.shared.name, %error, "the group was not left");
        }
    }
}

impl Shared {
    fn settle_one(&self, settled: &mut Settled) {
        self.unsettled.lock().settle(now(), settled);
    }

    fn wake(&self) {
        let waker = self.waker.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Acknowledger for Shared {
    fn settle<'a>(&'a self, settled: &'a mut [Settled]) -> BoxFuture<'a, Result<(), AckError>> {
        for one in settled {
            self.settle_one(one);
        }
        self.wake();
        async { Ok(()) }.boxed()
    }

    fn abandon(&self, mut settled: Settled) {
        self.settle_one(&mut settled);
        self.wake();
    }

    fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }
}

impl fmt::Debug for LogSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogSource")
            .field("source", &self.shared.name)
            .finish_non_exhaustive()
    }
}
