//! Own: the waker of a producer, woken by many threads, when there is nothing, and after the
//! end.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use super::support::*;
use stage_runtime::prelude::*;

struct Woken {
    waker: Arc<Mutex<Option<Waker>>>,
    ready: Arc<AtomicU64>,
    sent: u64,
}

impl Producer for Woken {
    type Event = u64;

    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, u64>) -> StageResult {
        *self.waker.lock().unwrap() = Some(out.waker().clone());
        let ready = self.ready.load(SeqCst).min(self.sent + demand as u64);
        out.extend(self.sent..ready);
        self.sent = ready;
        if self.sent == 20_000 {
            out.complete();
        }
        Ok(())
    }
}

#[test]
fn a_waker_that_many_threads_wake_misses_nothing() {
    for round in 0..rounds(4) {
        both(20, move || async move {
            let (waker, ready) = (
                Arc::new(Mutex::new(None::<Waker>)),
                Arc::new(AtomicU64::new(0)),
            );
            let woken = Woken {
                waker: Arc::clone(&waker),
                ready: Arc::clone(&ready),
                sent: 0,
            };
            let woken = woken.stage().spawn();
            let sink = all()
                .stage()
                .subscribe_to(woken.subscription().max_demand(3 + round * 50))
                .spawn();
            let over = Arc::new(AtomicBool::new(false));
            let threads: Vec<_> = (0..3)
                .map(|thread| {
                    let (waker, ready, over) =
                        (Arc::clone(&waker), Arc::clone(&ready), Arc::clone(&over));
                    std::thread::spawn(move || {
                        let mut random = fastrand::Rng::with_seed(thread + round as u64 * 3);
                        while !over.load(SeqCst) {
                            // Whoever makes an event ready wakes once, and nobody afterwards.
                            let more = ready
                                .fetch_update(SeqCst, SeqCst, |n| (n < 20_000).then_some(n + 1));
                            if let Some(waker) = &*waker.lock().unwrap() {
                                waker.wake_by_ref();
                            }
                            if more.is_err() {
                                break;
                            }
                            if random.u8(..50) == 0 {
                                std::thread::yield_now();
                            }
                        }
                    })
                })
                .collect();
            let events = sink.join_stage().await.unwrap().0;
            assert!(events.into_iter().eq(0..20_000));
            over.store(true, SeqCst);
            threads
                .into_iter()
                .for_each(|thread| thread.join().unwrap());
            let waker = waker.lock().unwrap().take().unwrap();
            waker.wake_by_ref();
            waker.wake();
            assert!(woken.join().await.is_ok());
        });
    }
}
