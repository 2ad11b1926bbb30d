//! Wakers, hooks and events that come back to the queue.
//!
//! Reference: rust-lang/futures-rs issue 1932, "deadlock when poll mpsc::Receiver and
//! mpsc::Sender in one thread": a channel called a waker, and dropped it, under its lock.
//! A test that hangs here has found the same.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use stage_core::Bound;
use stage_runtime::queue::{Inlet, QueueOptions, WhenFull, queue};

use super::is_stored;

/// Uses its queue when it is woken and when it is dropped.
struct Meddler(Inlet<u64>);

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {
        let _ = self.0.push(77);
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        let _ = self.0.counts();
    }
}

#[test]
fn a_waker_may_use_the_queue() {
    let (inlet, source) = queue(Bound::Events(1));
    assert!(is_stored(&inlet.push(0)));
    let mut sending = pin!(inlet.send(1));
    for _ in 0..3 {
        // Each poll replaces the waker of the one before, and drops it.
        let waker = Waker::from(Arc::new(Meddler(inlet.clone())));
        let polled = sending.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
    }
    drop(source);
    let polled = sending
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Err(_))));
}

/// An event that uses its queue when it is dropped.
struct Knot(Mutex<Option<Inlet<Self>>>);

impl Drop for Knot {
    fn drop(&mut self) {
        if let Ok(Some(inlet)) = self.0.get_mut().map(Option::take) {
            let _ = inlet.counts();
            drop(inlet);
        }
    }
}

#[test]
fn an_event_may_hold_an_inlet_and_be_shed() {
    for policy in [WhenFull::DropOldest, WhenFull::DropNewest, WhenFull::Detach] {
        let (inlet, source) = queue(QueueOptions::new(Bound::Events(2)).when_full(policy));
        let knot = || Knot(Mutex::new(Some(inlet.clone())));
        for _ in 0..5 {
            drop(inlet.push(knot()));
        }
        drop(source);
        assert_eq!(inlet.counts().len, 0);
    }
}

#[test]
fn a_hook_may_look_at_the_queue() {
    let slot = Arc::new(Mutex::new(None::<Inlet<u64>>));
    let seen = Arc::clone(&slot);
    let options = QueueOptions::new(Bound::Events(1)).when_full(WhenFull::DropOldest);
    let (inlet, source) = queue(options.shed(move |_| {
        let inlet = seen.lock().unwrap();
        assert!(inlet.as_ref().is_some_and(|inlet| inlet.counts().shed > 0));
    }));
    *slot.lock().unwrap() = Some(inlet.clone());
    for n in 0..3 {
        let _ = inlet.push(n);
    }
    drop(source);
    slot.lock().unwrap().take();
}
