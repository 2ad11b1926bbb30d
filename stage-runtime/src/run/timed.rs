//! How long a handler takes.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use crate::activity::{Doing, Nanos};
use crate::shared::StageShared;

/// A handler that keeps its thread for so long is reported.
const BLOCKING: Nanos = 1_000_000_000;

pin_project! {
    /// A handler that is timed; made by [`timed`].
    // Not an async block, which would have room for the handler twice.
    pub(super) struct Timed<'a, F> {
        #[pin]
        handler: F,
        shared: &'a StageShared,
        doing: Doing,
        started: Option<Nanos>,
    }
}

/// Shows that the stage is `doing` this, and counts the time it takes.
pub(super) const fn timed<F>(shared: &StageShared, doing: Doing, handler: F) -> Timed<'_, F> {
    Timed {
        handler,
        shared,
        doing,
        started: None,
    }
}

impl<F: Future> Future for Timed<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let activity = &this.shared.activity;
        let polled = match this.started {
            None => {
                activity.set(*this.doing);
                activity.now()
            }
            Some(_) => activity.tick(),
        };
        let result = this.handler.poll(cx);
        let now = activity.tick();
        let held = now.saturating_sub(polled);
        if held >= BLOCKING {
            report(this.shared, *this.doing, Duration::from_nanos(held));
        }
        // Nothing is kept for a handler that is ready at once, as most are.
        if result.is_ready() {
            let took = now.saturating_sub(this.started.unwrap_or(polled));
            this.shared.counters.in_handlers.add_u64(took);
        } else {
            this.started.get_or_insert(polled);
        }
        result
    }
}

#[cold]
fn report(shared: &StageShared, doing: Doing, held: Duration) {
    tracing::warn!(
        stage = %shared.name,
        handler = doing.handler(),
        ?held,
        "a handler has blocked its thread; use `spawn_blocking` for what takes long"
    );
}
