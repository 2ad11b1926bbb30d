//! Room that a sender waits for or has.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::shared::Shared;
use super::{PushError, Pushed};

/// Room in a queue for one event: waited for, then held until the event is stored.
/// Dropping it gives its place up, and the room.
pub(super) struct Reservation<E> {
    shared: Arc<Shared<E>>,
    weight: usize,
    held: Held,
}

#[derive(Debug, Clone, Copy)]
enum Held {
    Nothing,
    Ticket(u64),
    Room,
}

impl<E> Reservation<E> {
    pub(super) const fn new(shared: Arc<Shared<E>>, weight: usize) -> Self {
        Self {
            shared,
            weight,
            held: Held::Nothing,
        }
    }

    /// Waits for room; in a queue that does not wait, for nothing.
    pub(super) fn poll_ready(&mut self, cx: &Context<'_>) -> Poll<Result<(), PushError<E>>> {
        if !self.shared.waits() {
            return Poll::Ready(if self.shared.is_closed() {
                Err(PushError(None))
            } else {
                Ok(())
            });
        }
        let has_room = match self.held {
            Held::Room => (!self.shared.is_closed()).then_some(true),
            Held::Ticket(ticket) => self.shared.poll_ticket(ticket, cx.waker()),
            Held::Nothing => match self.shared.reserve(self.weight, cx.waker()) {
                Some(Err(ticket)) => {
                    self.held = Held::Ticket(ticket);
                    Some(false)
                }
                reserved => reserved.map(|_| true),
            },
        };
        match has_room {
            None => {
                self.held = Held::Nothing;
                Poll::Ready(Err(PushError(None)))
            }
            Some(false) => Poll::Pending,
            Some(true) => {
                self.held = Held::Room;
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Stores the event in the room that is held; without any, pushes it.
    pub(super) fn store(&mut self, event: E) -> Result<(), PushError<E>> {
        let stored = match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Room => self.shared.store(event, self.weight),
            held => {
                self.held = held;
                match self.shared.push(event) {
                    Pushed::Stored | Pushed::Shed(_) | Pushed::NoSubscriber(_) => Ok(()),
                    Pushed::Full(event) | Pushed::Gone(event) => Err(event),
                }
            }
        };
        stored.map_err(|event| PushError(Some(event)))
    }

    /// Gives the place up, or the room.
    pub(super) fn cancel(&mut self) {
        match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Nothing => {}
            Held::Ticket(ticket) => self.shared.forget_ticket(ticket, self.weight),
            Held::Room => self.shared.release(self.weight),
        }
    }

    /// Waits for room and stores the event.
    pub(super) async fn send(mut self, event: E) -> Result<(), PushError<E>> {
        match poll_fn(|cx| self.poll_ready(cx)).await {
            Ok(()) => self.store(event),
            Err(_) => Err(PushError(Some(event))),
        }
    }
}

impl<E> Drop for Reservation<E> {
    fn drop(&mut self) {
        self.cancel();
    }
}
