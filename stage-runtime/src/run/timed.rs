//! How long a handler takes.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use crate::activity::{Doing, Nanos};
use crate::identity::Identity;

/// A handler that keeps its thread for so long is reported.
const BLOCKING: Duration = Duration::from_secs(1);

pin_project! {
    /// A handler that is timed; made by [`timed`].
    // Not an async block, which would have room for the handler twice.
    pub(super) struct Timed<'a, F> {
        #[pin]
        handler: F,
        identity: &'a Identity,
        doing: Doing,
        started: Option<Nanos>,
    }
}

/// Shows that the stage is `doing` this, and counts the time it takes.
pub(super) const fn timed<F>(identity: &Identity, doing: Doing, handler: F) -> Timed<'_, F> {
    Timed {
        handler,
        identity,
        doing,
        started: None,
    }
}

impl<F: Future> Future for Timed<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let activity = &this.identity.activity;
        let (started, polled) = match *this.started {
            Some(started) => (started, activity.tick()),
            None => {
                activity.set(*this.doing);
                let now = activity.now();
                (now, now)
            }
        };
        *this.started = Some(started);
        let result = this.handler.poll(cx);
        let now = activity.tick();
        let held = Duration::from_nanos(now.saturating_sub(polled));
        if held >= BLOCKING {
            report(this.identity, *this.doing, held);
        }
        if result.is_ready() {
            let took = now.saturating_sub(started);
            this.identity.counters.in_handlers.add_u64(took);
        }
        result
    }
}

#[cold]
fn report(identity: &Identity, doing: Doing, held: Duration) {
    tracing::warn!(
        stage = %identity.name,
        handler = doing.handler(),
        ?held,
        "a handler has blocked its thread; use `spawn_blocking` for what takes long"
    );
}
