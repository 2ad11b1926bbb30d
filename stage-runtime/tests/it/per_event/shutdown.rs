//! What happens to the children of a stage that ends (C6, C9).

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::support::{Child, Verdict, told};
use crate::common::{cancelled, soon};
use stage_runtime::operators::from_fn;
use stage_runtime::per_event::{
    ChildCountsHandle, PerEvent, Shutdown, ShutdownSignal, StartChild, WithSignal, per_event_with,
};
use stage_runtime::prelude::*;
use tokio::sync::Barrier;
use tokio::time::{Instant, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

/// What a child does when it is asked to stop.
#[derive(Debug, Clone, Copy)]
enum Manners {
    /// Takes a second, and returns `Ok`.
    Finish,
    /// Takes a second, and returns an error.
    Fail,
    /// Does not listen.
    Ignore,
}

type Start = Box<dyn FnMut(Manners, ShutdownSignal) -> Child + Send>;

/// Children that mind their manners. They are counted when they are asked.
fn mannered() -> (PerEvent<WithSignal<Start>, Manners>, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let start = move |manners, signal: ShutdownSignal| {
        let asked = Arc::clone(&counter);
        Box::pin(async move {
            signal.requested().await;
            assert!(signal.is_requested());
            asked.fetch_add(1, Ordering::Relaxed);
            match manners {
                Manners::Finish => sleep(SECOND).await,
                Manners::Fail => {
                    sleep(SECOND).await;
                    return Err("interrupted".into());
                }
                Manners::Ignore => pending().await,
            }
            Ok(())
        }) as Child
    };
    let stage = per_event_with(Box::new(start) as Start);
    (stage, asked)
}

/// Starts `children`, stops the stage; how long it took, and the counts after.
async fn stopped_with(
    shutdown: Shutdown,
    children: &[Manners],
) -> (Duration, ChildCountsHandle, usize) {
    let (stage, asked) = mannered();
    let stage = stage.shutdown(shutdown);
    let handle = stage.counts_handle();
    let stage = stage.stage().spawn();
    for manners in children {
        stage.call(StartChild(*manners)).await.unwrap().unwrap();
    }
    // So that they have all begun to listen.
    sleep(Duration::from_millis(1)).await;
    let begun = Instant::now();
    stage.stop("enough");
    assert_eq!(cancelled(soon(stage.join()).await), "enough");
    let counts = handle.counts();
    assert_eq!(counts.running, 0);
    assert_eq!(
        counts.started,
        counts.completed + counts.failed + counts.stopped
    );
    (begun.elapsed(), handle, asked.load(Ordering::Relaxed))
}

/// GS022
#[tokio::test(start_paused = true)]
async fn immediately_aborts_children_unasked() {
    let (took, handle, asked) = stopped_with(Shutdown::Immediately, &[Manners::Finish; 3]).await;
    assert_eq!((took, asked), (Duration::ZERO, 0));
    assert_eq!(handle.counts().stopped, 3);
}

/// GS022, and their tasks are gone when the stage has ended.
#[tokio::test(start_paused = true)]
async fn no_task_is_left_when_the_stage_has_ended() {
    let (stage, mut started) = told();
    let stage = stage.shutdown(Shutdown::Immediately).stage().spawn();
    for event in 0..3 {
        stage.call(StartChild(event)).await.unwrap().unwrap();
    }
    let children = started.all(3).await;
    stage.stop("enough");
    soon(stage.outcome()).await;
    for mut child in children {
        assert!(child.is_gone().await);
    }
}

/// GS023
#[tokio::test(start_paused = true)]
async fn unlimited_waits_for_children_that_finish() {
    let (took, handle, asked) = stopped_with(Shutdown::Unlimited, &[Manners::Finish; 3]).await;
    assert_eq!((took, asked), (SECOND, 3));
    assert_eq!((handle.counts().completed, handle.counts().stopped), (3, 0));
}

/// GS023, however long it takes.
#[tokio::test(start_paused = true)]
async fn unlimited_has_no_limit() {
    let (stage, _) = mannered();
    let stage = stage.shutdown(Shutdown::Unlimited).stage().spawn();
    stage
        .call(StartChild(Manners::Ignore))
        .await
        .unwrap()
        .unwrap();
    stage.stop("enough");
    let year = Duration::from_secs(365 * 24 * 60 * 60);
    assert!(timeout(year, stage.outcome()).await.is_err());
}

/// GS024
#[tokio::test(start_paused = true)]
async fn unlimited_counts_children_that_fail_when_asked() {
    let (took, handle, asked) = stopped_with(Shutdown::Unlimited, &[Manners::Fail; 3]).await;
    assert_eq!((took, asked), (SECOND, 3));
    assert_eq!((handle.counts().failed, handle.counts().stopped), (3, 0));
}

/// GS025
#[tokio::test(start_paused = true)]
async fn after_waits_only_until_all_have_finished() {
    let limit = Shutdown::After(10 * SECOND);
    let (took, handle, asked) = stopped_with(limit, &[Manners::Finish; 3]).await;
    assert_eq!((took, asked), (SECOND, 3));
    assert_eq!((handle.counts().completed, handle.counts().stopped), (3, 0));
}

/// GS026
#[tokio::test(start_paused = true)]
async fn after_counts_children_that_fail_when_asked() {
    let limit = Shutdown::After(10 * SECOND);
    let (took, handle, _) = stopped_with(limit, &[Manners::Fail; 3]).await;
    assert_eq!(took, SECOND);
    assert_eq!((handle.counts().failed, handle.counts().stopped), (3, 0));
}

/// GS027
#[tokio::test(start_paused = true)]
async fn after_aborts_who_is_still_there() {
    let limit = Shutdown::After(3 * SECOND);
    let children = [Manners::Finish, Manners::Ignore, Manners::Fail];
    let (took, handle, asked) = stopped_with(limit, &children).await;
    assert_eq!((took, asked), (3 * SECOND, 3));
    let counts = handle.counts();
    assert_eq!((counts.completed, counts.failed, counts.stopped), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_default_is_5_seconds() {
    let (took, handle, _) = stopped_with(Shutdown::default(), &[Manners::Ignore]).await;
    assert_eq!(took, 5 * SECOND);
    assert_eq!(handle.counts().stopped, 1);
}

/// A child that takes no signal is given the time to finish.
#[tokio::test(start_paused = true)]
async fn children_that_cannot_be_asked_are_waited_for_as_well() {
    let stage = per_event(|seconds: u32| async move {
        sleep(SECOND * seconds).await;
        Ok(())
    });
    let handle = stage.counts_handle();
    let stage = stage.shutdown(Shutdown::After(2 * SECOND)).stage().spawn();
    stage.call(StartChild(1)).await.unwrap().unwrap();
    stage.call(StartChild(3)).await.unwrap().unwrap();
    sleep(Duration::from_millis(1)).await;
    stage.stop("enough");
    soon(stage.outcome()).await;
    assert_eq!((handle.counts().completed, handle.counts().stopped), (1, 1));
}

/// A child that fails while the stage ends is not restarted.
#[tokio::test(start_paused = true)]
async fn nothing_is_restarted_while_the_stage_ends() {
    let (stage, asked) = mannered();
    let stage = stage.restart(stage_runtime::per_event::ChildRestart::Transient);
    let handle = stage.counts_handle();
    let stage = stage.stage().spawn();
    stage
        .call(StartChild(Manners::Fail))
        .await
        .unwrap()
        .unwrap();
    sleep(Duration::from_millis(1)).await;
    stage.stop("enough");
    soon(stage.outcome()).await;
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!((handle.counts().failed, handle.counts().restarts), (1, 0));
}

/// A permanent subscription whose producer fails ends the stage at once: its
/// children are shut down.
#[tokio::test(start_paused = true)]
async fn a_producer_that_fails_has_the_children_shut_down() {
    let (stage, mut started) = told();
    let handle = stage.counts_handle();
    let mut emitted = false;
    let failing = from_fn(move || {
        assert!(!std::mem::replace(&mut emitted, true), "no more");
        Some(1)
    });
    let failing = failing.stage().spawn();
    let terms = failing.subscription().max_demand(1);
    let stage = stage
        .shutdown(Shutdown::Immediately)
        .stage()
        .subscribe_to(terms)
        .spawn();
    let child = started.next().await;
    // Its place is asked for, and there the producer panics.
    child.end(Verdict::Finish);
    crate::common::failure(soon(stage.join()).await);
    assert_eq!(handle.counts().running, 0);
}

/// Aborts a stage's children together with its task.
#[test]
fn a_runtime_that_goes_away_takes_the_children_with_it() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let (stage, mut started) = told();
    let (child, stage) = runtime.block_on(async {
        let stage = stage.shutdown(Shutdown::Unlimited).stage().spawn();
        stage.call(StartChild(1)).await.unwrap().unwrap();
        (started.next_untimed().await, stage)
    });
    drop(runtime);
    assert!(child.is_closed());
    drop(stage);
}

/// The default needs a timer; no child is left where there is none.
#[test]
fn a_runtime_without_a_timer_has_the_children_aborted() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let (stage, mut started) = told();
    let handle = stage.counts_handle();
    runtime.block_on(async {
        let stage = stage.stage().spawn();
        stage.call(StartChild(1)).await.unwrap().unwrap();
        let child = started.next_untimed().await;
        stage.stop("enough");
        stage.outcome().await;
        assert!(child.is_closed());
    });
    assert_eq!(handle.counts().stopped, 1);
}

/// Children on several threads, aborted while they run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_children_are_aborted_at_their_next_await() {
    let barrier = Arc::new(Barrier::new(101));
    let meet = Arc::clone(&barrier);
    let stage = per_event(move |_: u64| {
        let meet = Arc::clone(&meet);
        async move {
            meet.wait().await;
            loop {
                tokio::task::yield_now().await;
            }
        }
    });
    let handle = stage.counts_handle();
    let stage = stage.shutdown(Shutdown::Immediately).stage().spawn();
    for event in 0..100 {
        stage.call(StartChild(event)).await.unwrap().unwrap();
    }
    soon(barrier.wait()).await;
    stage.stop("enough");
    soon(stage.outcome()).await;
    assert_eq!((handle.counts().stopped, handle.counts().running), (100, 0));
}
