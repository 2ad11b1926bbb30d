//! Futures that run side by side, for `map_concurrent`.

use std::task::{Context, Poll};

use futures::StreamExt;
use futures::stream::{FuturesOrdered, FuturesUnordered};

/// Futures, and the order in which they yield their outputs.
pub(super) enum Running<Fut: Future> {
    InOrder(FuturesOrdered<Fut>),
    AsCompleted(FuturesUnordered<Fut>),
}

impl<Fut: Future> Running<Fut> {
    pub(super) fn extend(&mut self, future: Option<Fut>) {
        match self {
            Self::InOrder(futures) => futures.extend(future),
            Self::AsCompleted(futures) => futures.extend(future),
        }
    }

    /// The next output; `None` if there is no future.
    pub(super) async fn next(&mut self) -> Option<Fut::Output> {
        match self {
            Self::InOrder(futures) => futures.next().await,
            Self::AsCompleted(futures) => futures.next().await,
        }
    }

    /// The next output, if there is one yet; wakes `cx` when it makes sense to ask again.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Fut::Output>> {
        match self {
            Self::InOrder(futures) => futures.poll_next_unpin(cx),
            Self::AsCompleted(futures) => futures.poll_next_unpin(cx),
        }
    }

    /// Futures whose outputs were not yielded.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::InOrder(futures) => futures.len(),
            Self::AsCompleted(futures) => futures.len(),
        }
    }

    pub(super) fn clear(&mut self) {
        match self {
            Self::InOrder(futures) => futures.clear(),
            Self::AsCompleted(futures) => futures.clear(),
        }
    }
}
