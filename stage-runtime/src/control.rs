//! What handles leave for a stage: few and rare, so a queue that takes no room
//! while it is empty.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

/// A queue that the stage closes.
#[derive(Debug)]
pub(crate) struct Queue<T>(Mutex<Waiting<T>>);

#[derive(Debug)]
struct Waiting<T> {
    items: VecDeque<T>,
    closed: bool,
}

impl<T> Queue<T> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Waiting {
            items: VecDeque::new(),
            closed: false,
        }))
    }

    /// Leaves what `make` makes of `item`; gives `item` back when the queue is
    /// closed.
    pub(crate) fn push<I>(&self, item: I, make: impl FnOnce(I) -> T) -> Result<(), I> {
        let mut waiting = self.0.lock();
        if waiting.closed {
            return Err(item);
        }
        waiting.items.push_back(make(item));
        Ok(())
    }

    pub(crate) fn pop(&self) -> Option<T> {
        let mut waiting = self.0.lock();
        let item = waiting.items.pop_front();
        if waiting.items.is_empty() {
            waiting.items = VecDeque::new();
        }
        item
    }

    /// Takes nothing more in; returns what waits.
    pub(crate) fn close(&self) -> VecDeque<T> {
        let mut waiting = self.0.lock();
        waiting.closed = true;
        std::mem::take(&mut waiting.items)
    }
}

/// The handles' side.
#[derive(Debug)]
pub(crate) struct ControlSender<T>(Option<Arc<Queue<T>>>);

/// The stage's side. Dropped, it is closed, and what waits in it is dropped.
#[derive(Debug)]
pub(crate) struct ControlReceiver<T>(Option<Arc<Queue<T>>>);

/// Both sides of a queue, or of none: a producer is told nothing about what it
/// takes, and a consumer nothing about what it emits.
pub(crate) fn control<T>(needed: bool) -> (ControlSender<T>, ControlReceiver<T>) {
    let queue = needed.then(|| Arc::new(Queue::new()));
    (ControlSender(queue.clone()), ControlReceiver(queue))
}

impl<T> ControlSender<T> {
    /// Leaves something; gives it back when the stage has ended. The caller
    /// rings the stage's station.
    pub(crate) fn send(&self, control: T) -> Result<(), T> {
        match &self.0 {
            Some(queue) => queue.push(control, |control| control),
            None => Err(control),
        }
    }
}

impl<T> ControlReceiver<T> {
    pub(crate) fn try_recv(&self) -> Option<T> {
        self.0.as_ref()?.pop()
    }

    /// Takes nothing more in; returns what waits.
    pub(crate) fn close(&self) -> VecDeque<T> {
        self.0
            .as_ref()
            .map(|queue| queue.close())
            .unwrap_or_default()
    }
}

impl<T> Clone for ControlSender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
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
        let (sender, receiver) = control(true);
        for n in 0..3 {
            sender.send(n).unwrap();
        }
        assert_eq!(receiver.try_recv(), Some(0));
        assert_eq!(receiver.close(), [1, 2]);
        assert_eq!(sender.send(3), Err(3));
        let (other, receiver) = control(true);
        drop(receiver);
        assert_eq!(other.send(4), Err(4));
    }
}
