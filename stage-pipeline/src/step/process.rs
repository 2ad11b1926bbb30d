//! [`Process`]: one shape for the three kinds of step.

use std::future::Future;

use super::{Expand, Handler, Transform};
use crate::message::{Failed, Message};

/// What a step does with a message, whatever its kind.
pub(crate) trait Process: Send + 'static {
    type In: Send + 'static;
    type Out: Send + 'static;
    /// What is made of a message.
    type Made: Send;

    fn prepare(
        &mut self,
        messages: &mut [Message<Self::In>],
    ) -> impl Future<Output = Result<(), Failed>> + Send;

    fn process(
        &mut self,
        message: &mut Message<Self::In>,
    ) -> impl Future<Output = Result<Self::Made, Failed>> + Send;

    fn handle_failed(
        &mut self,
        failed: &mut [Message<Self::In>],
    ) -> impl Future<Output = ()> + Send;

    /// Puts the messages that go on into `out`. Returns the message if none does.
    fn emit(
        message: Message<Self::In>,
        made: Self::Made,
        out: &mut Vec<Message<Self::Out>>,
    ) -> Option<Message<Self::In>>;
}

/// A step that leaves the message as it is, but for what its handler changes.
pub(crate) struct InPlace<H>(pub(crate) H);

impl<H: Handler> Process for InPlace<H> {
    type In = H::Data;
    type Out = H::Data;
    type Made = ();

    fn prepare(
        &mut self,
        messages: &mut [Message<H::Data>],
    ) -> impl Future<Output = Result<(), Failed>> + Send {
        self.0.prepare(messages)
    }

    fn process(
        &mut self,
        message: &mut Message<H::Data>,
    ) -> impl Future<Output = Result<(), Failed>> + Send {
        self.0.handle(message)
    }

    fn handle_failed(
        &mut self,
        failed: &mut [Message<H::Data>],
    ) -> impl Future<Output = ()> + Send {
        self.0.handle_failed(failed)
    }

    fn emit(
        message: Message<H::Data>,
        (): (),
        out: &mut Vec<Message<H::Data>>,
    ) -> Option<Message<H::Data>> {
        out.push(message);
        None
    }
}

/// A step that replaces the data of the message.
pub(crate) struct Transforming<H>(pub(crate) H);

impl<H: Transform> Process for Transforming<H> {
    type In = H::In;
    type Out = H::Out;
    type Made = H::Out;

    fn prepare(
        &mut self,
        messages: &mut [Message<H::In>],
    ) -> impl Future<Output = Result<(), Failed>> + Send {
        self.0.prepare(messages)
    }

    fn process(
        &mut self,
        message: &mut Message<H::In>,
    ) -> impl Future<Output = Result<H::Out, Failed>> + Send {
        self.0.transform(message)
    }

    fn handle_failed(&mut self, failed: &mut [Message<H::In>]) -> impl Future<Output = ()> + Send {
        self.0.handle_failed(failed)
    }

    fn emit(
        message: Message<H::In>,
        made: H::Out,
        out: &mut Vec<Message<H::Out>>,
    ) -> Option<Message<H::In>> {
        out.push(message.with_data(made));
        None
    }
}

/// A step that makes any number of messages of one.
pub(crate) struct Expanding<H>(pub(crate) H);

impl<H: Expand> Process for Expanding<H> {
    type In = H::In;
    type Out = H::Out;
    type Made = Vec<H::Out>;

    async fn prepare(&mut self, _: &mut [Message<H::In>]) -> Result<(), Failed> {
        Ok(())
    }

    fn process(
        &mut self,
        message: &mut Message<H::In>,
    ) -> impl Future<Output = Result<Vec<H::Out>, Failed>> + Send {
        self.0.expand(message)
    }

    fn handle_failed(&mut self, failed: &mut [Message<H::In>]) -> impl Future<Output = ()> + Send {
        self.0.handle_failed(failed)
    }

    fn emit(
        message: Message<H::In>,
        made: Vec<H::Out>,
        out: &mut Vec<Message<H::Out>>,
    ) -> Option<Message<H::In>> {
        match message.split(made) {
            Ok(parts) => {
                out.extend(parts);
                None
            }
            Err(message) => Some(message),
        }
    }
}
