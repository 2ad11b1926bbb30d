//! Where handles leave what they have for a stage beside its links, and the
//! stage leaves itself when it has ended.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::consumer_control::ConsumerControl;
use crate::link::make_room;
use crate::mailbox::{Mail, Mailbox};
use crate::producer_control::ProducerControl;

/// What a handle has told a stage of type `S`, which takes `I` and emits `E` to
/// subscribers that say an `R`.
#[derive(Debug)]
pub(crate) enum Control<I, E, R> {
    Consumer(ConsumerControl<I>),
    Producer(ProducerControl<E, R>),
}

/// One block of memory for all that a stage and its handles exchange; what most
/// stages never get takes no room in it.
struct ControlQueue<S, I, E, R> {
    state: Mutex<State<S, I, E, R>>,
    /// Made for the first message.
    mailbox: OnceLock<Box<Mailbox<S, E>>>,
}

struct State<S, I, E, R> {
    controls: VecDeque<Control<I, E, R>>,
    returned: Returned<S>,
    accepts_controls: bool,
    accepts_mail: bool,
}

/// The stage, on its way back to the handle.
enum Returned<S> {
    Wanted,
    /// The handle was dropped.
    Unwanted,
    Here(Box<S>),
}

/// A control, as the handles of the stage see it.
pub(crate) type ControlSender<S, I, E, R> = Arc<dyn SendControl<S, I, E, R> + Send + Sync>;

/// A control, as consumers of the stage see it.
pub(crate) type ProducerControlSender<E, R> = Arc<dyn SendProducerControl<E, R> + Send + Sync>;

pub(crate) trait SendControl<S, I, E, R>: SendProducerControl<E, R> {
    /// Leaves something about the stage's inlets; gives it back when the stage
    /// has ended. The caller rings the stage's notifier.
    fn send_to_consumer(&self, control: ConsumerControl<I>) -> Result<(), ConsumerControl<I>>;

    /// Where to leave messages, if the stage still takes some.
    fn mailbox(&self) -> Option<&Mailbox<S, E>>;

    /// The stage, which has ended.
    fn take_stage(&self) -> Option<S>;

    /// Nobody will take the stage back.
    fn detach(&self);
}

pub(crate) trait SendProducerControl<E, R> {
    /// Leaves something about the stage's producer; gives it back when the stage
    /// has ended. The caller rings the stage's notifier.
    fn send_to_producer(&self, control: ProducerControl<E, R>)
    -> Result<(), ProducerControl<E, R>>;
}

/// The stage's side of its control. Dropped, it is closed, and what waits there is
/// dropped.
pub(crate) struct ControlReceiver<S, I, E, R>(Arc<ControlQueue<S, I, E, R>>);

impl<S, I, E, R> State<S, I, E, R> {
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
        // Under the lock: the stage closes either this one, or the control before
        // there is one.
        let state = self.state.lock();
        state
            .accepts_mail
            .then(|| &**self.mailbox.get_or_init(Box::default))
    }

    fn take_stage(&self) -> Option<S> {
        match std::mem::replace(&mut self.state.lock().returned, Returned::Unwanted) {
            Returned::Here(stage) => Some(*stage),
            Returned::Wanted | Returned::Unwanted => None,
        }
    }

    fn detach(&self) {
        let back = std::mem::replace(&mut self.state.lock().returned, Returned::Unwanted);
        // Outside the lock: it may be the user's stage.
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
    /// The handles' side.
    pub(crate) fn sender(&self) -> ControlSender<S, I, E, R> {
        Arc::clone(&self.0) as ControlSender<S, I, E, R>
    }
}

impl<S, I, E, R> ControlReceiver<S, I, E, R> {
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

    /// What was left first.
    pub(crate) fn next_control(&self) -> Option<Control<I, E, R>> {
        let mut state = self.0.state.lock();
        let control = state.controls.pop_front();
        if state.controls.is_empty() {
            state.controls = VecDeque::new();
        }
        control
    }

    pub(crate) fn next_mail(&self) -> Option<Mail<S, E>> {
        self.0.mailbox.get()?.try_recv()
    }

    /// Takes no more messages, and drops those that wait.
    pub(crate) fn close_mailbox(&self) {
        self.0.state.lock().accepts_mail = false;
        if let Some(mailbox) = self.0.mailbox.get() {
            mailbox.close();
        }
    }

    /// Takes nothing more in; returns what waits.
    pub(crate) fn close(&self) -> VecDeque<Control<I, E, R>> {
        let mut state = self.0.state.lock();
        state.accepts_controls = false;
        std::mem::take(&mut state.controls)
    }

    /// Gives the stage back to its handle; returns it if that was dropped.
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
        // Dropped here, outside the lock: what waits may have answers to give.
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
