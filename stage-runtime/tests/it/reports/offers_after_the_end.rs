//! Reference: akka/akka-core issue 23078, "Akka stream Source.queue hangs when using fail
//! overflow strategy"; ReactiveX/RxJava issue 7081, "not releasing upstream on
//! MissingBackPressure"
//!
//! The pipeline has failed. Whoever still sends into its channel is told so by an error,
//! and does not wait for a receiver that nobody will read from again; what a source held
//! open is closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::support::*;
use futures::stream;
use stage_runtime::operators::{for_each, from_channel, from_stream};
use stage_runtime::prelude::*;
use tokio::sync::mpsc;

fn fails() -> impl Consumer<Event = u64> {
    for_each(|n: u64| assert!(n < 3, "stumbled"))
}

#[test]
fn a_sender_is_told_when_the_pipeline_has_failed() {
    both_busy(8, || async {
        let pipeline = Pipeline::new();
        let (sender, receiver) = mpsc::channel(2);
        // The handle is kept, as one does to look at its statistics later.
        let source = from_channel(receiver)
            .stage()
            .name("source")
            .in_group(&pipeline)
            .spawn();
        fails()
            .stage()
            .subscribe_to(&source)
            .in_group(&pipeline)
            .spawn();
        let sending = tokio::spawn(async move {
            let mut n = 0_u64;
            while sender.send(n).await.is_ok() {
                n += 1;
                tokio::task::yield_now().await;
            }
            n
        });
        assert!(pipeline.join().await.is_err());
        assert!(source.is_ended());
        let told = within(2000, sending).await;
        assert!(
            told.is_some(),
            "`{}` has ended, and its sender waits for ever",
            source.name()
        );
    });
}

#[test]
fn a_sender_is_told_when_the_pipeline_was_drained() {
    both_busy(8, || async {
        let pipeline = Pipeline::new();
        let (sender, receiver) = mpsc::channel(2);
        let source = from_channel(receiver)
            .stage()
            .name("source")
            .in_group(&pipeline)
            .spawn();
        for_each(|_: u64| ())
            .stage()
            .subscribe_to(&source)
            .in_group(&pipeline)
            .spawn();
        let sending = tokio::spawn(async move { while sender.send(1).await.is_ok() {} });
        ms(5).await;
        pipeline
            .drain(std::time::Duration::from_secs(2))
            .await
            .unwrap();
        assert!(
            within(2000, sending).await.is_some(),
            "the sender waits for ever"
        );
        drop(source);
    });
}

struct Open(Arc<AtomicBool>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

#[test]
fn what_a_source_held_open_is_closed_when_the_pipeline_has_failed() {
    both_busy(8, || async {
        let closed = Arc::new(AtomicBool::new(false));
        let pipeline = Pipeline::new();
        let open = Open(Arc::clone(&closed));
        let lines = stream::unfold((0_u64, open), async |(n, open)| Some((n, (n + 1, open))));
        let source = from_stream(lines).stage().in_group(&pipeline).spawn();
        fails()
            .stage()
            .subscribe_to(&source)
            .in_group(&pipeline)
            .spawn();
        assert!(pipeline.join().await.is_err());
        ms(20).await;
        assert!(
            closed.load(SeqCst),
            "the source has ended, and its file is open"
        );
        drop(source);
    });
}
