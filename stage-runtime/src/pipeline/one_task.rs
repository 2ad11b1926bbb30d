//! Several stages on one task.

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::{AbortHandle, BoxFuture, abortable};
use futures::stream::StreamExt;
use futures::task::AtomicWaker;
use futures_buffered::FuturesUnordered;
use parking_lot::Mutex;
use tokio::runtime;

/// Runs stages in turn, on one task: handing a batch from one to the next is
/// then no business of the runtime's scheduler.
///
/// The task starts with the first stage and ends with the last one; a stage
/// that comes later starts it anew.
#[derive(Default)]
pub(crate) struct OneTask {
    state: Mutex<State>,
    waker: AtomicWaker,
}

#[derive(Default)]
struct State {
    /// There is a task.
    running: bool,
    /// The stages that it has not taken yet.
    arrivals: Vec<BoxFuture<'static, ()>>,
}

impl OneTask {
    /// Runs `stage` with the others; if it is the first, on `runtime`.
    pub(crate) fn spawn<F>(self: &Arc<Self>, runtime: &runtime::Handle, stage: F) -> AbortHandle
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stage, abort) = abortable(stage);
        let starts = {
            let mut state = self.state.lock();
            // A panic that nothing in the stage has caught is its own.
            let stage = AssertUnwindSafe(stage).catch_unwind().map(drop);
            state.arrivals.push(stage.boxed());
            !std::mem::replace(&mut state.running, true)
        };
        if starts {
            let mut task = Task {
                shared: Arc::clone(self),
                stages: FuturesUnordered::new(),
                over: false,
            };
            runtime.spawn(poll_fn(move |cx| task.poll(cx)));
        } else {
            self.waker.wake();
        }
        abort
    }
}

struct Task {
    shared: Arc<OneTask>,
    stages: FuturesUnordered<BoxFuture<'static, ()>>,
    /// It has said so, and another may be running by now.
    over: bool,
}

impl Task {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.shared.waker.register(cx.waker());
        loop {
            let arrivals = std::mem::take(&mut self.shared.state.lock().arrivals);
            for stage in arrivals {
                self.stages.push(stage);
            }
            while let Some(()) = std::task::ready!(self.stages.poll_next_unpin(cx)) {}
            let mut state = self.shared.state.lock();
            if state.arrivals.is_empty() {
                state.running = false;
                drop(state);
                self.over = true;
                return Poll::Ready(());
            }
        }
    }
}

/// With its runtime, for one: the next stage starts a new one.
impl Drop for Task {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let arrivals = {
            let mut state = self.shared.state.lock();
            state.running = false;
            std::mem::take(&mut state.arrivals)
        };
        // Outside the lock: stages tell their neighbours that they are gone.
        drop(arrivals);
    }
}
