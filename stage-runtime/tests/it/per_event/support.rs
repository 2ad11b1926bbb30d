//! Children that end when, and as, a test tells them to.

use std::fmt::Debug;
use std::future::pending;
use std::pin::Pin;
use std::time::Duration;

use stage_core::StageResult;
use stage_runtime::{
    StageRef,
    handle::{Nothing, Takes},
    per_event,
    per_event::{ChildWork, CountChildren, PerEvent, Plain},
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// How a child is to end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Verdict {
    Finish,
    Fail,
    Panic,
}

/// A child that runs, in the hands of the test. It runs on if this is dropped.
#[derive(Debug)]
pub(crate) struct Running<E> {
    pub(crate) event: E,
    verdict: oneshot::Sender<Verdict>,
}

impl<E> Running<E> {
    pub(crate) fn end(self, verdict: Verdict) {
        self.verdict
            .send(verdict)
            .expect("the child should still run");
    }

    pub(crate) fn finish(self) {
        self.end(Verdict::Finish);
    }

    /// Whether its task is gone, as far as one can see now.
    pub(crate) fn is_closed(&self) -> bool {
        self.verdict.is_closed()
    }

    /// Whether its task is gone.
    pub(crate) async fn is_gone(&mut self) -> bool {
        timeout(Duration::from_millis(50), self.verdict.closed())
            .await
            .is_ok()
    }
}

/// The children that have started, in order.
#[derive(Debug)]
pub(crate) struct Started<E>(mpsc::UnboundedReceiver<Running<E>>);

impl<E: Debug> Started<E> {
    pub(crate) async fn next(&mut self) -> Running<E> {
        timeout(Duration::from_secs(20), self.0.recv())
            .await
            .expect("a child should have started")
            .expect("the stage should still be there")
    }

    /// The same, on a runtime without a timer.
    pub(crate) async fn next_untimed(&mut self) -> Running<E> {
        self.0
            .recv()
            .await
            .expect("the stage should still be there")
    }

    /// The next `count`, and no more than those.
    pub(crate) async fn all(&mut self, count: usize) -> Vec<Running<E>> {
        let mut started = Vec::new();
        while started.len() < count {
            started.push(self.next().await);
        }
        self.quiet().await;
        started
    }

    /// Checks that no child starts. For paused time only.
    pub(crate) async fn quiet(&mut self) {
        if let Ok(Some(child)) = timeout(Duration::from_millis(50), self.0.recv()).await {
            panic!("no child should have started: {child:?}");
        }
    }
}

pub(crate) type Child = Pin<Box<dyn Future<Output = StageResult> + Send>>;

/// A stage whose children wait for the test.
pub(crate) type Told<E> = PerEvent<Plain<Box<dyn FnMut(E) -> Child + Send>>, E>;

/// Makes one.
pub(crate) fn told<E: Send + 'static>() -> (Told<E>, Started<E>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let start = move |event: E| {
        let (verdict, told) = oneshot::channel();
        // A test that does not care has dropped its end.
        let _ = sender.send(Running { event, verdict });
        Box::pin(follow_verdict(told)) as Child
    };
    let stage = per_event(Box::new(start) as Box<dyn FnMut(E) -> Child + Send>);
    (stage, Started(receiver))
}

/// What such a child does.
pub(crate) async fn follow_verdict(told: oneshot::Receiver<Verdict>) -> StageResult {
    match told.await {
        Ok(Verdict::Finish) => Ok(()),
        Ok(Verdict::Fail) => Err("told to fail".into()),
        Ok(Verdict::Panic) => panic!("told to panic"),
        Err(_) => pending().await,
    }
}

/// How many children run.
pub(crate) async fn running<W, E>(stage: &StageRef<PerEvent<W, E>, Takes<E>, Nothing>) -> u64
where
    W: ChildWork<E>,
    E: Send + 'static,
{
    let counts = stage.call(CountChildren).await;
    counts.expect("the stage should still be there").running
}
