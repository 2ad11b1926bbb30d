//! Bounded channels of one sender and one receiver, all alike, so that a
//! pipeline is written once and runs over each of them.

use futures::{SinkExt, StreamExt};

/// What travels.
pub(crate) trait Message: Send + Unpin + 'static {}

impl<T: Send + Unpin + 'static> Message for T {}

/// A kind of channel. All of it is resolved at compile time.
pub(crate) trait Channel: 'static {
    type Sender<T: Message>: Send + 'static;
    type Receiver<T: Message>: Send + 'static;

    fn bounded<T: Message>(capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>);

    /// `false` when the receiver is gone.
    fn send<T: Message>(to: &mut Self::Sender<T>, message: T) -> impl Future<Output = bool> + Send;

    /// `None` when the sender is gone and everything was received.
    fn receive<T: Message>(from: &mut Self::Receiver<T>) -> impl Future<Output = Option<T>> + Send;
}

pub(crate) struct Tokio;
pub(crate) struct Futures;
pub(crate) struct Flume;
pub(crate) struct Kanal;
pub(crate) struct AsyncChannel;
pub(crate) struct Crossfire;

impl Channel for Tokio {
    type Sender<T: Message> = tokio::sync::mpsc::Sender<T>;
    type Receiver<T: Message> = tokio::sync::mpsc::Receiver<T>;

    fn bounded<T: Message>(capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>) {
        tokio::sync::mpsc::channel(capacity)
    }

    async fn send<T: Message>(to: &mut Self::Sender<T>, message: T) -> bool {
        to.send(message).await.is_ok()
    }

    async fn receive<T: Message>(from: &mut Self::Receiver<T>) -> Option<T> {
        from.recv().await
    }
}

/// A sender has a place of its own beside the capacity, so `1` holds two.
impl Channel for Futures {
    type Sender<T: Message> = futures::channel::mpsc::Sender<T>;
    type Receiver<T: Message> = futures::channel::mpsc::Receiver<T>;

    fn bounded<T: Message>(capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>) {
        futures::channel::mpsc::channel(capacity)
    }

    async fn send<T: Message>(to: &mut Self::Sender<T>, message: T) -> bool {
        // `feed` would do without the flush, which does nothing here.
        to.send(message).await.is_ok()
    }

    async fn receive<T: Message>(from: &mut Self::Receiver<T>) -> Option<T> {
        from.next().await
    }
}

impl Channel for Flume {
    type Sender<T: Message> = flume::Sender<T>;
    type Receiver<T: Message> = flume::Receiver<T>;

    fn bounded<T: Message>(capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>) {
        flume::bounded(capacity)
    }

    async fn send<T: Message>(to: &mut Self::Sender<T>, message: T) -> bool {
        to.send_async(message).await.is_ok()
    }

    async fn receive<T: Message>(from: &mut Self::Receiver<T>) -> Option<T> {
        from.recv_async().await.ok()
    }
}

impl Channel for Kanal {
    type Sender<T: Message> = kanal::AsyncSender<T>;
    type Receiver<T: Message> = kanal::AsyncReceiver<T>;

    fn bounded<T: Message>(capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>) {
        kanal::bounded_async(capacity)
    }

    async fn send<T: Message>(to: &mut Self::Sender<T>, message: T) -> bool {
        to.send(message).await.is_ok()
    }

    async fn receive<T: Message>(from: &mut Self::Receiver<T>) -> Option<T> {
        from.recv().await.ok()
    }
}

impl Channel for AsyncChannel {
    type Sender<T: Message> = async_channel::Sender<T>;
    type Receiver<T: Message> = async_channel::Receiver<T>;

    fn bounded<T: Message>(capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>) {
        async_channel::bounded(capacity)
    }

    async fn send<T: Message>(to: &mut Self::Sender<T>, message: T) -> bool {
        to.send(message).await.is_ok()
    }

    async fn receive<T: Message>(from: &mut Self::Receiver<T>) -> Option<T> {
        from.recv().await.ok()
    }
}

/// Its channel for one sender and one receiver, which is its fastest.
impl Channel for Crossfire {
    type Sender<T: Message> = crossfire::AsyncTx<crossfire::spsc::Array<T>>;
    type Receiver<T: Message> = crossfire::AsyncRx<crossfire::spsc::Array<T>>;

    fn bounded<T: Message>(capacity: usize) -> (Self::Sender<T>, Self::Receiver<T>) {
        // Its authors ask for this on small machines.
        crossfire::detect_backoff_cfg();
        crossfire::spsc::bounded_async(capacity)
    }

    fn send<T: Message>(to: &mut Self::Sender<T>, message: T) -> impl Future<Output = bool> + Send {
        let sent = to.send(message);
        async { sent.await.is_ok() }
    }

    fn receive<T: Message>(from: &mut Self::Receiver<T>) -> impl Future<Output = Option<T>> + Send {
        let received = from.recv();
        async { received.await.ok() }
    }
}
