//! The wake flags of a task, under every order in which its threads can take their
//! steps.

#[path = "../src/link/wake_flags.rs"]
mod wake_flags;

/// Loom's in place of the real ones.
mod sync {
    pub(super) use loom::sync::atomic::{AtomicBool, AtomicU8, Ordering};

    #[derive(Debug)]
    pub(super) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(super) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().expect("no thread of a model panics")
        }
    }

    /// Loom has none: what is in it is seen by who sees that it was set.
    #[derive(Debug)]
    pub(super) struct OnceLock<T> {
        value: std::sync::OnceLock<T>,
        is_set: AtomicBool,
    }

    impl<T> Default for OnceLock<T> {
        fn default() -> Self {
            Self {
                value: std::sync::OnceLock::new(),
                is_set: AtomicBool::new(false),
            }
        }
    }

    impl<T> OnceLock<T> {
        pub(super) fn get(&self) -> Option<&T> {
            let is_set = self.is_set.load(Ordering::Acquire);
            self.value.get().filter(|_| is_set)
        }

        pub(super) fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
            let value = self.value.get_or_init(init);
            self.is_set.store(true, Ordering::Release);
            value
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

use loom::future::block_on;
use loom::model::Builder;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use wake_flags::{
    CACHE_AFTER, CachedWaker, FROM_CONSUMERS, FROM_PRODUCERS, ParkedWaker, WakeFlags, WakeOn,
};

/// Sleeps until everything in `all` was rung for.
fn take_all(flags: &WakeFlags, all: u8) {
    let (mut parked, mut taken) = (ParkedWaker::default(), 0);
    while taken != all {
        block_on(poll_fn(|cx| flags.poll(&mut parked, WakeOn::Any, cx)));
        taken |= flags.take();
    }
}

#[test]
fn no_ring_is_missed() {
    // With more than three changes of thread that are not forced, three threads
    // take half a minute.
    let mut model = Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let flags = Arc::new(WakeFlags::default());
        let ringers: Vec<_> = [1, 2]
            .map(|what| {
                let flags = Arc::clone(&flags);
                thread::spawn(move || flags.notify(what))
            })
            .into();
        take_all(&flags, 3);
        for ringer in ringers {
            ringer.join().unwrap();
        }
        assert!(!flags.is_notified());
    });
}

#[test]
fn what_was_left_before_a_ring_is_seen_after_it() {
    loom::model(|| {
        let shared = Arc::new((WakeFlags::default(), AtomicUsize::new(0)));
        let ringer = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.1.store(7, Ordering::Relaxed);
                shared.0.notify(1);
            })
        };
        take_all(&shared.0, 1);
        assert_eq!(shared.1.load(Ordering::Relaxed), 7);
        ringer.join().unwrap();
    });
}

#[test]
fn a_part_that_was_heard_leaves_the_rest() {
    loom::model(|| {
        let flags = Arc::new(WakeFlags::default());
        let ringer = {
            let flags = Arc::clone(&flags);
            thread::spawn(move || {
                flags.notify(1);
                flags.notify(2);
            })
        };
        let early = flags.take_only(2);
        take_all(&flags, 3 & !early);
        ringer.join().unwrap();
    });
}

/// Two events and a demand: neither wakes who lacks the other, and both are taken.
#[test]
fn who_sleeps_until_it_has_what_it_lacks_hears_the_rest_then() {
    const EVENTS: u8 = 1 << FROM_PRODUCERS.trailing_zeros();
    const DEMAND: u8 = 1 << FROM_CONSUMERS.trailing_zeros();
    for (sleep, lacks, has) in [
        (WakeOn::Events, EVENTS, DEMAND),
        (WakeOn::Demand, DEMAND, EVENTS),
    ] {
        loom::model(move || {
            let flags = Arc::new(WakeFlags::default());
            let ringer = {
                let flags = Arc::clone(&flags);
                thread::spawn(move || {
                    flags.notify(has);
                    flags.notify(lacks);
                })
            };
            let (mut parked, mut taken) = (ParkedWaker::default(), 0);
            while taken & lacks == 0 {
                block_on(poll_fn(|cx| flags.poll(&mut parked, sleep, cx)));
                taken |= flags.take();
            }
            assert_eq!(taken, lacks | has, "what was rung before is taken as well");
            ringer.join().unwrap();
        });
    }
}

/// A waker that counts.
#[derive(Default)]
struct Woken(AtomicUsize);

