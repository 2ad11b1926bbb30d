//! What handles leave for a stage beside messages: few and rare, so a queue
//! that takes no room while it is empty.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The handles' side.
#[derive(Debug)]
pub(crate) struct ControlSender<T>(Arc<Mutex<Queue<T>>>);

/// The stage's side. Dropped, it is closed, and what waits in it is dropped.
#[derive(Debug)]
pub(crate) struct ControlReceiver<T>(Arc<Mutex<Queue<T>>>);

#[derive(Debug)]
struct Queue<T> {
    waiting: VecDeque<T>,
    closed: bool,
}

pub(crate) fn control<T>() -> (ControlSender<T>, ControlReceiver<T>) {
    let queue = Arc::new(Mutex::new(Queue {
        waiting: VecDeque::new(),
        closed: false,
    }));
    (ControlSender(Arc::clone(&queue)), ControlReceiver(queue))
}

impl<T> ControlSender<T> {
    /// Leaves something; gives it back when the stage has ended. The caller
    /// rings the stage's station.
    pub(crate) fn send(&self, control: T) -> Result<(), T> {
        let mut queue = lock(&self.0);
        if queue.closed {
            return Err(control);
        }
        queue.waiting.push_back(control);
        Ok(())
    }
}

impl<T> ControlReceiver<T> {
    pub(crate) fn try_recv(&self) -> Option<T> {
        lock(&self.0).waiting.pop_front()
    }

    /// Takes nothing more in; returns what waits.
    pub(crate) fn close(&self) -> VecDeque<T> {
        let mut queue = lock(&self.0);
        queue.closed = true;
        std::mem::take(&mut queue.waiting)
    }
}

fn lock<T>(queue: &Mutex<Queue<T>>) -> MutexGuard<'_, Queue<T>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> Clone for ControlSender<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for ControlReceiver<T> {
    fn drop(&mut self) {
        // Dropped here, outside the lock: what waits may have answers to give.
        drop(self.close());
    }
}

#[cfg(test)]
mod tests {
    use super::control;

    #[test]
    fn what_was_left_is_taken_in_order_and_nothing_after_the_end() {
        let (sender, receiver) = control();
        for n in 0..3 {
            sender.send(n).unwrap();
        }
        assert_eq!(receiver.try_recv(), Some(0));
        assert_eq!(receiver.close(), [1, 2]);
        assert_eq!(sender.send(3), Err(3));
        let (other, receiver) = control();
        drop(receiver);
        assert_eq!(other.send(4), Err(4));
    }
}
