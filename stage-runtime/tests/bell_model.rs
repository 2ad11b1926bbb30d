//! The bell of a task, under every order in which its threads can take their
//! steps.

#[path = "../src/link/bell.rs"]
#[expect(dead_code, reason = "the model needs only a part of it")]
mod bell;

/// Loom's in place of the real ones.
mod sync {
    pub(super) use loom::sync::atomic::{AtomicU8, Ordering};

    #[derive(Debug)]
    pub(super) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(super) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().expect("no thread of a model panics")
        }
    }

    impl<T: Default> Default for Mutex<T> {
        fn default() -> Self {
            Self(loom::sync::Mutex::new(T::default()))
        }
    }
}

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use bell::{Bell, Sleeper};
use loom::future::block_on;
use loom::model::Builder;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

/// Sleeps until everything in `all` was rung for.
fn hear_all(bell: &Bell, all: u8) {
    let (mut sleeper, mut heard) = (Sleeper::default(), 0);
    while heard != all {
        block_on(poll_fn(|cx| bell.poll(&mut sleeper, cx)));
        heard |= bell.hear();
    }
}

#[test]
fn no_ring_is_missed() {
    // With more than three changes of thread that are not forced, three threads
    // take half a minute.
    let mut model = Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let bell = Arc::new(Bell::default());
        let ringers: Vec<_> = [1, 2]
            .map(|what| {
                let bell = Arc::clone(&bell);
                thread::spawn(move || bell.ring(what))
            })
            .into();
        hear_all(&bell, 3);
        for ringer in ringers {
            ringer.join().unwrap();
        }
        assert!(!bell.is_rung());
    });
}

#[test]
fn what_was_left_before_a_ring_is_seen_after_it() {
    loom::model(|| {
        let shared = Arc::new((Bell::default(), AtomicUsize::new(0)));
        let ringer = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.1.store(7, Ordering::Relaxed);
                shared.0.ring(1);
            })
        };
        hear_all(&shared.0, 1);
        assert_eq!(shared.1.load(Ordering::Relaxed), 7);
        ringer.join().unwrap();
    });
}

#[test]
fn a_part_that_was_heard_leaves_the_rest() {
    loom::model(|| {
        let bell = Arc::new(Bell::default());
        let ringer = {
            let bell = Arc::clone(&bell);
            thread::spawn(move || {
                bell.ring(1);
                bell.ring(2);
            })
        };
        let early = bell.hear_of(2);
        hear_all(&bell, 3 & !early);
        ringer.join().unwrap();
    });
}

/// A waker that counts.
struct Woken(AtomicUsize);

impl std::task::Wake for Woken {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_task_that_moves_is_woken_where_it_sleeps() {
    loom::model(|| {
        let bell = Arc::new(Bell::default());
        let [before, after] = [(); 2].map(|()| std::sync::Arc::new(Woken(AtomicUsize::new(0))));
        let mut sleeper = Sleeper::default();
        let waker = Waker::from(before);
        let asleep = bell.poll(&mut sleeper, &Context::from_waker(&waker));
        assert!(asleep.is_pending());
        let ringer = {
            let bell = Arc::clone(&bell);
            thread::spawn(move || bell.ring(1))
        };
        let waker = Waker::from(std::sync::Arc::clone(&after));
        let polled = bell.poll(&mut sleeper, &Context::from_waker(&waker));
        ringer.join().unwrap();
        // Either the new place was told, or the task saw the ring itself.
        let woken = after.0.load(Ordering::Relaxed);
        assert!(polled == Poll::Ready(()) || woken == 1);
    });
}
