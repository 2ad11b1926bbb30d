//! What the writer does without a command: heartbeats, delays that end, processes that have died,
//! what other processes have written.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::thread::Thread;
use crate::error::{StoreError, StoreErrorKind};
use crate::node;
use crate::store::{Fsync, Store};

/// How often dead processes are looked for.
const DETECT_EVERY: Duration = Duration::from_secs(1);
/// How often expired deduplication keys are deleted.
const TIDY_EVERY: Duration = Duration::from_secs(30);

impl Thread {
    /// Does what is due without a command.
    pub(super) fn maintain(&mut self) {
        if self.stopped.is_some() {
            return;
        }
        let now = Instant::now();
        let clock = self.settings.clock.now_ms();
        for known in self.topics.values_mut() {
            if known.next_due.is_some_and(|due| due <= clock) {
                known.next_due = None;
                known.topic.watch.change();
            }
        }
        if self.leases.owner.is_some()
            && now.duration_since(self.last_heartbeat) >= self.settings.visibility_timeout / 4
        {
            self.last_heartbeat = now;
            self.beat();
        }
        if self.last_detection.is_none_or(|at| {
            now.duration_since(at) >= DETECT_EVERY.min(self.settings.visibility_timeout)
        }) {
            self.last_detection = Some(now);
            self.watch(now);
        }
        if self
            .last_tidy
            .is_none_or(|at| now.duration_since(at) >= TIDY_EVERY)
        {
            self.last_tidy = Some(now);
            drop(self.transact(Fsync::Skip, |group, _| group.store.tidy(group.now)));
        }
        if self.polls() && now.duration_since(self.last_poll) >= self.settings.poll_interval {
            self.last_poll = now;
            self.poll();
        }
    }

    /// Tells others that this process is alive.
    fn beat(&mut self) {
        drop(self.transact(Fsync::Skip, |group, _| {
            if let Some(owner) = group.leases.owner
                && !group.store.beat(owner)?
            {
                tracing::warn!("this process hung for longer than the visibility timeout: others have its leases now");
                // They have removed the lock file, too.
                (group.leases.owner, group.leases.node) = (None, None);
                group.register()?;
            }
            Ok(())
        }));
    }

    /// Ends the leases of processes that have died, or hang.
    fn watch(&mut self, now: Instant) {
        let owners = match self.store.owners() {
            Ok(owners) => owners,
            Err(error) => return self.note(error),
        };
        let others = owners
            .into_iter()
            .filter(|owner| Some(owner.owner) != self.leases.owner)
            .collect();
        let path = Arc::clone(&self.path);
        let dead = self
            .failures
            .observe(others, now, |owner| node::has_ended(&path, &owner.node));
        if dead.is_empty() {
            return;
        }
        let expired = self.transact(Fsync::Skip, |group, _| {
            for owner in &dead {
                let leases = group.store.expire(owner.owner)?;
                tracing::info!(
                    node = owner.node,
                    leases,
                    "the leases of another process have ended"
                );
            }
            Ok(())
        });
        if expired.is_ok() {
            for owner in &dead {
                node::forget(&self.path, &owner.node);
            }
            self.wake_all();
        }
    }

    /// Looks for what other processes have done.
    fn poll(&mut self) {
        match self.store.data_version() {
            Ok(version) if version != self.data_version => {
                self.data_version = version;
                self.wake_all();
            }
            Ok(_) => {}
            Err(error) => return self.note(error),
        }
        if !self.enqueues.is_empty() {
            // Others may have made room.
            drop(self.carry_out(Vec::new()));
        }
        if let Err(error) = self.store.shrink() {
            self.note(error);
        }
    }

    pub(super) fn wake_all(&self) {
        for log in self.logs.lock().values() {
            log.change();
        }
        for known in self.topics.values() {
            known.topic.watch.change();
        }
    }

    /// An error outside of a transaction: the next poll comes, unless the file is damaged.
    fn note(&mut self, error: StoreError) {
        if error.kind == StoreErrorKind::Busy {
            tracing::debug!(%error, "cannot look after the queue now");
            return;
        }
        let error = error.stop(&self.path);
        tracing::error!(%error, "the queue has stopped");
        self.stopped = Some(error);
        self.wake_all();
    }
}
