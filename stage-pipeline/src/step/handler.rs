//! [`Handler`], [`Transform`] and [`Expand`]: what a step does with a message.

use std::future::{Future, ready};

use crate::message::{Failed, Message};

/// Handles messages one by one, in place.
///
/// ```
/// use stage_pipeline::{Failed, Handler, Message};
///
/// struct Validate {
///     largest: u64,
/// }
///
/// impl Handler for Validate {
///     type Data = u64;
///
///     async fn handle(&mut self, message: &mut Message<u64>) -> Result<(), Failed> {
///         if message.data > self.largest {
///             return Err(Failed::reject(format!("{} is too large", message.data)));
///         }
///         Ok(())
///     }
/// }
/// ```
///
/// An error or a panic fails this message and no other. After a panic, the step makes a new
/// handler for the messages that follow, and does not try the message again in the same
/// delivery.
///
/// Source: `handle_message/3`, `prepare_messages/2` and `handle_failed/2` of Broadway.
pub trait Handler: Send + 'static {
    /// The data of the messages.
    type Data: Send + 'static;

    /// Handles one message.
    ///
    /// # Errors
    ///
    /// The message fails, and is settled as the error or the retry policy says.
    fn handle(
        &mut self,
        message: &mut Message<Self::Data>,
    ) -> impl Future<Output = Result<(), Failed>> + Send;

    /// Called with all messages that came together, before the first is handled: the
    /// place for one look-up for all of them. Does nothing by default.
    ///
    /// # Errors
    ///
    /// All of these messages fail.
    fn prepare(
        &mut self,
        messages: &mut [Message<Self::Data>],
    ) -> impl Future<Output = Result<(), Failed>> + Send {
        let _ = messages;
        ready(Ok(()))
    }

    /// Called with messages that have failed, before they are settled.
    /// [`Message::fail`] changes the failure, [`Message::recover`] takes it back: such a
    /// message is acknowledged. Does nothing by default.
    fn handle_failed(
        &mut self,
        failed: &mut [Message<Self::Data>],
    ) -> impl Future<Output = ()> + Send {
        let _ = failed;
        ready(())
    }
}

/// Makes one message of another type from each message: a decoder.
///
/// The message is borrowed. If it fails, its data is still there for
/// [`handle_failed`](Self::handle_failed) and for the dead letters; what the new data
/// needs of it can be moved out with [`std::mem::take`].
///
/// Errors and panics are those of a [`Handler`].
pub trait Transform: Send + 'static {
    /// The data of the messages that come in.
    type In: Send + 'static;
    /// The data of the messages that go on.
    type Out: Send + 'static;

    /// Makes the new data.
    ///
    /// # Errors
    ///
    /// The message fails, and is settled as the error or the retry policy says.
    fn transform(
        &mut self,
        message: &mut Message<Self::In>,
    ) -> impl Future<Output = Result<Self::Out, Failed>> + Send;

    /// As [`Handler::prepare`].
    ///
    /// # Errors
    ///
    /// All of these messages fail.
    fn prepare(
        &mut self,
        messages: &mut [Message<Self::In>],
    ) -> impl Future<Output = Result<(), Failed>> + Send {
        let _ = messages;
        ready(Ok(()))
    }

    /// As [`Handler::handle_failed`].
    fn handle_failed(
        &mut self,
        failed: &mut [Message<Self::In>],
    ) -> impl Future<Output = ()> + Send {
        let _ = failed;
        ready(())
    }
}

/// Makes any number of messages from each message. The origin gets the worst verdict of
/// all when the last of them is settled. A message of which none is made is acknowledged.
///
/// Errors and panics are those of a [`Handler`].
pub trait Expand: Send + 'static {
    /// The data of the messages that come in.
    type In: Send + 'static;
    /// The data of the messages that go on.
    type Out: Send + 'static;

    /// Makes the data of the new messages.
    ///
    /// # Errors
    ///
    /// The message fails, and is settled as the error or the retry policy says.
    fn expand(
        &mut self,
        message: &mut Message<Self::In>,
    ) -> impl Future<Output = Result<Vec<Self::Out>, Failed>> + Send;

    /// As [`Handler::handle_failed`].
    fn handle_failed(
        &mut self,
        failed: &mut [Message<Self::In>],
    ) -> impl Future<Output = ()> + Send {
        let _ = failed;
        ready(())
    }
}
