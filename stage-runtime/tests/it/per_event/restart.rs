//! Which children are restarted, and when it was once too often (C3, C6, C7).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::support::{Started, Verdict, running, told};
use crate::common::{failure, pending, soon};
use stage_runtime::operators::from_iter;
use stage_runtime::per_event::{ChildRestart, ListChildren, PerEventError, StartChild, StopChild};
use stage_runtime::prelude::*;
use stage_test::probe::{ProducerProbe, emit};
use tokio::time::{Instant, advance};

/// A stage of transient children.
macro_rules! transient {
    () => {{
        let (stage, started): (_, Started<u64>) = told();
        (stage.restart(ChildRestart::Transient), started)
    }};
}

/// GS003: GenStage refuses `:permanent`; here it cannot be written.
#[test]
fn children_are_transient_or_temporary() {
    // A third variant would not compile here.
    let starts_again = |restart| match restart {
        ChildRestart::Transient => true,
        ChildRestart::Temporary => false,
    };
    assert!(!starts_again(ChildRestart::default()));
}

/// GS015
#[tokio::test(start_paused = true)]
async fn a_temporary_child_is_not_restarted_however_it_ends() {
    let (stage, mut started) = told();
    // Also when it was said.
    let stage = stage.restart(ChildRestart::Transient);
    let stage = stage.restart(ChildRestart::Temporary);
    let stage = stage.stage().spawn();
    for verdict in [Verdict::Finish, Verdict::Fail, Verdict::Panic] {
        stage.call(StartChild(1)).await.unwrap().unwrap();
        started.next().await.end(verdict);
        started.quiet().await;
        assert_eq!(running(&stage).await, 0);
    }
    let counts = stage
        .call(stage_runtime::per_event::CountChildren)
        .await
        .unwrap();
    assert_eq!((counts.started, counts.completed, counts.failed), (3, 1, 2));
    assert_eq!(counts.restarts, 0);
}

/// GS016
#[tokio::test(start_paused = true)]
async fn a_transient_child_is_restarted_with_its_event_when_it_fails() {
    let (stage, mut started) = transient!();
    let stage = stage.stage().spawn();
    let id = stage.call(StartChild(7)).await.unwrap().unwrap();
    for (restarts, verdict) in [Verdict::Fail, Verdict::Panic].into_iter().enumerate() {
        let child = &stage.call(ListChildren).await.unwrap()[0];
        assert_eq!((child.id, child.restarts), (id, restarts));
        let child = started.next().await;
        assert_eq!(child.event, 7);
        child.end(verdict);
    }
    started.next().await.finish();
    started.quiet().await;
    let counts = stage
        .call(stage_runtime::per_event::CountChildren)
        .await
        .unwrap();
    assert_eq!((counts.started, counts.restarts), (1, 2));
    assert_eq!((counts.completed, counts.failed, counts.running), (1, 0, 0));
}

/// GS017
#[tokio::test(start_paused = true)]
async fn each_child_is_restarted_with_its_own_event() {
    let (probe, _) = ProducerProbe::silent();
    let source = probe.stage().spawn();
    let (stage, mut started) = transient!();
    let stage = stage
        .max_restarts(100)
        .stage()
        .subscribe_to(&source)
        .spawn();
    source.call(emit(0..5)).await.unwrap();
    let children = started.all(5).await;
    let before = stage.call(ListChildren).await.unwrap();
    for child in children.into_iter().rev() {
        let event = child.event;
        child.end(Verdict::Fail);
        assert_eq!(started.next().await.event, event);
        started.quiet().await;
    }
    let after = stage.call(ListChildren).await.unwrap();
    assert_eq!(running(&stage).await, 5);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((before.id, before.restarts), (after.id, 0));
        assert_eq!(
            (before.subscription, after.restarts),
            (after.subscription, 1)
        );
    }
}

/// GS018
#[tokio::test(start_paused = true)]
async fn a_restart_that_fails_is_tried_again() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&tries);
    let stage = per_event(move |_: u64| {
        // The second and the third do not even start.
        let tries = counter.fetch_add(1, Ordering::Relaxed);
        assert!(![1, 2].contains(&tries), "not now");
        async move {
            if tries == 0 {
                Err("the first".into())
            } else {
                Ok(())
            }
        }
    });
    let stage = stage.restart(ChildRestart::Transient);
    let one = from_iter([1u64]).stage().spawn();
    let stage = stage.stage().subscribe_to(&one).spawn();
    let counts = soon(stage.join_stage()).await.unwrap().counts();
    assert_eq!(tries.load(Ordering::Relaxed), 4);
    assert_eq!(
        (counts.started, counts.restarts, counts.completed),
        (1, 3, 1)
    );
}

