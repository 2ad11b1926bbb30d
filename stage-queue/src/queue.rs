//! [`Queue`]: topics in one file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::{StoreError, StoreErrorKind};
use crate::store::{Fsync, Sqlite, Store};
use crate::topic::{self, Topic};
use crate::writer::{Settings, TopicState, Writer};
use crate::{
    Durability, Log, LogOptions, QueueError, QueueOptions, QueueStats, Settled, TopicOptions,
};

/// Topics of messages in one SQLite file. A clone is another handle of the same queue.
///
/// When the last handle of the queue, its topics and its sources is dropped, the queue is
/// closed: what was answered is safe, and unsettled leases end.
///
/// Several processes may open the same file. It must be on a local file system. Beside it are
/// SQLite's `-wal` and `-shm` files, and a small lock file for each process that leases.
#[derive(Debug, Clone)]
pub struct Queue {
    writer: Writer,
    topics: Arc<Mutex<HashMap<Arc<str>, Arc<TopicState>>>>,
    options: Arc<QueueOptions>,
}

impl Queue {
    /// Opens a file, or creates it. It blocks the thread for about a millisecond, or for as
    /// long as it takes to read back the write-ahead log of a process that was killed.
    ///
    /// # Errors
    ///
    /// [`QueueError::Option`] for options out of range, [`QueueError::Open`],
    /// [`QueueError::NotAQueue`] or [`QueueError::Damaged`].
    pub fn open(path: impl Into<PathBuf>, options: QueueOptions) -> Result<Self, QueueError> {
        options.check()?;
        let settings = Settings {
            sync: match options.durability {
                Durability::Full => Fsync::Wait,
                Durability::ProcessOnly => Fsync::Skip,
            },
            visibility_timeout: options.visibility_timeout,
            poll_interval: options.poll_interval,
            max_file_bytes: options.max_file_bytes,
            clock: Arc::clone(&options.clock),
        };
        let writer = Writer::open(path.into(), settings)?;
        Ok(Self {
            writer,
            topics: Arc::default(),
            options: Arc::new(options),
        })
    }

