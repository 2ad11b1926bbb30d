//! [`Topic`]: messages of one kind.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Waker;

use stage_pipeline::{Failed, Message};

use crate::dead_letters::DeadLetters;
use crate::error::StoreError;
use crate::sink::QueueSink;
use crate::source::QueueSource;
use crate::store::{Amount, Fsync, LeaseRequest, TopicRow};
use crate::writer::{Group, TopicState, Writer};
use crate::{Enqueued, LeaseOptions, Leased, NewMessage, QueueError, Settled};

/// Messages of one kind in a queue; from [`Queue::topic`](crate::Queue::topic). A clone is
/// another handle of the same topic.
#[derive(Debug, Clone)]
pub struct Topic {
    writer: Writer,
    state: Arc<TopicState>,
}

impl Topic {
    pub(crate) fn new(writer: Writer, state: Arc<TopicState>) -> Self {
        Self { writer, state }
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.state.name
    }

    /// Enqueues a message. It is answered when the message is as durable as
    /// [`Durability`](crate::Durability) says; calls from many tasks share one sync.
    ///
    /// # Errors
    ///
    /// [`QueueError::Full`], [`QueueError::TooLarge`] and [`QueueError::Priority`] enqueue
    /// nothing. After [`QueueError::Stopped`] and [`QueueError::Damaged`] the message may have
    /// been enqueued or not.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the message may be enqueued or not; not, if it was waiting for
    /// room.
    pub async fn enqueue(&self, message: impl Into<NewMessage>) -> Result<Enqueued, QueueError> {
        let enqueued = self.enqueue_all([message]).await?;
        enqueued.into_iter().next().ok_or(QueueError::Closed)
    }

    /// Enqueues messages in one transaction: all of them or none. Returns what became of each,
    /// in order.
    ///
    /// # Errors
    ///
    /// As [`enqueue`](Self::enqueue).
    ///
    /// # Cancel safety
    ///
    /// As [`enqueue`](Self::enqueue), for all of them.
    pub async fn enqueue_all<M: Into<NewMessage>>(
        &self,
        messages: impl IntoIterator<Item = M>,
    ) -> Result<Vec<Enqueued>, QueueError> {
        let messages: Vec<NewMessage> = messages.into_iter().map(Into::into).collect();
        self.writer.enqueue(Arc::clone(&self.state), messages).await
    }

    /// Leases up to `count` messages that are ready, and appends them to `out`: the highest
    /// priority first, within a priority in the order of enqueueing. Returns how many.
    ///
    /// The number of deliveries of each is in the file before this returns, so that it is
    /// counted whatever becomes of the process. How a lease ends: [`LeaseOptions`].
    ///
    /// # Errors
    ///
    /// [`QueueError::Stopped`], [`QueueError::Damaged`] or [`QueueError::Closed`].
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, what it leased is released.
    pub async fn lease(
        &self,
        count: usize,
        options: LeaseOptions,
        out: &mut Vec<Leased>,
    ) -> Result<usize, QueueError> {
        if count == 0 {
            return Ok(0);
        }
        let writer = self.writer.clone();
        let state = Arc::clone(&self.state);
        let granted = self.writer.call(Fsync::Skip, move |group| {
            let topic = group.topic(&state)?;
            let request = LeaseRequest {
                count,
                owner: group.register()?,
                epoch: group.next_epoch(),
                max_deliveries: options.max_deliveries,
                now: group.now,
            };
            let mut messages = Vec::new();
            let report = group.store.lease(topic, request, &mut messages)?;
            group.due(topic.id, report.next_due);
            if report.damaged + report.buried > 0 {
                tracing::error!(
                    topic = &*state.name,
                    damaged = report.damaged,
                    delivered_too_often = report.buried,
                    "messages have become dead letters instead of being leased"
                );
            }
            Ok(Ok(Granted { messages, writer }))
        });
        let mut messages = granted.await?.take();
        let count = messages.len();
        out.append(&mut messages);
        Ok(count)
    }

