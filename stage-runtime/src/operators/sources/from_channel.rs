//! A producer made of the receiving end of a channel.

use std::task::{Context, Poll};

use stage_core::{Emitter, Outcome, Producer, StageResult};
use tokio::sync::mpsc;

use crate::operators::debug::debug_as_name;

/// Emits the values that are sent into a channel; made by [`from_channel`].
pub struct FromChannel<E> {
    events: mpsc::Receiver<E>,
    draining: bool,
}

/// A producer that emits the values that are sent into a tokio channel. It
/// completes when all senders are dropped and the channel is empty. For a choice of
/// what a full queue does, a bound in bytes or a `futures::Sink`, use
/// [`queue`](crate::queue()).
///
/// Back-pressure reaches the senders: the stage reads the channel only for events
/// that were asked for. Once the channel is full, `send().await` waits and
/// `try_send` gives the event back.
///
/// When the pipeline drains, the stage closes the channel: `send` then returns an
/// error, and events that were sent before are emitted. Events that are left in the
/// channel when the stage ends count as discarded.
///
/// ```
/// use stage_runtime::operators::{fold, from_channel};
/// use stage_runtime::prelude::*;
/// use tokio::sync::mpsc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (sender, receiver) = mpsc::channel(16);
/// let pushed = from_channel(receiver).stage().spawn();
/// let sum = fold(0, |sum, n: i32| sum + n).stage().subscribe_to(&pushed).spawn();
///
/// sender.send(1).await?;
/// sender.try_send(2)?;
/// drop(sender);
/// assert_eq!(sum.output().await?, 3);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn from_channel<E: Send + 'static>(events: mpsc::Receiver<E>) -> FromChannel<E> {
    FromChannel {
        events,
        draining: false,
    }
}

impl<E: Send + 'static> Producer for FromChannel<E> {
    type Event = E;

    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, E>) -> StageResult {
        let (emitted, context) = out.parts();
        let mut cx = Context::from_waker(context.waker());
        while emitted.len() < demand {
            let room = demand - emitted.len();
            match self.events.poll_recv_many(&mut cx, emitted, room) {
                Poll::Ready(0) => {
                    context.complete();
                    return Ok(());
                }
                Poll::Ready(_) => {}
                // The waker has this handler called again.
                Poll::Pending => break,
            }
        }
        // While the stage drains, a sender that has a permit may still use it.
        if !self.draining && self.events.is_closed() && self.events.is_empty() {
            out.complete();
        }
        Ok(())
    }

    async fn handle_drain(&mut self, out: &mut Emitter<'_, E>) -> StageResult {
        self.draining = true;
        self.events.close();
        out.again();
        Ok(())
    }

    fn held(&self) -> usize {
        self.events.len()
    }

    async fn terminate(&mut self, _outcome: &Outcome) {
        // From here on no sender adds to the events that count as held.
        self.events.close();
    }
}

debug_as_name!(FromChannel<E>);
