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
/// that comes later starts it again.
#[derive(Default)]
pub(crate) struct Scheduler {
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
    /// It has been woken, or runs, and will look into `ready`.
    awake: bool,
    /// The stages that are to be polled, each once.
    ready: VecDeque<usize>,
    slots: Vec<Slot>,
    /// The slots whose stage is over.
    free: Vec<usize>,
}

/// What is known of a stage while others may call it.
#[derive(Default)]
struct Slot {
    is_ready: bool,
    /// The stage, before its first poll. Boxed, as this is looked at each time.
    new: Option<Box<Running>>,
}

struct Running {
    stage: BoxFuture<'static, ()>,
    stage_waker: Arc<StageWaker>,
    waker: Waker,
}

/// Has one stage polled: its waker.
pub(crate) struct StageWaker {
    task: Arc<Scheduler>,
    slot: usize,
    aborted: AtomicBool,
}

impl StageWaker {
    /// Has the stage dropped in the midst of whatever it does.
    pub(crate) fn abort(&self) {
        self.aborted.store(true, Ordering::Release);
        self.task.schedule(self.slot);
    }
}

impl fmt::Debug for StageWaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StageWaker")
            .field("slot", &self.slot)
            .finish_non_exhaustive()
    }
}

impl Wake for StageWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.task.schedule(self.slot);
    }
}

impl Scheduler {
    /// Runs `stage` with the others; if it is the first, on `runtime`.
    pub(crate) fn spawn<F>(self: &Arc<Self>, runtime: &runtime::Handle, stage: F) -> Arc<StageWaker>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        // A panic that nothing in the stage has caught is its own.
        let stage = AssertUnwindSafe(stage).catch_unwind().map(drop).boxed();
        let (stage_waker, starts) = {
            let mut state = self.state.lock();
            let slot = state.free_slot();
            let stage_waker = Arc::new(StageWaker {
                task: Arc::clone(self),
                slot,
                aborted: AtomicBool::new(false),
            });
            state.slots[slot].new = Some(Box::new(Running {
                stage,
                waker: Waker::from(Arc::clone(&stage_waker)),
                stage_waker: Arc::clone(&stage_waker),
            }));
            (stage_waker, !std::mem::replace(&mut state.running, true))
        };
        if starts {
            let mut task = SchedulerTask {
                shared: Arc::clone(self),
                stages: Vec::new(),
                over: false,
            };
            runtime.spawn(poll_fn(move |cx| task.poll(cx)));
        }
        self.schedule(stage_waker.slot);
        stage_waker
    }

    /// Has the stage in this slot polled; one that is over, or the next in its
    /// slot, does not mind.
    fn schedule(&self, slot: usize) {
        let wakes = {
            let mut state = self.state.lock();
            match state.slots.get_mut(slot) {
                Some(slot) if !slot.is_ready => slot.is_ready = true,
                _ => return,
            }
            state.ready.push_back(slot);
            !std::mem::replace(&mut state.awake, true)
        };
        if wakes {
            self.waker.wake();
        }
    }
}

impl State {
    fn free_slot(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.ready.reserve(self.slots.len());
            self.slots.len() - 1
        })
    }

    /// The next stage to be polled; with itself, if it was not polled before.
    fn next(&mut self) -> Option<(usize, Option<Box<Running>>)> {
        let at = self.ready.pop_front()?;
        let slot = self.slots.get_mut(at)?;
        slot.is_ready = false;
        Some((at, slot.new.take()))
    }

    fn is_over(&self) -> bool {
        self.free.len() == self.slots.len()
    }
}

struct SchedulerTask {
    shared: Arc<Scheduler>,
    /// By slot.
    stages: Vec<Option<Box<Running>>>,
    /// It has said so, and another may be running by now.
    over: bool,
}

impl SchedulerTask {
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
                Some((slot, new)) => self.poll_stage(slot, new),
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

    fn poll_stage(&mut self, slot: usize, new: Option<Box<Running>>) {
        if new.is_some() {
            if self.stages.len() <= slot {
                self.stages.resize_with(slot + 1, || None);
            }
            self.stages[slot] = new;
        }
        let Some(Some(running)) = self.stages.get_mut(slot) else {
            return;
        };
        let aborted = running.stage_waker.aborted.load(Ordering::Acquire);
        let mut cx = Context::from_waker(&running.waker);
        if aborted || running.stage.poll_unpin(&mut cx).is_ready() {
            self.end(slot);
        }
    }

    fn end(&mut self, slot: usize) {
        let stage = self.stages[slot].take();
        if catch_unwind(AssertUnwindSafe(|| drop(stage))).is_err() {
            tracing::error!("a stage panicked when it was dropped");
        }
        self.shared.state.lock().free.push(slot);
    }
}

/// With its runtime, for one: the next stage starts a new one.
impl Drop for SchedulerTask {
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
