//! [`Thread`]: the loop of the writer.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use super::command::{Command, Work, strongest};
use super::enqueues::Enqueues;
use super::failure_detector::FailureDetector;
use super::group::{Group, Leases, Woken};
use super::{Logs, TopicState};
use crate::QueueError;
use crate::clock::{Clock, duration_ms};
use crate::error::{StoreError, StoreErrorKind};
use crate::store::{Fsync, Sqlite, Store};

/// The most commands of one group. A bound on how long the first of them waits.
const GROUP: usize = 1_024;
/// What the thread goes by.
#[derive(Debug)]
pub(crate) struct Settings {
    /// What the strongest commit is.
    pub(crate) sync: Fsync,
    pub(crate) visibility_timeout: Duration,
    pub(crate) poll_interval: Duration,
    pub(crate) max_file_bytes: Option<u64>,
    pub(crate) clock: Arc<dyn Clock>,
}

pub(super) struct Thread {
    pub(super) store: Sqlite,
    pub(super) path: Arc<Path>,
    pub(super) settings: Settings,
    commands: Receiver<Command>,
    pub(super) logs: Logs,
    pub(super) leases: Leases,
    pub(super) enqueues: Enqueues,
    pub(super) failures: FailureDetector,
    pub(super) topics: HashMap<i64, Known>,
    pub(super) stopped: Option<QueueError>,
    pub(super) data_version: i64,
    pub(super) last_heartbeat: Instant,
    pub(super) last_poll: Instant,
    pub(super) last_detection: Option<Instant>,
    pub(super) last_tidy: Option<Instant>,
}

/// A topic that this process uses.
pub(super) struct Known {
    pub(super) topic: Arc<TopicState>,
    pub(super) next_due: Option<i64>,
}

enum Received {
    Commands(Vec<Command>),
    Nothing,
    /// All callers have gone.
    End,
}

impl Thread {
    pub(super) fn new(
        store: Sqlite,
        path: Arc<Path>,
        settings: Settings,
        commands: Receiver<Command>,
        logs: Logs,
    ) -> Self {
        let enqueues = Enqueues::new(settings.max_file_bytes);
        let now = Instant::now();
        Self {
            store,
            path,
            settings,
            commands,
            logs,
            leases: Leases::default(),
            enqueues,
            failures: FailureDetector::default(),
            topics: HashMap::new(),
            stopped: None,
            data_version: 0,
            last_heartbeat: now,
            last_poll: now,
            last_detection: None,
            last_tidy: None,
        }
    }

    pub(super) fn run(mut self) {
        let closed = loop {
            self.maintain();
            match self.receive() {
                Received::Commands(commands) => {
                    if let Some(answer) = self.carry_out(commands) {
                        break Some(answer);
                    }
                }
                Received::Nothing => {}
                Received::End => break None,
            }
        };
        let ended = self.end();
        // The file is closed before the caller hears of it.
        drop(self);
        if let Some(answer) = closed {
            drop(answer.send(ended));
        } else if let Err(error) = ended {
            tracing::error!(%error, "a queue was not closed cleanly");
        }
    }

