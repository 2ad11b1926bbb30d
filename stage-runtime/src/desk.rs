//! Where handles leave what they have for a stage beside its links, and the
//! stage leaves itself when it has ended.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::link::make_room;
use crate::mailbox::{InletControl, Mail, Mailbox};
use crate::outlet_control::OutletControl;

/// What a handle has told a stage of type `S`, which takes `I` and emits `E` to
/// subscribers that say an `R`.
#[derive(Debug)]
pub(crate) enum Control<I, E, R> {
    Inlet(InletControl<I>),
    Outlet(OutletControl<E, R>),
}

/// One block of memory for all that a stage and its handles exchange; what most
/// stages never get takes no room in it.
struct Desk<S, I, E, R> {
    tray: Mutex<Tray<S, I, E, R>>,
    /// Made for the first message.
    mailbox: OnceLock<Box<Mailbox<S, E>>>,
}

struct Tray<S, I, E, R> {
    controls: VecDeque<Control<I, E, R>>,
    back: Back<S>,
    takes_controls: bool,
    takes_mail: bool,
}

/// The stage, on its way back to the handle.
enum Back<S> {
    Wanted,
    /// The handle was dropped.
    Unwanted,
    Here(Box<S>),
}

/// A desk, as the handles of the stage see it.
pub(crate) type Front<S, I, E, R> = Arc<dyn FrontOf<S, I, E, R> + Send + Sync>;

/// A desk, as consumers of the stage see it.
pub(crate) type OutletFront<E, R> = Arc<dyn OutletFrontOf<E, R> + Send + Sync>;

pub(crate) trait FrontOf<S, I, E, R>: OutletFrontOf<E, R> {
    /// Leaves something about the stage's inlets; gives it back when the stage
    /// has ended. The caller rings the stage's station.
    fn leave(&self, control: InletControl<I>) -> Result<(), InletControl<I>>;

    /// Where to leave messages, if the stage still takes some.
    fn mailbox(&self) -> Option<&Mailbox<S, E>>;

    /// The stage, which has ended.
    fn take_back(&self) -> Option<S>;

    /// Nobody will take the stage back.
    fn detach(&self);
}

pub(crate) trait OutletFrontOf<E, R> {
    /// Leaves something about the stage's outlet; gives it back when the stage
    /// has ended. The caller rings the stage's station.
    fn tell(&self, control: OutletControl<E, R>) -> Result<(), OutletControl<E, R>>;
}

/// The stage's side of its desk. Dropped, it is closed, and what waits there is
/// dropped.
pub(crate) struct OwnDesk<S, I, E, R>(Arc<Desk<S, I, E, R>>);

impl<S, I, E, R> Tray<S, I, E, R> {
    fn put(&mut self, control: Control<I, E, R>) {
        make_room(&mut self.controls);
        self.controls.push_back(control);
    }
}

impl<S: Send, I: Send, E: Send, R: Send> FrontOf<S, I, E, R> for Desk<S, I, E, R> {
    fn leave(&self, control: InletControl<I>) -> Result<(), InletControl<I>> {
        let mut tray = self.tray.lock();
        if !tray.takes_controls {
            return Err(control);
        }
        tray.put(Control::Inlet(control));
        Ok(())
    }

    fn mailbox(&self) -> Option<&Mailbox<S, E>> {
        if let Some(mailbox) = self.mailbox.get() {
            return Some(mailbox);
        }
        // Under the lock: the stage closes either this one, or the desk before
        // there is one.
        let tray = self.tray.lock();
        tray.takes_mail
            .then(|| &**self.mailbox.get_or_init(Box::default))
    }

    fn take_back(&self) -> Option<S> {
        match std::mem::replace(&mut self.tray.lock().back, Back::Unwanted) {
            Back::Here(stage) => Some(*stage),
            Back::Wanted | Back::Unwanted => None,
        }
    }

    fn detach(&self) {
        let back = std::mem::replace(&mut self.tray.lock().back, Back::Unwanted);
        // Outside the lock: it may be the user's stage.
        drop(back);
    }
}

impl<S: Send, I: Send, E: Send, R: Send> OutletFrontOf<E, R> for Desk<S, I, E, R> {
    fn tell(&self, control: OutletControl<E, R>) -> Result<(), OutletControl<E, R>> {
        let mut tray = self.tray.lock();
        if !tray.takes_controls {
            return Err(control);
        }
        tray.put(Control::Outlet(control));
        Ok(())
    }
}

