//! A producer as a stream.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Stream;
use stage_core::{Batch, CancelMode, DemandWindow, Outcome, SubscribeError};

use crate::error::Error;
use crate::link::{ConsumerEnd, Ended, Input, Notifications, Notifier, WakeOn};
use crate::snapshot::Endpoint;
use crate::stage_id::StageId;
use crate::subscription::Subscription;

/// The events of a subscription as a [`Stream`]; made by
/// [`Subscription::into_stream`].
///
/// It is a consumer without a task: it asks as its subscription says, for the
/// next events while the earlier ones are being taken. It ends when the
/// producer completes; before it ends for any other reason it yields an `Err`
/// that says which, if the subscription's [`CancelMode`] mode lets that end its
/// consumer. Dropping it cancels the subscription.
///
/// Source: `GenStage.stream/2`.
pub struct EventStream<E> {
    producer: Arc<str>,
    notifications: Notifications,
    /// `None` once it was dropped.
    end: Option<ConsumerEnd<E>>,
    /// The producer has ended.
    ended: bool,
    window: DemandWindow,
    cancel: CancelMode,
    arrived: VecDeque<Input<E>>,
    current: Batch<E>,
    /// Events that `current` had at first.
    taken: usize,
    last: Option<Error>,
}

impl<E: Send + 'static> Subscription<E> {
    /// Subscribes now and yields the events as a stream.
    ///
    /// ```
    /// use futures::TryStreamExt;
    /// use stage_runtime::operators::from_iter;
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let numbers = from_iter(0..).stage().spawn();
    /// let mut stream = numbers.subscription().max_demand(10).into_stream()?;
    /// assert_eq!(stream.try_next().await?, Some(0));
    /// assert_eq!(stream.try_next().await?, Some(1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SubscribeError::Demand`] when the demand limits cannot work. What only
    /// the producer can know comes as the stream's first item.
    ///
    /// # Cancel safety
    ///
    /// The stream's `next` loses no event when it is dropped.
    pub fn into_stream(self) -> Result<EventStream<E>, SubscribeError> {
        let terms = self.terms()?;
        let notifier = Notifier::new(Endpoint {
            id: StageId::next(),
            name: format!("stream of {}", self.producer_name()).into(),
            is_stream: true,
        });
        let wired = self.wire(terms, Arc::clone(&notifier), None, None);
        let mut window = DemandWindow::new(terms.demand);
        wired.end.set_only(true);
        wired.end.ask(window.open());
        Ok(EventStream {
            producer: wired.producer.stage,
            notifications: Notifications::new(notifier),
            end: Some(wired.end),
            ended: false,
            window,
            cancel: terms.cancel,
            arrived: VecDeque::new(),
            current: Batch::new(),
            taken: 0,
            last: None,
        })
    }
}

impl<E> EventStream<E> {
    /// What was yielded has been handled.
    fn note_yielded(&mut self) {
        let taken = self.taken - self.current.len();
        self.taken = self.current.len();
        if let Some(end) = &self.end
            && taken > 0
        {
            let demand = self.window.handled(taken);
            end.handled(taken, None, if self.ended { 0 } else { demand });
        }
    }

    /// Asks again for what has been taken, and goes on to the next batch; says
    /// whether there is one.
    fn next_batch(&mut self) -> bool {
        self.note_yielded();
        let arrived = self.arrived.pop_front().and_then(Input::into_events);
        let Some((id, mut batch)) = arrived else {
            return false;
        };
        let limit = self.window.limits().batch_limit();
        if batch.len() > limit {
            let first = batch.split_to(limit);
            let rest = std::mem::replace(&mut batch, first);
            self.arrived.push_front(Input::Events(id, rest));
        }
        self.taken = batch.len();
        self.current = batch;
        true
    }

    /// Fetches what has arrived; says whether there was anything.
    fn fetch(&mut self) -> bool {
        if self.ended || !self.notifications.is_notified() {
            return false;
        }
        // It has one link only, of which all news is.
        self.notifications.take();
        let Some(end) = &self.end else {
            return false;
        };
        if let Some(ended) = end.fetch(&mut self.arrived) {
            self.last = self.error_of(ended);
            self.ended = true;
        }
        true
    }

    fn error_of(&self, ended: Ended) -> Option<Error> {
        let outcome = match ended {
            Ended::Refused(error) => {
                return (self.cancel != CancelMode::Temporary).then_some(Error::Subscribe(*error));
            }
            Ended::Outcome(outcome) => outcome,
        };
        let ends = match self.cancel {
            CancelMode::Permanent => true,
            CancelMode::Transient => matches!(outcome, Outcome::Failed(_)),
            CancelMode::Temporary => false,
        };
        if ends {
            Error::check(&self.producer, outcome).err()
        } else {
            None
        }
    }
}

impl<E> Stream for EventStream<E> {
    type Item = Result<E, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(event) = self.current.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            if self.next_batch() || self.fetch() {
                continue;
            }
            if self.ended {
                return Poll::Ready(self.last.take().map(Err));
            }
            if self
                .notifications
                .poll_notified(WakeOn::Any, cx)
                .is_pending()
            {
                return Poll::Pending;
            }
        }
    }
}

/// Gives back what was not yielded.
impl<E> Drop for EventStream<E> {
    fn drop(&mut self) {
        self.note_yielded();
        if let Some(end) = self.end.take() {
            let arrived = self.arrived.drain(..).filter_map(Input::into_events);
            let unyielded = [std::mem::take(&mut self.current)]
                .into_iter()
                .chain(arrived.map(|(_, batch)| batch))
                .filter(|batch| !batch.is_empty())
                .collect();
            let outcome = Outcome::Cancelled("the stream was dropped".into());
            end.cancel(outcome, unyielded);
        }
    }
}

// Nothing in it is pinned.
impl<E> Unpin for EventStream<E> {}

impl<E> fmt::Debug for EventStream<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("producer", &self.producer)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