    /// Waits for commands, and takes what is there.
    fn receive(&self) -> Received {
        let first = match self.timeout() {
            Some(timeout) => match self.commands.recv_timeout(timeout) {
                Ok(command) => command,
                Err(RecvTimeoutError::Timeout) => return Received::Nothing,
                Err(RecvTimeoutError::Disconnected) => return Received::End,
            },
            None => match self.commands.recv() {
                Ok(command) => command,
                Err(_) => return Received::End,
            },
        };
        let mut commands = vec![first];
        while commands.len() < GROUP {
            match self.commands.try_recv() {
                Ok(command) => commands.push(command),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        Received::Commands(commands)
    }

    /// How long to wait for commands at most. None if there is nothing else to do.
    fn timeout(&self) -> Option<Duration> {
        if self.stopped.is_some() || !self.polls() {
            return None;
        }
        let poll = self
            .settings
            .poll_interval
            .saturating_sub(self.last_poll.elapsed());
        let now = self.settings.clock.now_ms();
        let due = self
            .topics
            .values()
            .filter_map(|known| known.next_due)
            .min();
        let due =
            due.map(|due| Duration::from_millis(due.saturating_sub(now).max(0).unsigned_abs()));
        Some(due.map_or(poll, |due| due.min(poll)))
    }

    /// Whether somebody here waits for what others do.
    pub(super) fn polls(&self) -> bool {
        self.leases.owner.is_some() || !self.enqueues.is_empty()
    }

    /// Carries out a group. Returns whom to tell that the queue is closed.
    pub(super) fn carry_out(
        &mut self,
        commands: Vec<Command>,
    ) -> Option<tokio::sync::oneshot::Sender<Result<(), QueueError>>> {
        let mut works: Vec<Box<dyn Work>> = Vec::with_capacity(commands.len());
        let mut closing = None;
        let sync = strongest(&commands, !self.enqueues.is_empty());
        let mut enqueues = Vec::new();
        let mut order = Vec::with_capacity(commands.len());
        for command in commands {
            match command {
                Command::Enqueue(enqueue) => {
                    enqueues.push(enqueue);
                    order.push(true);
                }
                Command::Run { work, .. } => {
                    works.push(work);
                    order.push(false);
                }
                Command::Close(answer) => {
                    closing = Some(answer);
                    break;
                }
            }
        }
        let mut done = Vec::new();
        let mut ran: Vec<Box<dyn Work>> = Vec::with_capacity(works.len());
        let (mut works, mut enqueues) = (works.into_iter(), enqueues.into_iter());
        let failed = if let Some(stopped) = &self.stopped {
            Some(stopped.clone())
        } else {
            self.transact(sync, |group, waiting| {
                for is_enqueue in order {
                    if is_enqueue {
                        let Some(enqueue) = enqueues.next() else {
                            continue;
                        };
                        waiting.enqueue(group, enqueue, &mut done)?;
                    } else {
                        let Some(mut work) = works.next() else {
                            continue;
                        };
                        let result = work.run(group);
                        ran.push(work);
                        result?;
                    }
                }
                waiting.retry(group, &mut done)
            })
            .err()
        };
        for work in ran.into_iter().chain(works) {
            work.answer(failed.clone());
        }
        for (enqueue, outcome) in done {
            drop(enqueue.answer.send(failed.clone().map_or(outcome, Err)));
        }
        if let Some(error) = failed {
            for enqueue in enqueues.chain(self.enqueues.take_all()) {
                drop(enqueue.answer.send(Err(error.clone())));
            }
        }
        closing
    }

    /// Runs something within a transaction. After an error of the store the queue has
    /// stopped.
    pub(super) fn transact(
        &mut self,
        sync: Fsync,
        work: impl FnOnce(&mut Group<'_>, &mut Enqueues) -> Result<(), StoreError>,
    ) -> Result<(), QueueError> {
        let mut woken = Woken::default();
        let result = self.begin(sync.min(self.settings.sync)).and_then(|()| {
            let mut group = Group {
                now: self.settings.clock.now_ms(),
                store: &mut self.store,
                path: &self.path,
                timeout_ms: duration_ms(self.settings.visibility_timeout),
                leases: &mut self.leases,
                woken: &mut woken,
            };
            work(&mut group, &mut self.enqueues)?;
            self.store.commit()
        });
        match result {
            Ok(()) => {
                self.wake(woken);
                Ok(())
            }
            Err(cause) => {
                self.store.rollback();
                let error = cause.stop(&self.path);
                tracing::error!(%error, "the queue has stopped");
                self.stopped = Some(error.clone());
                self.wake_all();
                Err(error)
            }
        }
    }

    /// Begins a transaction. While another process writes, it waits: nothing is lost by
    /// that, and no caller has to try again.
    fn begin(&mut self, sync: Fsync) -> Result<(), StoreError> {
        loop {
            match self.store.begin(sync) {
                Err(error) if error.kind == StoreErrorKind::Busy => {
                    tracing::warn!(path = %self.path.display(), "another process has been writing to the queue for a second");
                }
                other => return other,
            }
        }
    }

    /// Wakes those who wait for messages, or notes when to.
    fn wake(&mut self, woken: Woken) {
        for (topic, row) in woken.known {
            // It is set just once, by this thread.
            let _ = topic.row.set(row);
            self.topics.insert(
                row.id,
                Known {
                    topic,
                    next_due: None,
                },
            );
        }
        for (topic, next) in woken.due {
            if let Some(known) = self.topics.get_mut(&topic) {
                known.next_due = next;
            }
        }
        let now = self.settings.clock.now_ms();
        for (topic, at) in woken.at {
            let Some(known) = self.topics.get_mut(&topic) else {
                continue;
            };
            if at <= now {
                known.topic.watch.change();
            } else {
                known.next_due = Some(known.next_due.map_or(at, |due| due.min(at)));
            }
        }
    }

    /// Ends the leases of this process, and moves the write-ahead log into the file.
    fn end(&mut self) -> Result<(), QueueError> {
        for enqueue in self.enqueues.take_all() {
            drop(enqueue.answer.send(Err(QueueError::Closed)));
        }
        if let Some(stopped) = &self.stopped {
            return Err(stopped.clone());
        }
        if let Some(owner) = self.leases.owner {
            self.transact(Fsync::Skip, |group, _| {
                let leases = group.store.expire(owner)?;
                if leases > 0 {
                    tracing::info!(leases, "the queue was closed while messages were leased");
                }
                Ok(())
            })?;
        }
        self.store
            .checkpoint()
            .map_err(|error| error.stop(&self.path))
    }
}
