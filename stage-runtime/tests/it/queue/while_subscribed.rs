//! A queue that keeps nothing while nobody is subscribed.

use futures::StreamExt;
use stage_core::Bound;
use stage_runtime::ShedReason;
use stage_runtime::prelude::*;
use stage_runtime::queue::{QueueCounts, QueueOptions, WhenFull, queue};

use super::{is_stored, said, sheds};
use crate::common::{seeds_on_threads, soon};
use crate::operators::collect;

fn options() -> QueueOptions<u64> {
    QueueOptions::new(Bound::Events(4))
        .when_full(WhenFull::DropOldest)
        .while_subscribed()
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_or_counted_while_nobody_is_subscribed() {
    let (inlet, source) = queue(options());
    assert!(!inlet.has_subscriber());
    assert_eq!(said(inlet.push(1)), ("no subscriber", vec![1]));
    let source = source.stage().spawn();
    assert_eq!(said(inlet.push(2)), ("no subscriber", vec![2]));
    assert_eq!(inlet.counts(), QueueCounts::default());
    // `send` does not wait for somebody who listens.
    soon(inlet.send(3)).await.unwrap();
    let all = collect().stage().spawn();
    all.subscribe(&source).await.unwrap();
    assert!(inlet.has_subscriber());
    assert!(is_stored(&inlet.push(4)));
    inlet.finish();
    assert_eq!(soon(all.output()).await.unwrap(), [4]);
    assert_eq!(said(inlet.push(5)), ("gone", vec![5]));
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_is_shed_when_the_last_consumer_leaves() {
    let (shed, hook) = sheds();
    let (inlet, source) = queue(options().shed(hook));
    let source = source.stage().spawn();
    let two = || source.subscription().max_demand(1).into_stream().unwrap();
    let (mut first, second) = (two(), two());
    while !inlet.has_subscriber() {
        tokio::task::yield_now().await;
    }
    tokio::task::yield_now().await;
    for n in 0..5 {
        assert!(is_stored(&inlet.push(n)) || inlet.counts().shed > 0);
        tokio::task::yield_now().await;
    }
    drop(second);
    tokio::task::yield_now().await;
    assert!(inlet.has_subscriber());
    soon(first.next()).await.unwrap().unwrap();
    drop(first);
    while inlet.has_subscriber() {
        tokio::task::yield_now().await;
    }
    let counts = inlet.counts();
    assert_eq!(counts.len, 0);
    assert_eq!(counts.pushed, counts.delivered + counts.shed);
    let sheds = shed.lock().unwrap();
    assert!(
        sheds
            .iter()
            .all(|(reason, _)| *reason == ShedReason::NoSubscriber),
        "{sheds:?}"
    );
    assert_eq!(said(inlet.push(9)).0, "no subscriber");
}

/// A push after `subscribe` returned is seen, also on threads.
#[test]
fn a_push_after_a_subscription_is_seen() {
    seeds_on_threads(200, |_, _| async {
        let (inlet, source) = queue(options());
        let source = source.stage().spawn();
        let all = collect().stage().spawn();
        all.subscribe(&source).await.unwrap();
        assert!(is_stored(&inlet.push(7)));
        inlet.finish();
        assert_eq!(soon(all.output()).await.unwrap(), [7]);
    });
}
