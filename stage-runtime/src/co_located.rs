//! Co-located stages: a scheduler that runs several stages on one tokio task.

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

/// Runs stages in turn on one task. Handing a batch from one to the next then bypasses
/// the scheduler of the runtime and wakes no thread.
///
/// The task starts with the first stage and ends with the last one. A stage that is
/// spawned later starts a new task.
#[derive(Default)]
pub(crate) struct Scheduler {
    state: Mutex<State>,
    /// Wakes the task.
    waker: AtomicWaker,
}

/// Stages polled in a row before the task reads the clock.
const POLLS: u32 = 32;
/// The time slice of the task, counted from the first time that it reads the clock. After
/// it the task yields to others, which makes a runtime with several threads wake another
/// one.
const SLICE: Duration = Duration::from_micros(100);

/// The part of a scheduler under its lock.
#[derive(Default)]
struct State {
    /// There is a task.
    running: bool,
    /// The task runs or was woken, and will look into `ready`.
    awake: bool,
    /// The slots of the stages to poll, each at most once.
    ready: VecDeque<usize>,
    slots: Vec<Slot>,
    /// The slots whose stage has ended.
    free: Vec<usize>,
}

/// The part of a stage that its waker needs.
#[derive(Default)]
struct Slot {
    /// The slot is in [`State::ready`].
    is_ready: bool,
    /// The stage before its first poll. Boxed, so that slots are small: each poll and
    /// each wake-up reads one.
    new: Option<Box<Running>>,
}

/// A stage, owned by the task from its first poll on.
struct Running {
    stage: BoxFuture<'static, ()>,
    stage_waker: Arc<StageWaker>,
    /// The waker made of `stage_waker`.
    waker: Waker,
}

/// The waker of one stage: makes the task poll it.
pub(crate) struct StageWaker {
    task: Arc<Scheduler>,
    slot: usize,
    /// The task is to drop the stage and not poll it.
    aborted: AtomicBool,
}

impl StageWaker {
    /// Makes the task drop the stage, even inside a handler that awaits.
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
    /// Adds `stage`. Spawns the task on `runtime` if there is none.
    pub(crate) fn spawn<F>(self: &Arc<Self>, runtime: &runtime::Handle, stage: F) -> Arc<StageWaker>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        // A panic that the stage has not caught must not end the other stages.
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

    /// Makes the task poll the stage in this slot. A late call, for a stage that has
    /// ended, does nothing or causes one spurious poll of the next stage in the slot.
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
    /// Returns the number of a free slot; adds one if there is none.
    fn free_slot(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            self.ready.reserve(self.slots.len());
            self.slots.len() - 1
        })
    }

    /// Takes the slot of the next stage to poll, and the stage itself if it was not
    /// polled before.
    fn next(&mut self) -> Option<(usize, Option<Box<Running>>)> {
        let at = self.ready.pop_front()?;
        let slot = self.slots.get_mut(at)?;
        slot.is_ready = false;
        Some((at, slot.new.take()))
    }

    /// Whether all stages have ended.
    fn is_over(&self) -> bool {
        self.free.len() == self.slots.len()
    }
}

/// The task of a scheduler.
struct SchedulerTask {
    shared: Arc<Scheduler>,
    /// The stages, by slot.
    stages: Vec<Option<Box<Running>>>,
    /// The task has reset the scheduler, which may have a new task by now.
    over: bool,
}

impl SchedulerTask {
    /// Polls stages that are ready until there is none, or the time slice is over.
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
        // One poll of `yield_now` makes tokio wake the task after others had their turn.
        // A task that woke itself could go on in another thread, with cold caches.
        pin!(yield_now()).poll(cx)
    }

    /// Polls one stage, or drops it if it was aborted.
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

    /// Drops a stage and frees its slot.
    fn end(&mut self, slot: usize) {
        let stage = self.stages[slot].take();
        if catch_unwind(AssertUnwindSafe(|| drop(stage))).is_err() {
            tracing::error!("a stage panicked when it was dropped");
        }
        self.shared.state.lock().free.push(slot);
    }
}

/// Drops the stages of a task that did not run to its end, for example because its
/// runtime was shut down, and resets the scheduler for a new task.
impl Drop for SchedulerTask {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        self.shared.waker.take();
        let state = std::mem::take(&mut *self.shared.state.lock());
        // Outside the lock: a stage that is dropped notifies its neighbours, which may be
        // in this scheduler.
        drop(state);
    }
}