    /// As [`lease`](Self::lease), but waits until there is at least one message. Messages of
    /// other processes are found within the
    /// [`poll_interval`](crate::QueueOptions::poll_interval).
    ///
    /// # Errors
    ///
    /// As [`lease`](Self::lease).
    ///
    /// # Cancel safety
    ///
    /// As [`lease`](Self::lease).
    pub async fn lease_or_wait(
        &self,
        count: usize,
        options: LeaseOptions,
        out: &mut Vec<Leased>,
    ) -> Result<usize, QueueError> {
        loop {
            let seen = self.state.watch.changes();
            let leased = self.lease(count, options, out).await?;
            if leased > 0 || count == 0 {
                return Ok(leased);
            }
            poll_fn(|cx| self.state.watch.poll_after(seen, cx)).await;
        }
    }

    /// Wakes `waker` once, when there may be messages to lease. Register it before
    /// [`lease`](Self::lease): then no message is missed.
    pub fn wake_when_ready(&self, waker: &Waker) {
        self.state.watch.register(waker);
    }

    /// Returns the messages of this topic that are not delivered any more.
    #[must_use]
    pub fn dead_letters(&self) -> DeadLetters {
        DeadLetters::new(self.clone())
    }

    /// Returns a source of a pipeline that leases the messages of this topic. There may be
    /// several, in this process and in others.
    #[must_use]
    pub fn source(&self) -> QueueSource {
        QueueSource::new(self.clone())
    }

    /// Returns a batch handler of a pipeline that enqueues to this topic. `encode` makes a
    /// message to enqueue of a message of the pipeline; one that it fails is not enqueued.
    pub fn sink<T, F>(&self, encode: F) -> QueueSink<T, F>
    where
        T: Send + 'static,
        F: FnMut(&Message<T>) -> Result<NewMessage, Failed> + Send + 'static,
    {
        QueueSink::new(self.clone(), encode)
    }

    /// Whether the topic is known to be ordered.
    pub(crate) fn is_ordered(&self) -> bool {
        self.state.is_ordered()
    }

    /// How much is ready, delayed or leased.
    pub(crate) async fn held(&self) -> Result<Amount, QueueError> {
        let state = Arc::clone(&self.state);
        let call = self.writer.call(Fsync::Skip, move |group| {
            let topic = group.topic(&state)?;
            group.store.held(topic).map(Ok)
        });
        call.await
    }

    pub(crate) fn writer(&self) -> &Writer {
        &self.writer
    }

    /// Runs a closure within a durable transaction.
    pub(crate) async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Group<'_>, TopicRow) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, QueueError> {
        let state = Arc::clone(&self.state);
        let call = self.writer.call(Fsync::Wait, move |group| {
            let topic = group.topic(&state)?;
            work(group, topic).map(Ok)
        });
        call.await
    }
}

/// Leased messages on their way to the caller. Dropped on the way, they are released.
struct Granted {
    messages: Vec<Leased>,
    writer: Writer,
}

impl Granted {
    fn take(mut self) -> Vec<Leased> {
        std::mem::take(&mut self.messages)
    }
}

impl Drop for Granted {
    fn drop(&mut self) {
        if !self.messages.is_empty() {
            let settled = self.messages.iter().map(Leased::release).collect();
            post(&self.writer, settled);
        }
    }
}

/// Settles some time, without anybody waiting for it.
pub(crate) fn post(writer: &Writer, mut settled: Vec<Settled>) {
    writer.post(Fsync::Skip, move |group| {
        settle(group, &mut settled)?;
        Ok(Ok(()))
    });
}

pub(crate) fn settle(group: &mut Group<'_>, settled: &mut [Settled]) -> Result<(), StoreError> {
    let Some(owner) = group.owner() else {
        // Nothing was ever leased.
        for one in settled {
            one.stale = true;
        }
        return Ok(());
    };
    let mut ready = Vec::new();
    group
        .store
        .settle(owner, settled, group.now, &mut |topic, at| {
            ready.push((topic, at));
        })?;
    for (topic, at) in ready {
        group.ready(topic, at);
    }
    Ok(())
}
