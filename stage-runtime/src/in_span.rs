//! A stage in its span.

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
    /// What `tracing` has for it takes five times the room, which is part of
    /// every stage, whether somebody listens or not.
    pub(crate) struct InSpan<F> {
        // `None` when it was dropped in the span.
        #[pin]
        future: Option<F>,
        // `None` if nobody listens.
        span: Option<Box<Span>>,
        // The number of the stage.
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
