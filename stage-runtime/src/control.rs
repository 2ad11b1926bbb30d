//! The control queue of a stage: requests and messages from handles and consumers, and
//! the stage's state on its way back to its handle.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::consumer_control::ConsumerControl;
use crate::link::make_room;
use crate::mailbox::{Mail, Mailbox};
use crate::producer_control::{ProducerControl, SendProducerControl};

/// A control request to a stage that takes `I` and emits `E` by routes of type `R`.
#[derive(Debug)]
pub(crate) enum Control<I, E, R> {
    Consumer(ConsumerControl<I>),
    Producer(ProducerControl<E, R>),
}

/// The shared part of [`ControlSender`] and [`ControlReceiver`]: one allocation, in which
/// the rarely used parts are allocated on demand.
struct ControlQueue<S, I, E, R> {
    state: Mutex<State<S, I, E, R>>,
    /// Allocated for the first message.
    mailbox: OnceLock<Box<Mailbox<S, E>>>,
}

/// The part of the control queue under its lock.
struct State<S, I, E, R> {
    controls: VecDeque<Control<I, E, R>>,
    returned: Returned<S>,
    /// The queue is open.
    accepts_controls: bool,
    /// The mailbox is open, or may be allocated.
    accepts_mail: bool,
}

/// The state of a stage that has ended, on its way back to the handle.
enum Returned<S> {
    /// The stage has not ended, and the handle may ask for its state.
    Wanted,
    /// The handle was dropped, or has taken the state.
    Unwanted,
    /// The stage has ended, and the handle has not taken the state.
    Here(Box<S>),
}

/// The sending side of a [`ControlQueue`], for the handles of the stage.
pub(crate) type ControlSender<S, I, E, R> = Arc<dyn SendControl<S, I, E, R> + Send + Sync>;

/// The operations of a [`ControlSender`].
pub(crate) trait SendControl<S, I, E, R>: SendProducerControl<E, R> {
    /// Enqueues a request to the consumer half; returns it if the stage has ended. The
    /// caller notifies the stage.
    fn send_to_consumer(&self, control: ConsumerControl<I>) -> Result<(), ConsumerControl<I>>;

    /// Returns the mailbox, unless the stage takes no more messages.
    fn mailbox(&self) -> Option<&Mailbox<S, E>>;

    /// Whether the stage takes messages. Does not allocate the mailbox.
    fn accepts_mail(&self) -> bool;

    /// Takes the state of a stage that has ended.
    fn take_stage(&self) -> Option<S>;

    /// Notes that the handle is dropped, and drops the state if the stage has ended.
    fn detach(&self);
}

/// The receiving side of a [`ControlQueue`], owned by the stage's task. Dropping it closes
/// the queue and the mailbox and drops what is in them.
pub(crate) struct ControlReceiver<S, I, E, R>(Arc<ControlQueue<S, I, E, R>>);

impl<S, I, E, R> State<S, I, E, R> {
    /// Enqueues a request.
    fn push(&mut self, control: Control<I, E, R>) {
        make_room(&mut self.controls);
        self.controls.push_back(control);
    }
}

impl<S: Send, I: Send, E: Send, R: Send> SendControl<S, I, E, R> for ControlQueue<S, I, E, R> {
    fn send_to_consumer(&self, control: ConsumerControl<I>) -> Result<(), ConsumerControl<I>> {
        let mut state = self.state.lock();
        if !state.accepts_controls {
            return Err(control);
        }
        state.push(Control::Consumer(control));
        Ok(())
    }

    fn mailbox(&self) -> Option<&Mailbox<S, E>> {
        if let Some(mailbox) = self.mailbox.get() {
            return Some(mailbox);
        }
        // Under the lock, so that `close_mailbox` either finds the mailbox and closes
        // it, or forbids it before it is allocated.
        let state = self.state.lock();
        state
            .accepts_mail
            .then(|| &**self.mailbox.get_or_init(Box::default))
    }

    fn accepts_mail(&self) -> bool {
        self.state.lock().accepts_mail
    }

    fn take_stage(&self) -> Option<S> {
        match std::mem::replace(&mut self.state.lock().returned, Returned::Unwanted) {
            Returned::Here(stage) => Some(*stage),
            Returned::Wanted | Returned::Unwanted => None,
        }
    }

    fn detach(&self) {
        let back = std::mem::replace(&mut self.state.lock().returned, Returned::Unwanted);
        // Outside the lock: it may be the user's state, whose drop runs any code.
        drop(back);
    }
}

impl<S: Send, I: Send, E: Send, R: Send> SendProducerControl<E, R> for ControlQueue<S, I, E, R> {
    fn send_to_producer(
        &self,
        control: ProducerControl<E, R>,
    ) -> Result<(), ProducerControl<E, R>> {
        let mut state = self.state.lock();
        if !state.accepts_controls {
            return Err(control);
        }
        state.push(Control::Producer(control));
        Ok(())
    }
}