/// GS019
#[tokio::test(start_paused = true)]
async fn too_many_restarts_end_the_stage_with_a_typed_error() {
    for max in 0..4 {
        let (stage, mut started) = transient!();
        let stage = stage.max_restarts(max);
        let handle = stage.counts_handle();
        let stage = stage.stage().name("workers").spawn();
        stage.call(StartChild(1)).await.unwrap().unwrap();
        stage.call(StartChild(2)).await.unwrap().unwrap();
        let mut bystander = started.next().await;
        let mut child = started.next().await;
        for _ in 0..max {
            child.end(Verdict::Fail);
            child = started.next().await;
        }
        pending(stage.outcome()).await;
        child.end(Verdict::Fail);
        let failure = failure(soon(stage.join()).await);
        assert_eq!(failure.stage(), "workers");
        let error: &PerEventError = failure.downcast_ref().unwrap();
        assert!(
            matches!(error, PerEventError::TooManyRestarts { max_restarts, within, .. }
                if *max_restarts == max && *within == Duration::from_secs(5)),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(
            text.contains("told to fail") && text.contains("5s"),
            "{text}"
        );
        // The others are shut down with it.
        assert!(bystander.is_gone().await);
        let counts = handle.counts();
        assert_eq!((counts.failed, counts.stopped, counts.running), (1, 1, 0));
        assert_eq!(counts.restarts, max as u64);
    }
}

/// GS020
#[tokio::test(start_paused = true)]
async fn only_restarts_within_the_span_count() {
    let (stage, mut started) = transient!();
    let stage = stage
        .max_restarts(1)
        .within(Duration::from_secs(10))
        .stage()
        .spawn();
    stage.call(StartChild(1)).await.unwrap().unwrap();
    for _ in 0..5 {
        started.next().await.end(Verdict::Fail);
        pending(stage.outcome()).await;
        advance(Duration::from_secs(10)).await;
    }
    started.next().await.end(Verdict::Fail);
    started.next().await.end(Verdict::Panic);
    let failure = failure(soon(stage.join()).await);
    assert!(failure.to_string().contains("told to panic"), "{failure}");
}

/// GS020, with a span that counts only what happens at the same instant.
#[tokio::test(start_paused = true)]
async fn a_span_of_0_counts_restarts_at_the_same_instant() {
    let (stage, mut started) = transient!();
    let stage = stage.max_restarts(1).within(Duration::ZERO).stage().spawn();
    stage.call(StartChild(1)).await.unwrap().unwrap();
    for _ in 0..5 {
        started.next().await.end(Verdict::Fail);
        let next = started.next().await;
        advance(Duration::from_millis(1)).await;
        next.end(Verdict::Fail);
        pending(stage.outcome()).await;
    }
    started.next().await.end(Verdict::Fail);
    started.next().await.end(Verdict::Fail);
    failure(soon(stage.join()).await);
}

/// GS021
#[tokio::test(start_paused = true)]
async fn a_child_that_can_never_start_ends_the_stage_and_hands_back_the_rest() {
    let begun = Instant::now();
    let (probe, mut above) = ProducerProbe::silent();
    let source = probe.stage().spawn();
    let stage = per_event(|n: u64| {
        assert!(n > 0, "never");
        async { Ok(()) }
    });
    let stage = stage.restart(ChildRestart::Transient).max_restarts(10);
    let handle = stage.counts_handle();
    let terms = source.subscription().max_demand(2).min_demand(1);
    let stage = stage.stage().subscribe_to(terms).spawn();
    above.demand().await;
    source.call(emit(0..2)).await.unwrap();
    let failure = failure(soon(stage.join()).await);
    let error: &PerEventError = failure.downcast_ref().unwrap();
    assert!(matches!(
        error,
        PerEventError::TooManyRestarts { max_restarts: 10, last, .. }
            if last.to_string() == "the child panicked: never"
    ));
    assert_eq!(begun.elapsed(), Duration::ZERO, "restarts are immediate");
    let counts = handle.counts();
    assert_eq!((counts.restarts, counts.failed), (10, 1));
    assert_eq!(counts.started + source.stats().buffered, 2);
}

/// The others' failures do not count for one that ended well.
#[tokio::test(start_paused = true)]
async fn restarts_are_counted_over_all_children() {
    let (stage, mut started) = transient!();
    let stage = stage.max_restarts(2).stage().spawn();
    for event in 0..3 {
        stage.call(StartChild(event)).await.unwrap().unwrap();
    }
    for child in started.all(3).await {
        child.end(Verdict::Fail);
    }
    failure(soon(stage.join()).await);
}

/// Children that fail as fast as they are restarted do not keep the stage from
/// its messages.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_that_only_restarts_still_answers_and_stops() {
    let stage = per_event(|_: u64| async { Err("again".into()) });
    let stage = stage.restart(ChildRestart::Transient);
    let stage = stage.max_restarts(usize::MAX).within(Duration::ZERO);
    let stage = stage.stage().spawn();
    for event in 0..8 {
        stage.call(StartChild(event)).await.unwrap().unwrap();
    }
    assert_eq!(soon(running(&stage)).await, 8);
    stage.stop("enough");
    soon(stage.outcome()).await;
}

/// Not even this is silent.
#[tokio::test(start_paused = true)]
async fn a_child_that_panics_when_it_is_dropped_has_failed() {
    struct Mine;

    impl Drop for Mine {
        fn drop(&mut self) {
            panic!("a mine");
        }
    }

    let stage = per_event(|_: u64| async {
        let mine = Mine;
        std::future::pending::<()>().await;
        drop(mine);
        Ok(())
    });
    let stage = stage.stage().spawn();
    let id = stage.call(StartChild(1)).await.unwrap().unwrap();
    // So that it has begun.
    tokio::time::sleep(Duration::from_millis(1)).await;
    soon(stage.call(StopChild(id)).await.unwrap().unwrap()).await;
    let counts = stage
        .call(stage_runtime::per_event::CountChildren)
        .await
        .unwrap();
    assert_eq!((counts.failed, counts.stopped), (1, 0));
}
