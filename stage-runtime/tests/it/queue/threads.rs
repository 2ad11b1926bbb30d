//! Threads outside of any runtime.

use std::thread;

use stage_core::Bound;
use stage_runtime::prelude::*;
use stage_runtime::queue::{Pushed, QueueOptions, WhenFull, queue};
use stage_test::assert_settled;

use crate::common::{seeds_on_threads, soon};
use crate::operators::collect_from;

const THREADS: u64 = 4;
const EVENTS: u64 = 5_000;

/// Whoever pushes, an event that was stored arrives once, and those of a thread in
/// their order.
#[test]
fn what_threads_push_arrives_once_and_in_order() {
    seeds_on_threads(8, |_, mut random| async move {
        let pipeline = Pipeline::new();
        let (inlet, source) = queue(Bound::Events(random.usize(1..200)));
        let source = source.stage().in_group(&pipeline).spawn();
        let all = collect_from(
            source.subscription().max_demand(random.usize(1..200)),
            &pipeline,
        );
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let inlet = inlet.clone();
                thread::spawn(move || {
                    for n in 0..EVENTS {
                        let mut event = (thread, n);
                        while let Pushed::Full(back) = inlet.push(event) {
                            event = back;
                            thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        drop(inlet);
        let all = soon(all.output()).await.unwrap();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(all.len() as u64, THREADS * EVENTS);
        for thread in 0..THREADS {
            let of_thread = all.iter().filter(|(of, _)| *of == thread).map(|(_, n)| *n);
            assert!(of_thread.eq(0..EVENTS), "thread {thread}");
        }
        assert_settled(&pipeline);
    });
}

/// Tasks that wait, threads that push, sends that are dropped: nobody waits for ever, and
/// the sums are right.
#[test]
fn nobody_waits_for_ever() {
    seeds_on_threads(8, |_, mut random| async move {
        let pipeline = Pipeline::new();
        let (inlet, source) = queue(Bound::Events(random.usize(1..8)));
        let source = source.stage().in_group(&pipeline).spawn();
        let most = random.usize(1..20);
        let all = collect_from(source.subscription().max_demand(most), &pipeline);
        let mut tasks = Vec::new();
        for _ in 0..THREADS {
            let inlet = inlet.clone();
            let mut random = random.fork();
            tasks.push(tokio::spawn(async move {
                let mut sent = 0_u64;
                for n in 0..1_000_u64 {
                    let polls = random.usize(1..4);
                    let sending = inlet.send(n);
                    if random.u8(0..4) == 0 {
                        let sent_it = crate::common::wiring::dropped_after(polls, sending).await;
                        sent += u64::from(sent_it.is_some_and(|sent| sent.is_ok()));
                    } else {
                        sending.await.unwrap();
                        sent += 1;
                    }
                }
                sent
            }));
        }
        let mut sent = 0;
        for task in tasks {
            sent += soon(task).await.unwrap();
        }
        let counts = inlet.counts();
        assert_eq!((counts.pushed, counts.waiting), (sent, 0));
        drop(inlet);
        assert_eq!(soon(all.output()).await.unwrap().len() as u64, sent);
        assert_settled(&pipeline);
    });
}

/// The source ends while threads push: each event is delivered, shed or given back.
#[test]
fn an_end_while_threads_push_loses_no_count() {
    seeds_on_threads(20, |seed, mut random| async move {
        let pipeline = Pipeline::new();
        let policy = [
            WhenFull::Wait,
            WhenFull::DropOldest,
            WhenFull::DropNewest,
            WhenFull::Detach,
        ][seed as usize % 4];
        let (inlet, source) = queue(QueueOptions::new(Bound::Events(50)).when_full(policy));
        let source = source.stage().in_group(&pipeline).spawn();
        let all = collect_from(
            source.subscription().max_demand(random.usize(1..20)),
            &pipeline,
        );
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let inlet = inlet.clone();
                thread::spawn(move || {
                    let mut taken = 0_u64;
                    for n in 0_u64.. {
                        match inlet.push(n) {
                            Pushed::Gone(_) => return taken,
                            Pushed::Full(_) => thread::yield_now(),
                            _ => taken += 1,
                        }
                    }
                    taken
                })
            })
            .collect();
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        match random.u8(0..4) {
            0 => source.stop("enough"),
            1 => inlet.detach("enough"),
            2 => inlet.finish(),
            _ => drop(pipeline.drain(std::time::Duration::from_secs(5)).await),
        }
        soon(source.outcome()).await;
        let taken: u64 = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum();
        let counts = inlet.counts();
        assert_eq!((counts.len, counts.pushed), (0, taken));
        assert_eq!(counts.pushed, counts.delivered + counts.shed);
        // What was left in the queue at the end counts as emitted and discarded.
        let stats = source.stats();
        let left = stats.events_out - counts.delivered;
        assert!(left <= stats.discarded.min(counts.shed), "{stats:?}");
        soon(all.outcome()).await;
        assert_settled(&pipeline);
    });
}
