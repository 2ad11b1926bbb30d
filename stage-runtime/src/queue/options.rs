//! [`QueueOptions`]: the bound of a queue and what happens at it.

use std::fmt;
use std::sync::Arc;

use stage_core::{Bound, WhenFull};

use crate::operators::OptionError;
use crate::shed::Shed;

/// A shed hook that any thread may call.
pub(super) type QueueHook<E> = Box<dyn Fn(Shed<E>) + Send + Sync>;

/// The options of a [`queue`](super::queue()).
///
/// A [`Bound`] converts into options that have only a bound, so
/// `queue(Bound::Events(16))` makes a queue of which `send` waits when it is full.
///
/// ```
/// use stage_core::Bound;
/// use stage_runtime::queue::{QueueOptions, WhenFull, queue};
///
/// let options = QueueOptions::new(Bound::Bytes { limit: 64 * 1024, weigh: String::len })
///     .name("lines")
///     .when_full(WhenFull::DropNewest)
///     .shed(|shed| eprintln!("{}: {} lines shed", shed.stage, shed.events.len()));
/// let (lines, source) = queue(options);
/// # drop((lines, source));
/// ```
#[must_use]
pub struct QueueOptions<E> {
    pub(super) bound: Bound<E>,
    pub(super) when_full: WhenFull,
    pub(super) name: Arc<str>,
    pub(super) while_subscribed: bool,
    pub(super) hook: Option<QueueHook<E>>,
}

impl<E> QueueOptions<E> {
    /// Returns the options of a queue with this bound.
    ///
    /// With [`Bound::Unbounded`] the queue is never full, whatever `when_full` says.
    /// With a bound in bytes an event counts as at least 1 byte, so that events of no
    /// weight cannot fill the memory; one that is heavier than the limit is taken by
    /// an empty queue.
    ///
    /// # Errors
    ///
    /// A limit of 0 fails the stage with an
    /// [`OptionError`](crate::operators::OptionError) when it is spawned: no event
    /// would get through.
    pub fn new(bound: Bound<E>) -> Self {
        Self {
            bound,
            when_full: WhenFull::Wait,
            name: Arc::from("queue"),
            while_subscribed: false,
            hook: None,
        }
    }

    /// Sets what a full queue does; [`WhenFull::Wait`] by default.
    pub fn when_full(mut self, policy: WhenFull) -> Self {
        self.when_full = policy;
        self
    }

    /// Sets the name of the queue in messages and in [`Shed::stage`]; `queue` by
    /// default.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets a hook that gets the events that the queue sheds, and why.
    ///
    /// It is called by whoever causes it: by a `push` into a full queue, or by the
    /// source when it ends with events left. So it may be called from several threads
    /// at once, and should be quick. It must not push into the same queue. A panic in
    /// it is caught and traced.
    ///
    /// Without a hook, [`Inlet::push`](super::Inlet::push) returns the events that it
    /// caused to be shed, and a warning is traced each time that their number has
    /// doubled.
    pub fn shed(mut self, hook: impl Fn(Shed<E>) + Send + Sync + 'static) -> Self {
        self.hook = Some(Box::new(hook));
        self
    }

    /// Has the queue keep and count nothing while no consumer is subscribed to its
    /// source: for notifications that matter only to those who listen.
    ///
    /// A push then costs one atomic load and no allocation, and returns
    /// [`Pushed::NoSubscriber`](super::Pushed::NoSubscriber). A push after
    /// `handle.subscribe(..).await` is seen. When the last consumer has left, the
    /// events in the queue are shed, with
    /// [`ShedReason::NoSubscriber`](crate::ShedReason::NoSubscriber).
    pub fn while_subscribed(mut self) -> Self {
        self.while_subscribed = true;
        self
    }

    /// What is wrong with the options of a queue that `function` makes.
    pub(super) fn refused(&self, function: &'static str) -> Option<OptionError> {
        let option = match self.bound {
            Bound::Bytes { .. } => "the limit of Bound::Bytes",
            _ => "Bound::Events",
        };
        (self.bound.limit() == Some(0)).then(|| OptionError {
            operator: function,
            option,
            value: "0".to_owned(),
            range: "at least 1",
            fix: "set it to what may wait for demand, or use Bound::Unbounded",
        })
    }
}

impl<E> From<Bound<E>> for QueueOptions<E> {
    fn from(bound: Bound<E>) -> Self {
        Self::new(bound)
    }
}

impl<E> fmt::Debug for QueueOptions<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueOptions")
            .field("bound", &self.bound)
            .field("when_full", &self.when_full)
            .field("name", &self.name)
            .field("while_subscribed", &self.while_subscribed)
            .finish_non_exhaustive()
    }
}
