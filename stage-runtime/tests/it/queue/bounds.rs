//! Bounds in events and in bytes.

use futures::StreamExt;
use stage_core::Bound;
use stage_runtime::SpawnError;
use stage_runtime::operators::OptionError;
use stage_runtime::prelude::*;
use stage_runtime::queue::{Inlet, QueueOptions, WhenFull, queue};

use super::{is_stored, said};
use crate::common::soon;
use crate::operators::collect;

fn bytes(limit: usize, policy: WhenFull) -> QueueOptions<String> {
    let weigh = String::len;
    QueueOptions::new(Bound::Bytes { limit, weigh }).when_full(policy)
}

fn text(len: usize) -> String {
    "x".repeat(len)
}

#[test]
fn a_bound_in_bytes_sheds_as_many_of_the_oldest_as_it_takes() {
    let (inlet, _source) = queue(bytes(10, WhenFull::DropOldest));
    for len in [3, 4, 3] {
        assert!(is_stored(&inlet.push(text(len))));
    }
    assert_eq!((inlet.counts().len, inlet.counts().bytes), (3, 10));
    assert_eq!(said(inlet.push(text(5))), ("shed", vec![text(3), text(4)]));
    assert_eq!((inlet.counts().len, inlet.counts().bytes), (2, 8));
}

/// One that is heavier than the limit could never be taken otherwise.
#[test]
fn an_empty_queue_takes_one_event_of_any_weight() {
    let (inlet, _source) = queue(bytes(10, WhenFull::Wait));
    assert!(is_stored(&inlet.push(text(99))));
    assert_eq!(said(inlet.push(text(1))).0, "full");
    let (inlet, _source) = queue(bytes(10, WhenFull::DropOldest));
    assert!(is_stored(&inlet.push(text(1))));
    assert_eq!(said(inlet.push(text(99))), ("shed", vec![text(1)]));
    assert_eq!(inlet.counts().bytes, 99);
}

/// Events of no weight would fill the memory.
#[test]
fn an_event_weighs_at_least_one_byte() {
    let (inlet, _source) = queue(bytes(10, WhenFull::Wait));
    assert!((0..10).all(|_| is_stored(&inlet.push(String::new()))));
    assert_eq!(said(inlet.push(String::new())).0, "full");
}

/// Taking some of the events frees their bytes, and taking the rest all of them.
#[tokio::test(start_paused = true)]
async fn what_is_taken_frees_its_bytes() {
    let (inlet, source) = queue(bytes(10, WhenFull::Wait));
    for len in [1, 2, 3, 4] {
        assert!(is_stored(&inlet.push(text(len))));
    }
    let source = source.stage().spawn();
    let two = source.subscription().max_demand(2);
    let mut stream = two.into_stream().unwrap();
    assert_eq!(soon(stream.next()).await.unwrap().unwrap(), text(1));
    assert_eq!((inlet.counts().len, inlet.counts().bytes), (2, 7));
    assert_eq!(said(inlet.push(text(4))).0, "full");
    assert!(is_stored(&inlet.push(text(3))));
    for _ in 0..4 {
        soon(stream.next()).await.unwrap().unwrap();
    }
    assert_eq!((inlet.counts().len, inlet.counts().bytes), (0, 0));
}

/// A weigher that lies does not break the sums.
#[tokio::test(start_paused = true)]
async fn a_weigher_that_changes_its_mind_does_no_harm() {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let weigh = |_: &u64| NEXT.fetch_add(7, SeqCst) % 11;
    let limit = 20;
    let options = QueueOptions::new(Bound::Bytes { limit, weigh });
    let (inlet, source) = queue(options.when_full(WhenFull::DropOldest));
    let source = source.stage().spawn();
    let all = collect().stage().subscribe_to(&source).spawn();
    for n in 0..1_000 {
        let _ = inlet.push(n);
        if n % 7 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let counts = inlet.counts();
    assert_eq!(
        counts.pushed,
        counts.delivered + counts.shed + counts.len as u64
    );
    drop(inlet);
    assert!(!soon(all.output()).await.unwrap().is_empty());
}

#[test]
fn without_a_bound_a_queue_is_never_full() {
    for policy in [WhenFull::Wait, WhenFull::DropOldest, WhenFull::Detach] {
        let (inlet, _source) = queue(QueueOptions::new(Bound::Unbounded).when_full(policy));
        assert!((0..100_000_u64).all(|n| is_stored(&inlet.push(n))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_bound_of_zero_is_refused_with_its_value_and_the_fix() {
    let refused = |bound: Bound<String>| {
        let (_inlet, source): (Inlet<String>, _) = queue(bound);
        match source.stage().name("lines").try_spawn() {
            Err(SpawnError::Invalid { error, .. }) => {
                error.downcast_ref::<OptionError>().unwrap().clone()
            }
            other => panic!("{other:?}"),
        }
    };
    let weigh = String::len;
    let events = refused(Bound::Events(0));
    assert_eq!(
        events.to_string(),
        "queue: Bound::Events is 0, but has to be at least 1; \
         set it to what may wait for demand, or use Bound::Unbounded"
    );
    let bytes = refused(Bound::Bytes { limit: 0, weigh });
    assert!(bytes.to_string().contains("Bound::Bytes is 0"), "{bytes}");
}