impl std::task::Wake for Woken {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn only_what_it_sleeps_for_wakes_a_task() {
    const EVENTS: u8 = FROM_PRODUCERS;
    const DEMAND: u8 = FROM_CONSUMERS;
    // What is rung for, and how often the task has been woken after each.
    for (sleep, rings) in [
        (WakeOn::Any, [(DEMAND, 1), (EVENTS, 1), (1, 1)]),
        (WakeOn::Events, [(DEMAND, 0), (EVENTS, 1), (1, 1)]),
        (WakeOn::Events, [(DEMAND, 0), (1, 1), (EVENTS, 1)]),
        (WakeOn::Demand, [(EVENTS, 0), (EVENTS, 0), (DEMAND, 1)]),
        (WakeOn::Demand, [(EVENTS, 0), (1 | EVENTS, 1), (DEMAND, 1)]),
    ] {
        loom::model(move || {
            let (flags, woken) = (WakeFlags::default(), std::sync::Arc::new(Woken::default()));
            let waker = Waker::from(std::sync::Arc::clone(&woken));
            let (cx, mut parked) = (Context::from_waker(&waker), ParkedWaker::default());
            assert!(flags.poll(&mut parked, sleep, &cx).is_pending());
            let mut all = 0;
            for (ring, times) in rings {
                flags.notify(ring);
                all |= ring;
                assert_eq!(woken.0.load(Ordering::Relaxed), times, "{sleep:?} {ring:b}");
            }
            // Whoever looks on its own sees it all.
            assert!(flags.poll(&mut parked, sleep, &cx).is_ready());
            assert_eq!(flags.take(), all);
        });
    }
}

#[test]
fn another_sleep_takes_the_place_of_the_one_before() {
    loom::model(|| {
        let (flags, woken) = (WakeFlags::default(), std::sync::Arc::new(Woken::default()));
        let waker = Waker::from(std::sync::Arc::clone(&woken));
        let (cx, mut parked) = (Context::from_waker(&waker), ParkedWaker::default());
        for sleep in [WakeOn::Events, WakeOn::Demand, WakeOn::Any] {
            assert!(flags.poll(&mut parked, sleep, &cx).is_pending());
        }
        flags.notify(FROM_CONSUMERS);
        assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    });
}

/// By whoever rings for the first time, and by a neighbour who has rung often.
#[test]
fn a_task_that_moves_is_woken_where_it_sleeps() {
    for knows in [false, true] {
        loom::model(move || {
            let flags = Arc::new(WakeFlags::default());
            let neighbour = CachedWaker::default();
            let [before, after] = [(); 2].map(|()| std::sync::Arc::new(Woken::default()));
            let mut parked = ParkedWaker::default();
            let waker = Waker::from(std::sync::Arc::clone(&before));
            let cx = Context::from_waker(&waker);
            assert!(flags.poll(&mut parked, WakeOn::Any, &cx).is_pending());
            for times in 1..=if knows { CACHE_AFTER + 1 } else { 0 } {
                flags.notify_by(&neighbour, 1);
                let woken = before.0.load(Ordering::Relaxed);
                assert_eq!((flags.take(), woken), (1, usize::from(times)));
                assert!(flags.poll(&mut parked, WakeOn::Any, &cx).is_pending());
            }
            let ringer = {
                let flags = Arc::clone(&flags);
                thread::spawn(move || flags.notify_by(&neighbour, 1))
            };
            let waker = Waker::from(std::sync::Arc::clone(&after));
            let cx = Context::from_waker(&waker);
            let polled = flags.poll(&mut parked, WakeOn::Any, &cx);
            ringer.join().unwrap();
            // Either the new place was told, or the task saw the ring itself.
            let woken = after.0.load(Ordering::Relaxed);
            assert!(polled == Poll::Ready(()) || woken == 1);
        });
    }
}

#[test]
fn nobody_keeps_the_memory_of_a_task_whose_link_is_gone() {
    loom::model(|| {
        let (flags, woken) = (WakeFlags::default(), std::sync::Arc::new(Woken::default()));
        let (neighbour, mut parked) = (CachedWaker::default(), ParkedWaker::default());
        let waker = Waker::from(std::sync::Arc::clone(&woken));
        let cx = Context::from_waker(&waker);
        assert!(flags.poll(&mut parked, WakeOn::Any, &cx).is_pending());
        for _ in 0..=CACHE_AFTER {
            flags.notify_by(&neighbour, 1);
            flags.take();
            assert!(flags.poll(&mut parked, WakeOn::Any, &cx).is_pending());
        }
        flags.forget();
        drop((parked, waker));
        assert_eq!(std::sync::Arc::strong_count(&woken), 2);
        drop(neighbour);
        assert_eq!(std::sync::Arc::strong_count(&woken), 1);
    });
}
