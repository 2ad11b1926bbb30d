//! A future that runs a stage in its tracing span.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tracing::Span;

use crate::current::Entered;
use crate::stage_id::StageId;

pin_project! {
    /// A future that runs, and is dropped, in a span.
    ///
    /// `tracing::Instrumented` does the same but takes five times the memory, in every
    /// stage, even if no subscriber is installed.
    pub(crate) struct InSpan<F> {
        // `None` once it was dropped, inside the span.
        #[pin]
        future: Option<F>,
        // `None` if the span is disabled.
        span: Option<Box<Span>>,
        stage: StageId,
    }

    impl<F> PinnedDrop for InSpan<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(span) = this.span {
                let _entered = span.enter();
                this.future.set(None);
            }
        }
    }
}

impl<F> InSpan<F> {
    /// Wraps the future of `stage`.
    #[inline]
    pub(crate) fn new(future: F, span: Span, stage: StageId) -> Self {
        Self {
            future: Some(future),
            span: (!span.is_disabled()).then(|| Box::new(span)),
            stage,
        }
    }
}

impl<F: Future<Output = ()>> Future for InSpan<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let _entered = this.span.as_ref().map(|span| span.enter());
        let _current = Entered::new(*this.stage);
        match this.future.as_pin_mut() {
            Some(future) => future.poll(cx),
            None => Poll::Ready(()),
        }
    }
}