impl<S, I, E, R> ControlReceiver<S, I, E, R>
where
    S: Send + 'static,
    I: Send + 'static,
    E: Send + 'static,
    R: Send + 'static,
{
    /// Returns a sending side for handles.
    pub(crate) fn sender(&self) -> ControlSender<S, I, E, R> {
        Arc::clone(&self.0) as ControlSender<S, I, E, R>
    }
}

impl<S, I, E, R> ControlReceiver<S, I, E, R> {
    /// Makes an open, empty queue.
    pub(crate) fn new() -> Self {
        Self(Arc::new(ControlQueue {
            state: Mutex::new(State {
                controls: VecDeque::new(),
                returned: Returned::Wanted,
                accepts_controls: true,
                accepts_mail: true,
            }),
            mailbox: OnceLock::new(),
        }))
    }

    /// Takes the oldest request. Frees the queue with the last one.
    pub(crate) fn next_control(&self) -> Option<Control<I, E, R>> {
        let mut state = self.0.state.lock();
        let control = state.controls.pop_front();
        if state.controls.is_empty() {
            state.controls = VecDeque::new();
        }
        control
    }

    /// Takes the oldest message or info.
    pub(crate) fn next_mail(&self) -> Option<Mail<S, E>> {
        self.0.mailbox.get()?.try_recv()
    }

    /// Closes the mailbox and drops the messages in it.
    pub(crate) fn close_mailbox(&self) {
        self.0.state.lock().accepts_mail = false;
        if let Some(mailbox) = self.0.mailbox.get() {
            mailbox.close();
        }
    }

    /// Closes the queue and returns the requests in it.
    pub(crate) fn close(&self) -> VecDeque<Control<I, E, R>> {
        let mut state = self.0.state.lock();
        state.accepts_controls = false;
        std::mem::take(&mut state.controls)
    }

    /// Leaves the state for the handle; returns it if the handle was dropped.
    pub(crate) fn return_stage(&self, stage: S) -> Option<S> {
        let mut state = self.0.state.lock();
        if matches!(state.returned, Returned::Unwanted) {
            return Some(stage);
        }
        state.returned = Returned::Here(Box::new(stage));
        None
    }
}

impl<S, I, E, R> Drop for ControlReceiver<S, I, E, R> {
    fn drop(&mut self) {
        self.close_mailbox();
        // Dropped outside the lock: a request that is dropped sends its reply.
        drop(self.close());
    }
}

#[cfg(test)]
mod tests {
    use super::{Control, ControlReceiver};
    use crate::consumer_control::ConsumerControl::{self, Ask};
    use crate::mailbox::Mail;
    use stage_core::{Info, SubscriptionId};

    type Receiver = ControlReceiver<u8, (), (), ()>;

    fn ask(demand: usize) -> ConsumerControl<()> {
        Ask(SubscriptionId::new(1), demand)
    }

    #[test]
    fn what_was_left_is_taken_in_order_and_nothing_after_the_end() {
        let receiver = Receiver::new();
        let sender = receiver.sender();
        for n in 0..3 {
            sender.send_to_consumer(ask(n)).unwrap();
        }
        let first = receiver.next_control();
        assert!(matches!(first, Some(Control::Consumer(Ask(_, 0)))));
        assert_eq!(receiver.close().len(), 2);
        assert!(matches!(sender.send_to_consumer(ask(3)), Err(Ask(_, 3))));
        let receiver = Receiver::new();
        let sender = receiver.sender();
        drop(receiver);
        assert!(sender.send_to_consumer(ask(4)).is_err() && sender.mailbox().is_none());
    }

    #[test]
    fn a_mailbox_is_closed_whether_there_was_one_or_not() {
        let info = |value: usize| Mail::Info(Info::new(value));
        let receiver = Receiver::new();
        let sender = receiver.sender();
        assert!(receiver.next_mail().is_none());
        sender.mailbox().unwrap().try_send(7, info).unwrap();
        assert!(receiver.next_mail().is_some());
        receiver.close_mailbox();
        assert!(sender.mailbox().unwrap().try_send(7, info).is_err());
        let receiver = Receiver::new();
        let sender = receiver.sender();
        receiver.close_mailbox();
        assert!(sender.mailbox().is_none());
    }

    #[test]
    fn a_stage_is_given_back_once_and_not_to_a_handle_that_is_gone() {
        let receiver = Receiver::new();
        let sender = receiver.sender();
        assert_eq!(receiver.return_stage(7), None);
        assert_eq!((sender.take_stage(), sender.take_stage()), (Some(7), None));
        let receiver = Receiver::new();
        let sender = receiver.sender();
        sender.detach();
        assert_eq!(receiver.return_stage(7), Some(7));
    }
}
