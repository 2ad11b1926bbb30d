//! What a full queue does.

use stage_core::Bound;
use stage_runtime::ShedReason;
use stage_runtime::prelude::*;
use stage_runtime::queue::{QueueOptions, WhenFull, queue};

use super::{is_stored, said, sheds};
use crate::common::{cancelled, soon};
use crate::operators::collect;

fn three(policy: WhenFull) -> QueueOptions<u64> {
    QueueOptions::new(Bound::Events(3)).when_full(policy)
}

/// No runtime is there: a push is a plain call.
#[test]
fn a_full_queue_gives_the_event_back() {
    let (inlet, _source) = queue(three(WhenFull::Wait));
    assert!((0..3).all(|n| is_stored(&inlet.push(n))));
    assert_eq!(said(inlet.push(3)), ("full", vec![3]));
    assert_eq!((inlet.counts().len, inlet.counts().pushed), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn the_oldest_make_room() {
    let (inlet, source) = queue(three(WhenFull::DropOldest));
    assert!((0..3).all(|n| is_stored(&inlet.push(n))));
    assert_eq!(said(inlet.push(3)), ("shed", vec![0]));
    assert_eq!(said(inlet.push(4)), ("shed", vec![1]));
    drop(inlet);
    let source = source.stage().spawn();
    let all = collect().stage().subscribe_to(&source).spawn();
    assert_eq!(soon(all.output()).await.unwrap(), [2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn the_newest_is_shed() {
    let (inlet, source) = queue(three(WhenFull::DropNewest));
    assert!((0..3).all(|n| is_stored(&inlet.push(n))));
    assert_eq!(said(inlet.push(3)), ("shed", vec![3]));
    let counts = inlet.counts();
    assert_eq!((counts.pushed, counts.shed, counts.len), (4, 1, 3));
    drop(inlet);
    let source = source.stage().spawn();
    let all = collect().stage().subscribe_to(&source).spawn();
    assert_eq!(soon(all.output()).await.unwrap(), [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_too_slow_is_detached() {
    let (shed, hook) = sheds();
    let options = three(WhenFull::Detach).name("prices").shed(hook);
    let (inlet, source) = queue(options);
    let source = source.stage().spawn();
    let all = collect().stage().subscribe_to(&source).spawn();
    // The stage has not run yet.
    assert!((0..3).all(|n| is_stored(&inlet.push(n))));
    assert_eq!(said(inlet.push(3)), ("gone", vec![3]));
    assert!(inlet.is_closed());
    assert_eq!(
        cancelled(soon(source.join()).await),
        "the queue `prices` was full"
    );
    assert!(soon(all.join()).await.is_err());
    assert_eq!(
        *shed.lock().unwrap(),
        [(ShedReason::StageEnded, vec![0, 1, 2])]
    );
    assert_eq!((inlet.counts().shed, inlet.counts().len), (3, 0));
}

/// The hook gets the events; the caller of `push` is told without them.
#[test]
fn a_hook_gets_what_is_shed() {
    let (shed, hook) = sheds();
    let options = three(WhenFull::DropOldest)
        .name("prices")
        .shed(move |shed| {
            assert_eq!(&*shed.stage, "prices");
            hook(shed);
        });
    let (inlet, source) = queue(options);
    assert!((0..3).all(|n| is_stored(&inlet.push(n))));
    assert_eq!(said(inlet.push(3)), ("shed", vec![]));
    drop(source);
    let sheds = shed.lock().unwrap();
    let expected = [
        (ShedReason::Full, vec![0]),
        (ShedReason::StageEnded, vec![1, 2, 3]),
    ];
    assert_eq!(*sheds, expected);
    assert_eq!(inlet.counts().shed, 4);
}

/// As any hook: a panic in it is traced, and the queue goes on.
#[test]
fn a_hook_may_panic() {
    let options = three(WhenFull::DropNewest).shed(|_| panic!("stumbled"));
    crate::common::quiet();
    let (inlet, _source) = queue(options);
    assert!((0..3).all(|n| is_stored(&inlet.push(n))));
    assert_eq!(said(inlet.push(3)), ("shed", vec![]));
    assert_eq!((inlet.counts().shed, inlet.counts().len), (1, 3));
}
