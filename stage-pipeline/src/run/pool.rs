//! [`Pool`]: stages of one kind that emit messages, and who reads from them.

use futures::future::BoxFuture;
use parking_lot::Mutex;
use stages::handle::{Outlet, StageControl};
use stages::{CancelMode, SubscribeError, Subscription, SubscriptionId};

use crate::message::Message;

/// What a member of a pool emits by.
pub(crate) type MessageOutlet<T> = Outlet<Message<T>, usize>;

/// Stages that emit messages of type `T`: the sources of a pipeline, or the processors of
/// a step. Members and readers come and go while it runs.
pub(crate) struct Pool<T> {
    members: Mutex<Vec<MessageOutlet<T>>>,
    readers: Mutex<Vec<Reader<T>>>,
}

/// A stage that reads from all members of a pool.
pub(crate) struct Reader<T> {
    pub(crate) control: StageControl,
    pub(crate) terms: Terms,
    pub(crate) subscribe: Subscribe<T>,
}

type Subscribe<T> = Box<
    dyn Fn(Subscription<Message<T>>) -> BoxFuture<'static, Result<SubscriptionId, SubscribeError>>
        + Send
        + Sync,
>;

/// The terms on which a stage reads from a pool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// The number of the reader in its own pool.
    pub(crate) number: usize,
    pub(crate) max_demand: usize,
    pub(crate) min_demand: usize,
}

impl Terms {
    /// A subscription on these terms. The reader completes when the last member has.
    fn subscription<T: Send + 'static>(
        self,
        member: &MessageOutlet<T>,
    ) -> Subscription<Message<T>> {
        member
            .route(self.number)
            .max_demand(self.max_demand)
            .min_demand(self.min_demand)
            .on_cancel(CancelMode::Pooled)
    }
}

impl<T: Send + 'static> Pool<T> {
    pub(crate) fn new(members: Vec<MessageOutlet<T>>) -> Self {
        Self {
            members: Mutex::new(members),
            readers: Mutex::default(),
        }
    }

    /// Subscriptions to all members.
    pub(crate) fn subscriptions(&self, terms: Terms) -> Vec<Subscription<Message<T>>> {
        self.members
            .lock()
            .iter()
            .map(|member| terms.subscription(member))
            .collect()
    }

    /// Adds a member before there are readers.
    pub(crate) fn start_with(&self, member: MessageOutlet<T>) {
        self.members.lock().push(member);
    }

    pub(crate) fn add_reader(&self, reader: Reader<T>) {
        self.readers.lock().push(reader);
    }

    pub(crate) fn remove_reader(&self, control: &StageControl) {
        self.readers
            .lock()
            .retain(|reader| reader.control.id() != control.id());
    }

    /// Adds a member that runs already, and has all readers subscribe to it.
    pub(crate) async fn add_member(&self, member: MessageOutlet<T>) -> Result<(), SubscribeError> {
        let subscribing: Vec<_> = {
            let readers = self.readers.lock();
            readers
                .iter()
                .map(|reader| (reader.subscribe)(reader.terms.subscription(&member)))
                .collect()
        };
        self.members.lock().push(member);
        for subscribed in subscribing {
            subscribed.await?;
        }
        Ok(())
    }

    pub(crate) fn remove_member(&self, control: &StageControl) {
        self.members
            .lock()
            .retain(|member| member.control().id() != control.id());
    }
}
