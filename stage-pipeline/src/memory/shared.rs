//! [`Shared`]: the state of a queue in memory, with who waits for it.

use std::task::Waker;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::{Mutex, MutexGuard};

use super::state::{Lease, State};
use crate::ack::{AckError, Acknowledger, Settled};
use crate::clock::now;
use crate::source::Next;

pub(super) struct Shared<T> {
    pub(super) state: Mutex<State<T>>,
    wakers: Mutex<Vec<Waker>>,
    visibility: Duration,
}

impl<T: Clone> Shared<T> {
    pub(super) fn new(visibility: Duration) -> Self {
        Self {
            state: Mutex::new(State::new(visibility)),
            wakers: Mutex::default(),
            visibility,
        }
    }

    pub(super) fn lease(&self, demand: usize, waker: &Waker, out: &mut Vec<Lease<T>>) -> Next {
        let now = now();
        let mut state = self.state.lock();
        state.lease(now, demand, out);
        if state.is_over() {
            return Next::End;
        }
        // Under the lock: nothing is enqueued between the look and the registration.
        let mut wakers = self.wakers.lock();
        if !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.push(waker.clone());
        }
        match state.next_due() {
            Some(due) => Next::After(due.saturating_duration_since(now)),
            None => Next::Woken,
        }
    }

    pub(super) fn extend(&self) {
        self.state.lock().extend(now());
    }

    pub(super) const fn visibility(&self) -> Duration {
        self.visibility
    }

    fn settle_one(&self, state: &mut MutexGuard<'_, State<T>>, settled: &mut Settled) {
        state.settle(now(), settled);
    }

    /// Wakes all sources.
    pub(super) fn wake(&self) {
        let wakers = std::mem::take(&mut *self.wakers.lock());
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl<T: Clone + Send + 'static> Acknowledger for Shared<T> {
    fn settle<'a>(&'a self, settled: &'a mut [Settled]) -> BoxFuture<'a, Result<(), AckError>> {
        let mut state = self.state.lock();
        for one in settled {
            self.settle_one(&mut state, one);
        }
        drop(state);
        self.wake();
        async { Ok(()) }.boxed()
    }

    fn abandon(&self, mut settled: Settled) {
        self.settle_one(&mut self.state.lock(), &mut settled);
        self.wake();
    }
}
