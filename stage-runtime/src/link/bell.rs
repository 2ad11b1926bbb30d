//! How a stage is woken.

use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// What wakes one task: rung by whoever left something for it, awaited by the
/// task when it has nothing to do.
///
/// Ringing a bell that has been rung and not yet heard costs a lock and wakes
/// nobody: wake-ups are what a pipeline spends most of its time on.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rung: bool,
    again: bool,
    sleeper: Option<Waker>,
}

/// What a task hears when it listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Somebody left something.
    pub(crate) rung: bool,
    /// The producer's own waker was woken: it wants to be called again.
    pub(crate) again: bool,
}

impl Bell {
    /// Wakes the task, or has it notice before it sleeps.
    pub(crate) fn ring(&self) {
        self.wake(false);
    }

    /// The same, and has the producer called again.
    pub(crate) fn ring_again(&self) {
        self.wake(true);
    }

    fn wake(&self, again: bool) {
        let sleeper = {
            let mut state = self.lock();
            state.rung = true;
            state.again |= again;
            state.sleeper.take()
        };
        // Outside the lock: waking may run code that is not ours.
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
    }

    /// What has been rung since the last call. Whatever was left before a ring
    /// is visible to the caller afterwards.
    pub(crate) fn hear(&self) -> Heard {
        let mut state = self.lock();
        Heard {
            rung: std::mem::take(&mut state.rung),
            again: std::mem::take(&mut state.again),
        }
    }

    /// Ready when it has been rung; does not count as hearing it.
    pub(crate) fn poll_rung(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.rung {
            return Poll::Ready(());
        }
        match &mut state.sleeper {
            Some(sleeper) => sleeper.clone_from(cx.waker()),
            None => state.sleeper = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing under this lock can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Bell, Heard};
    use futures::task::noop_waker;
    use std::task::Context;

    #[test]
    fn a_ring_before_the_sleep_is_not_missed() {
        let bell = Bell::default();
        let waker = noop_waker();
        let mut cx = Context::from_waker(&waker);
        assert!(bell.poll_rung(&mut cx).is_pending());
        bell.ring();
        assert!(bell.poll_rung(&mut cx).is_ready());
        assert!(bell.poll_rung(&mut cx).is_ready(), "asking is not hearing");
        assert!(bell.hear().rung);
        assert!(bell.poll_rung(&mut cx).is_pending());
    }

    #[test]
    fn again_is_heard_once() {
        let bell = Bell::default();
        bell.ring_again();
        bell.ring();
        let (once, twice) = (bell.hear(), bell.hear());
        assert_eq!((once.rung, once.again), (true, true));
        assert_eq!(
            twice,
            Heard {
                rung: false,
                again: false
            }
        );
    }
}