    /// Returns the path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.writer.path()
    }

    /// Returns a topic. It is created when it is used first, with the options of
    /// [`create_topic`](Self::create_topic), or the defaults.
    #[must_use]
    pub fn topic(&self, name: &str) -> Topic {
        Topic::new(self.writer.clone(), self.state(name))
    }

    /// Creates a topic, or sets the options of one that exists. They hold for all handles of
    /// the topic in this process.
    ///
    /// # Errors
    ///
    /// [`QueueError::OtherTopic`] if the topic exists and is ordered, and is not to be, or the
    /// reverse. Also [`QueueError::Stopped`], [`QueueError::Damaged`] and
    /// [`QueueError::Closed`].
    pub async fn create_topic(
        &self,
        name: &str,
        options: TopicOptions,
    ) -> Result<Topic, QueueError> {
        let state = self.state(name);
        let created = Arc::new(TopicState::new(Arc::clone(&state.name), options));
        let row = self.writer.call(Fsync::Wait, move |group| {
            group.store.topic(&created.name, options.ordered).map(Ok)
        });
        let row = row.await?;
        if row.ordered != options.ordered {
            let word = |ordered| if ordered { "ordered" } else { "unordered" };
            let (existing, wanted) = (word(row.ordered), word(options.ordered));
            return Err(QueueError::OtherTopic {
                topic: Arc::clone(&state.name),
                existing,
                wanted,
            });
        }
        state.set_options(options);
        Ok(Topic::new(self.writer.clone(), state))
    }

    /// Returns a log. It is created when it is used first. `options` hold for this handle and
    /// its clones.
    #[must_use]
    pub fn log(&self, name: &str, options: LogOptions) -> Log {
        let watch = self.writer.watch_log(name);
        Log::new(self.writer.clone(), name.into(), options, watch)
    }

    /// Carries out verdicts on leased messages, in one transaction. It is answered when that
    /// is as durable as [`Durability`] says. A delivery that is not current any more is marked
    /// as [`stale`](Settled::stale), is counted, and changes nothing.
    ///
    /// # Errors
    ///
    /// [`QueueError::Stopped`], [`QueueError::Damaged`] or [`QueueError::Closed`]: the messages
    /// may have been settled, or are delivered again.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the messages are settled nevertheless.
    pub async fn settle(&self, settled: &mut [Settled]) -> Result<(), QueueError> {
        settle(&self.writer, settled).await
    }

    /// Settles without waiting, and without a runtime: for destructors. It never blocks, and
    /// an error is only traced; then the message is delivered again.
    pub fn settle_later(&self, settled: Settled) {
        topic::post(&self.writer, vec![settled]);
    }

    /// Returns what is in the queue. It reads beside the writer, on a thread of its own.
    ///
    /// # Errors
    ///
    /// [`QueueError::Open`] if the file cannot be read, [`QueueError::Damaged`] if it is damaged.
    pub async fn stats(&self) -> Result<QueueStats, QueueError> {
        let path = self.path().to_owned();
        let now = self.options.clock.now_ms();
        let (answer, answered) = tokio::sync::oneshot::channel();
        let failed = |path: PathBuf, cause: StoreError| match cause.kind {
            StoreErrorKind::Damaged => QueueError::Damaged { path, cause },
            _ => QueueError::Open { path, cause },
        };
        let read = move || {
            let stats = read_stats(&path, now).map_err(|cause| failed(path, cause));
            drop(answer.send(stats));
        };
        // The thread ends with its answer.
        drop(
            std::thread::Builder::new()
                .name("stage-queue-stats".into())
                .spawn(read),
        );
        answered.await.unwrap_or(Err(QueueError::Closed))
    }

    /// Closes the queue, after all commands that came before: unsettled leases end, and the
    /// write-ahead log is moved into the file. Later calls fail with [`QueueError::Closed`].
    ///
    /// # Errors
    ///
    /// [`QueueError::Stopped`] and [`QueueError::Damaged`] if the queue has stopped before, or
    /// stops now. [`QueueError::Closed`] if it was closed before.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the queue is closed nevertheless.
    pub async fn close(&self) -> Result<(), QueueError> {
        self.writer.close().await
    }

    fn state(&self, name: &str) -> Arc<TopicState> {
        let mut topics = self.topics.lock();
        if let Some(known) = topics.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        let state = Arc::new(TopicState::new(Arc::clone(&name), TopicOptions::default()));
        topics.insert(name, Arc::clone(&state));
        state
    }
}

/// Carries out verdicts, and marks those that are stale.
pub(crate) async fn settle(writer: &Writer, settled: &mut [Settled]) -> Result<(), QueueError> {
    if settled.is_empty() {
        return Ok(());
    }
    let mut moved = settled.to_vec();
    // A release need not be on the disk: without it the message is delivered again, too.
    let sync = if settled
        .iter()
        .all(|one| one.verdict == crate::Verdict::Release)
    {
        Fsync::Skip
    } else {
        Fsync::Wait
    };
    let call = writer.call(sync, move |group| {
        topic::settle(group, &mut moved)?;
        Ok(Ok(moved))
    });
    for (settled, moved) in settled.iter_mut().zip(call.await?) {
        settled.stale = moved.stale;
    }
    Ok(())
}

/// Reads what is in a queue that may be open elsewhere.
pub(crate) fn read_stats(path: &Path, now: i64) -> Result<QueueStats, StoreError> {
    let mut store = Sqlite::open_to_read(path)?;
    let mut stats = QueueStats {
        path: path.to_owned(),
        file_bytes: std::fs::metadata(path).map_or(0, |file| file.len()),
        used_bytes: store.used_bytes()?,
        owners: store.owners()?.len() as u64,
        stale: store.stale()?,
        topics: Vec::new(),
        logs: store.log_stats(now)?,
    };
    for (name, topic) in store.topics()? {
        stats.topics.push(store.stats(topic, &name, now)?);
    }
    Ok(stats)
}
