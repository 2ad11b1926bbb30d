//! Several stages on one task.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::task::AtomicWaker;
use tokio::runtime;
use tokio::task::yield_now;

use crate::link::Mutex;

/// Runs stages in turn, on one task: handing a batch from one to the next is
/// then no business of the runtime's scheduler, and wakes no thread.
///
/// The task starts with the first stage and ends with the last one; a stage
/// that comes later starts it anew.
#[derive(Default)]
pub(crate) struct OneTask {
    state: Mutex<State>,
    waker: AtomicWaker,
}

/// Stages polled in a row before the task looks at the clock.
const POLLS: u32 = 32;
/// How long it goes on after the first look, before other tasks get their turn: to
/// give way has the runtime wake another of its threads, if it has several.
const SLICE: Duration = Duration::from_micros(100);

#[derive(Default)]
struct State {
    /// There is a task.
    running: bool,
    /// It has been woken, or runs, and will look into `called`.
    awake: bool,
    /// The stages that are to be polled, each once.
    called: VecDeque<usize>,
    seats: Vec<Seat>,
    /// The seats whose stage is over.
    free: Vec<usize>,
}

/// What is known of a stage while others may call it.
#[derive(Default)]
struct Seat {
    is_called: bool,
    /// The stage, before its first poll. Boxed, as this is looked at each time.
    arrival: Option<Box<Running>>,
}

struct Running {
    stage: BoxFuture<'static, ()>,
    caller: Arc<Caller>,
    waker: Waker,
}

/// Has one stage polled: its waker.
pub(crate) struct Caller {
    task: Arc<OneTask>,
    seat: usize,
    aborted: AtomicBool,
}

impl Caller {
    /// Has the stage dropped in the midst of whatever it does.
    pub(crate) fn abort(&self) {
        self.aborted.store(true, Ordering::Release);
        self.task.call(self.seat);
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("seat", &self.seat)
            .finish_non_exhaustive()
    }
}

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.task.call(self.seat);
    }
}

impl OneTask {
    /// Runs `stage` with the others; if it is the first, on `runtime`.
    pub(crate) fn spawn<F>(self: &Arc<Self>, runtime: &runtime::Handle, stage: F) -> Arc<Caller>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        // A panic that nothing in the stage has caught is its own.
        let stage = AssertUnwindSafe(stage).catch_unwind().map(drop).boxed();
        let (caller, starts) = {
            let mut state = self.state.lock();
            let seat = state.free_seat();
            let caller = Arc::new(Caller {
                task: Arc::clone(self),
                seat,
                aborted: AtomicBool::new(false),
            });
            state.seats[seat].arrival = Some(Box::new(Running {
                stage,
                waker: Waker::from(Arc::clone(&caller)),
                caller: Arc::clone(&caller),
            }));
            (caller, !std::mem::replace(&mut state.running, true))
        };
        if starts {
            let mut task = Task {
                shared: Arc::clone(self),
                stages: Vec::new(),
                over: false,
            };
            runtime.spawn(poll_fn(move |cx| task.poll(cx)));
        }
        self.call(caller.seat);
        caller
    }

    /// Has the stage in this seat polled; one that is over, or the next in its
    /// seat, does not mind.
    fn call(&self, seat: usize) {
        let wakes = {
            let mut state = self.state.lock();
            match state.seats.get_mut(seat) {
                Some(seat) if !seat.is_called => seat.is_called = true,
                _ => return,
            }
            state.called.push_back(seat);
            !std::mem::replace(&mut state.awake, true)
        };
        if wakes {
            self.waker.wake();
        }
    }
}

impl State {
    fn free_seat(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.seats.push(Seat::default());
            self.called.reserve(self.seats.len());
            self.seats.len() - 1
        })
    }

    /// The next stage to be polled; with itself, if it was not polled before.
    fn next(&mut self) -> Option<(usize, Option<Box<Running>>)> {
        let at = self.called.pop_front()?;
        let seat = self.seats.get_mut(at)?;
        seat.is_called = false;
        Some((at, seat.arrival.take()))
    }

    fn is_over(&self) -> bool {
        self.free.len() == self.seats.len()
    }
}

struct Task {
    shared: Arc<OneTask>,
    /// By seat.
    stages: Vec<Option<Box<Running>>>,
    /// It has said so, and another may be running by now.
    over: bool,
}

impl Task {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.shared.waker.register(cx.waker());
        let (mut polls, mut looked) = (0, None);
        loop {
            let next = {
                let mut state = self.shared.state.lock();
                let next = state.next();
                if next.is_none() {
                    state.awake = false;
                    if state.is_over() {
                        *state = State::default();
                        self.over = true;
                        self.shared.waker.take();
                        return Poll::Ready(());
                    }
                }
                next
            };
            match next {
                Some((seat, arrival)) => self.poll_stage(seat, arrival),
                None => return Poll::Pending,
            }
            polls += 1;
            if polls == POLLS {
                polls = 0;
                if looked.get_or_insert_with(Instant::now).elapsed() >= SLICE {
                    break;
                }
            }
        }
        // Polled once, it has the task woken when others have had their turn. A task
        // that wakes itself may go on with another thread, in other caches.
        pin!(yield_now()).poll(cx)
    }

    fn poll_stage(&mut self, seat: usize, arrival: Option<Box<Running>>) {
        if arrival.is_some() {
            if self.stages.len() <= seat {
                self.stages.resize_with(seat + 1, || None);
            }
            self.stages[seat] = arrival;
        }
        let Some(Some(running)) = self.stages.get_mut(seat) else {
            return;
        };
        let aborted = running.caller.aborted.load(Ordering::Acquire);
        let mut cx = Context::from_waker(&running.waker);
        if aborted || running.stage.poll_unpin(&mut cx).is_ready() {
            self.end(seat);
        }
    }

    fn end(&mut self, seat: usize) {
        let stage = self.stages[seat].take();
        if catch_unwind(AssertUnwindSafe(|| drop(stage))).is_err() {
            tracing::error!("a stage panicked when it was dropped");
        }
        self.shared.state.lock().free.push(seat);
    }
}

/// With its runtime, for one: the next stage starts a new one.
impl Drop for Task {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        self.shared.waker.take();
        let state = std::mem::take(&mut *self.shared.state.lock());
        // Outside the lock: stages tell their neighbours that they are gone.
        drop(state);
    }
}
