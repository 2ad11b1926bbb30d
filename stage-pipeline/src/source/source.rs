//! [`Source`]: where messages come from.

use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use stages::StageResult;

use super::Leases;
use crate::ack::Acknowledger;
use crate::guarantee::Guarantee;

/// When a source wants to be called again, if it leased fewer messages than were asked
/// for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// When its [waker](Leases::waker) is woken.
    Woken,
    /// When its waker is woken, and after this delay at the latest.
    After(Duration),
    /// Never: no message will come any more, also none of those that are not settled.
    End,
}

/// What a source can promise. The pipeline checks it when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// The guarantee that its messages begin with.
    pub guarantee: Guarantee,
    /// Whether the origin keeps rejected messages as dead letters.
    pub keeps_dead_letters: bool,
    /// Whether the origin leases no message of a key while an earlier one of that key
    /// waits to be delivered again.
    pub keeps_key_order: bool,
    /// How often [`Source::heartbeat`] is called while messages are unsettled; `None`
    /// for never.
    pub heartbeat_every: Option<Duration>,
}

impl Capabilities {
    /// Returns the capabilities of a source that promises `guarantee` and nothing else.
    #[must_use]
    pub const fn new(guarantee: Guarantee) -> Self {
        Self {
            guarantee,
            keeps_dead_letters: false,
            keeps_key_order: false,
            heartbeat_every: None,
        }
    }

    /// The origin keeps rejected messages.
    #[must_use]
    pub const fn with_dead_letters(mut self) -> Self {
        self.keeps_dead_letters = true;
        self
    }

    /// The origin keeps the order of messages with the same key.
    #[must_use]
    pub const fn with_key_order(mut self) -> Self {
        self.keeps_key_order = true;
        self
    }

    /// The source has to be called that often while messages are unsettled.
    #[must_use]
    pub const fn with_heartbeat(mut self, every: Duration) -> Self {
        self.heartbeat_every = Some(every);
        self
    }
}

/// Leases messages from an origin: gives them out, to be settled.
///
/// A source is the state of a supervised stage: an error of a method ends this state, and
/// the pipeline makes another from the factory, after a delay that grows. Messages that
/// are under way stay with their [`Acknowledger`].
///
/// [`memory::MemorySource`](crate::memory::MemorySource) is a complete source.
///
/// Source of the design: `Broadway.Producer`.
pub trait Source: Send + 'static {
    /// The data of the messages.
    type Data: Send + 'static;

    /// Returns what the source promises. Called once, before the pipeline starts.
    fn capabilities(&self) -> Capabilities;

    /// Returns who settles the messages of this source. Called once, after
    /// [`open`](Self::open).
    fn acknowledger(&self) -> Arc<dyn Acknowledger>;

    /// Connects. Called first. Does nothing by default.
    ///
    /// # Errors
    ///
    /// An error makes the pipeline try again with a new source.
    fn open(&mut self) -> impl Future<Output = StageResult> + Send {
        ready(Ok(()))
    }

    /// Leases up to `demand` messages and puts them into `leases`. Nothing is leased
    /// beyond: what nobody asked for stays at the origin, where others can have it.
    ///
    /// It must return promptly: a source that waited for messages here could not be
    /// drained. If there are none, it stores the [waker](Leases::waker) and returns
    /// [`Next::Woken`].
    ///
    /// # Errors
    ///
    /// An error makes the pipeline try again with a new source. Messages that were put
    /// into `leases` before are delivered.
    fn lease(
        &mut self,
        demand: usize,
        leases: &mut Leases<'_, Self::Data>,
    ) -> impl Future<Output = StageResult<Next>> + Send;

    /// Extends the leases of all messages that are not settled, wherever they are: in a
    /// queue, in a handler, in an open batch. Called at the interval of
    /// [`Capabilities::heartbeat_every`]. Does nothing by default.
    ///
    /// # Errors
    ///
    /// An error makes the pipeline try again with a new source.
    fn heartbeat(&mut self) -> impl Future<Output = StageResult> + Send {
        ready(Ok(()))
    }

    /// Called once when the pipeline drains: [`lease`](Self::lease) is not called any
    /// more. A source that is sent messages, asked for or not, cancels that here. Does
    /// nothing by default.
    ///
    /// # Errors
    ///
    /// An error is traced; the pipeline drains all the same.
    fn drain(&mut self) -> impl Future<Output = StageResult> + Send {
        ready(Ok(()))
    }

    /// Called last. All messages are settled by then, unless the pipeline was stopped or
    /// a deadline has passed. Does nothing by default.
    fn close(&mut self) -> impl Future<Output = ()> + Send {
        ready(())
    }
}
