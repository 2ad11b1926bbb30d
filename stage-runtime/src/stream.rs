//! A subscription as a `Stream` of events.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::Stream;
use stage_core::{Batch, CancelMode, DemandWindow, Outcome, SubscribeError};

use crate::error::Error;
use crate::link::{ConsumerEnd, Ended, InFlightBytes, Input, Notifications, Notifier, WakeOn};
use crate::snapshot::Endpoint;
use crate::stage_id::StageId;
use crate::subscription::Subscription;

/// The events of a subscription as a [`Stream`]; made by
/// [`Subscription::into_stream`].
///
/// A stream is a consumer without a task. It asks within the demand limits of its
/// subscription, for the next events while the earlier ones are being taken.
///
/// The stream ends when the producer completes. If it ends for another reason, it first
/// yields an `Err` with the reason, provided that the subscription's [`CancelMode`] lets
/// that end its consumer. Dropping the stream cancels the subscription.
///
/// Source: `GenStage.stream/2`.
pub struct EventStream<E> {
    /// The name of the producer.
    producer: Arc<str>,
    notifications: Notifications,
    /// `None` once the stream was dropped.
    end: Option<ConsumerEnd<E>>,
    /// The producer has ended.
    ended: bool,
    window: DemandWindow,
    /// Cuts the demand, if the subscription sets `max_bytes`.
    bytes: Option<Box<InFlightBytes<E>>>,
    cancel: CancelMode,
    /// Batches that have arrived after the current one.
    arrived: VecDeque<Input<E>>,
    /// The batch whose events are being yielded.
    current: Batch<E>,
    /// How many events `current` had when it was last settled; the difference to its
    /// length is what was yielded since.
    taken: usize,
    /// The error to yield last.
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
    /// [`SubscribeError::Demand`] when the demand limits are out of range, and
    /// [`SubscribeError::ZeroEvictAfter`] when that time is zero. An error that
    /// only the producer can find, such as its end or a taken partition, comes as the
    /// first item of the stream.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future of the stream's `next` loses no event.
    pub fn into_stream(self) -> Result<EventStream<E>, SubscribeError> {
        let terms = self.terms()?;
        let notifier = Notifier::new(Endpoint {
            id: StageId::next(),
            name: format!("stream of {}", self.producer_name()).into(),
            is_stream: true,
        });
        let mut wired = self.wire(terms, Arc::clone(&notifier), None, None);
        let mut window = DemandWindow::new(terms.demand);
        wired.end.set_only(true);
        wired.end.ask(match &mut wired.bytes {
            Some(bytes) => bytes.open(&mut window),
            None => window.open(),
        });
        Ok(EventStream {
            producer: wired.producer.stage,
            notifications: Notifications::new(notifier),
            end: Some(wired.end),
            ended: false,
            window,
            bytes: wired.bytes,
            cancel: terms.cancel,
            arrived: VecDeque::new(),
            current: Batch::new(),
            taken: 0,
            last: None,
        })
    }
}

impl<E> EventStream<E> {
    /// Settles the events that were yielded as handled, and asks for more.
    fn note_yielded(&mut self) {
        let taken = self.taken - self.current.len();
        self.taken = self.current.len();
        if let Some(end) = &self.end
            && taken > 0
        {
            let demand = match &mut self.bytes {
                Some(bytes) => {
                    bytes.settled(taken, &self.current);
                    if self.ended {
                        0
                    } else {
                        bytes.handled(taken, &mut self.window)
                    }
                }
                None => self.window.handled(taken),
            };
            end.handled(taken, None, if self.ended { 0 } else { demand });
        }
    }

    /// Settles the current batch and makes the next one current. Returns `false` if
    /// there is none.
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
        if let Some(bytes) = &mut self.bytes {
            bytes.begin(&batch);
        }
        self.taken = batch.len();
        self.current = batch;
        true
    }

    /// Fetches from the link if it has notified the stream. Returns `false` if it has
    /// not.
    fn fetch(&mut self) -> bool {
        if self.ended || !self.notifications.is_notified() {
            return false;
        }
        // A stream has one link, so every notification is about that link.
        self.notifications.take();
        let Some(end) = &self.end else {
            return false;
        };
        let before = self.arrived.len();
        let ended = end.fetch(&mut self.arrived);
        if let Some(bytes) = &mut self.bytes {
            bytes.arrived(self.arrived.iter().skip(before));
        }
        if let Some(ended) = ended {
            self.last = self.error_of(ended);
            self.ended = true;
            if let Some(bytes) = &mut self.bytes {
                bytes.ended();
            }
        }
        true
    }

    /// Returns the error to yield for the end of the link; `None` if the subscription's
    /// cancel mode ignores it.
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
            CancelMode::Pooled | CancelMode::Temporary => false,
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

/// Cancels the subscription and hands back the events that were not yielded.
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

// No field is pinned structurally.
impl<E> Unpin for EventStream<E> {}

impl<E> fmt::Debug for EventStream<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("producer", &self.producer)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
