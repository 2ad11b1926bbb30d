//! A future that measures a handler.
//!
//! It publishes what the stage is doing for `explain`, counts the time in handlers
//! for the statistics, and warns of a handler that blocks its thread.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use crate::activity::{Doing, Nanos};
use crate::shared::StageShared;

/// A handler whose one poll takes this long is reported: it blocks its thread.
const BLOCKING: Nanos = 1_000_000_000;

pin_project! {
    /// A handler with its measurement; made by [`timed`].
    // Not an async block: its future would store the handler twice.
    pub(super) struct Timed<'a, F> {
        #[pin]
        handler: F,
        shared: &'a StageShared,
        doing: Doing,
        // The time of the first poll, once that has returned `Pending`.
        started: Option<Nanos>,
    }
}

/// Publishes that the stage is `doing` this and counts the time until `handler`
/// is ready, the time in which it waits included.
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
        // Most handlers are ready at their first poll, and `started` is not
        // written for them.
        if result.is_ready() {
            let took = now.saturating_sub(this.started.unwrap_or(polled));
            this.shared.counters.in_handlers.add_u64(took);
        } else {
            this.started.get_or_insert(polled);
        }
        result
    }
}

/// Warns of a handler that has blocked its thread.
#[cold]
fn report(shared: &StageShared, doing: Doing, held: Duration) {
    tracing::warn!(
        stage = %shared.name,
        handler = doing.handler(),
        ?held,
        "a handler has blocked its thread; use `spawn_blocking` for what takes long"
    );
}