impl<S, I, E, R> OwnDesk<S, I, E, R>
where
    S: Send + 'static,
    I: Send + 'static,
    E: Send + 'static,
    R: Send + 'static,
{
    /// The handles' side.
    pub(crate) fn front(&self) -> Front<S, I, E, R> {
        Arc::clone(&self.0) as Front<S, I, E, R>
    }
}

impl<S, I, E, R> OwnDesk<S, I, E, R> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Desk {
            tray: Mutex::new(Tray {
                controls: VecDeque::new(),
                back: Back::Wanted,
                takes_controls: true,
                takes_mail: true,
            }),
            mailbox: OnceLock::new(),
        }))
    }

    /// What was left first.
    pub(crate) fn next_control(&self) -> Option<Control<I, E, R>> {
        let mut tray = self.0.tray.lock();
        let control = tray.controls.pop_front();
        if tray.controls.is_empty() {
            tray.controls = VecDeque::new();
        }
        control
    }

    pub(crate) fn next_mail(&self) -> Option<Mail<S, E>> {
        self.0.mailbox.get()?.try_recv()
    }

    /// Takes no more messages, and drops those that wait.
    pub(crate) fn close_mailbox(&self) {
        self.0.tray.lock().takes_mail = false;
        if let Some(mailbox) = self.0.mailbox.get() {
            mailbox.close();
        }
    }

    /// Takes nothing more in; returns what waits.
    pub(crate) fn close(&self) -> VecDeque<Control<I, E, R>> {
        let mut tray = self.0.tray.lock();
        tray.takes_controls = false;
        std::mem::take(&mut tray.controls)
    }

    /// Gives the stage back to its handle; returns it if that was dropped.
    pub(crate) fn give_back(&self, stage: S) -> Option<S> {
        let mut tray = self.0.tray.lock();
        if matches!(tray.back, Back::Unwanted) {
            return Some(stage);
        }
        tray.back = Back::Here(Box::new(stage));
        None
    }
}

impl<S, I, E, R> Drop for OwnDesk<S, I, E, R> {
    fn drop(&mut self) {
        self.close_mailbox();
        // Dropped here, outside the lock: what waits may have answers to give.
        drop(self.close());
    }
}

#[cfg(test)]
mod tests {
    use super::{Control, OwnDesk};
    use crate::mailbox::InletControl::{self, Ask};
    use crate::mailbox::Mail;
    use stage_core::{Info, SubscriptionId};

    type Own = OwnDesk<u8, (), (), ()>;

    fn ask(demand: usize) -> InletControl<()> {
        Ask(SubscriptionId::new(1), demand)
    }

    #[test]
    fn what_was_left_is_taken_in_order_and_nothing_after_the_end() {
        let own = Own::new();
        let front = own.front();
        for n in 0..3 {
            front.leave(ask(n)).unwrap();
        }
        let first = own.next_control();
        assert!(matches!(first, Some(Control::Inlet(Ask(_, 0)))));
        assert_eq!(own.close().len(), 2);
        assert!(matches!(front.leave(ask(3)), Err(Ask(_, 3))));
        let own = Own::new();
        let front = own.front();
        drop(own);
        assert!(front.leave(ask(4)).is_err() && front.mailbox().is_none());
    }

    #[test]
    fn a_mailbox_is_closed_whether_there_was_one_or_not() {
        let info = |value: usize| Mail::Info(Info::new(value));
        let own = Own::new();
        let front = own.front();
        assert!(own.next_mail().is_none());
        front.mailbox().unwrap().try_send(7, info).unwrap();
        assert!(own.next_mail().is_some());
        own.close_mailbox();
        assert!(front.mailbox().unwrap().try_send(7, info).is_err());
        let own = Own::new();
        let front = own.front();
        own.close_mailbox();
        assert!(front.mailbox().is_none());
    }

    #[test]
    fn a_stage_is_given_back_once_and_not_to_a_handle_that_is_gone() {
        let own = Own::new();
        let front = own.front();
        assert_eq!(own.give_back(7), None);
        assert_eq!((front.take_back(), front.take_back()), (Some(7), None));
        let own = Own::new();
        let front = own.front();
        front.detach();
        assert_eq!(own.give_back(7), Some(7));
    }
}
