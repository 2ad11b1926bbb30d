//! [`DeadLetter`]: a message that is not delivered any more. [`DeadLetters`]: those of a
//! topic.

use std::sync::Arc;
use std::time::SystemTime;

use crate::topic::Topic;
use crate::{MessageId, QueueError};

/// A message that was rejected, was delivered too often, or is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The number of the message.
    pub id: MessageId,
    /// Why it is not delivered any more.
    pub reason: Arc<str>,
    /// How often it was delivered.
    pub deliveries: u32,
    /// When it became a dead letter.
    pub rejected_at: SystemTime,
    /// Whether its checksum does not match: payload, key or headers are not what was
    /// enqueued.
    pub damaged: bool,
    /// The payload.
    pub payload: Vec<u8>,
    /// The key.
    pub key: Option<Arc<str>>,
    /// The headers.
    pub headers: Vec<(String, Vec<u8>)>,
    /// When it was enqueued.
    pub enqueued_at: SystemTime,
}

/// The dead letters of a topic; from [`Topic::dead_letters`].
#[derive(Debug, Clone)]
pub struct DeadLetters {
    topic: Topic,
}

impl DeadLetters {
    pub(crate) fn new(topic: Topic) -> Self {
        Self { topic }
    }

    /// Lists up to `count` dead letters with larger numbers than `after`, in the order of
    /// their numbers. `None` begins with the first.
    ///
    /// # Errors
    ///
    /// As [`Topic::enqueue`], but for a topic that is full.
    pub async fn list(
        &self,
        after: Option<MessageId>,
        count: usize,
    ) -> Result<Vec<DeadLetter>, QueueError> {
        self.topic
            .on_disk(move |group, topic| group.store.dead_letters(topic, after, count))
            .await
    }

    /// Makes a dead letter ready again at its old place, with no deliveries counted. Returns
    /// whether there was one.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn retry(&self, id: MessageId) -> Result<bool, QueueError> {
        Ok(self.revive(Some(id)).await? > 0)
    }

    /// Makes all dead letters ready again, with no deliveries counted. Returns how many.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn retry_all(&self) -> Result<u64, QueueError> {
        self.revive(None).await
    }

    /// Deletes a dead letter. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn delete(&self, id: MessageId) -> Result<bool, QueueError> {
        Ok(self
            .topic
            .on_disk(move |group, topic| group.store.bury(topic, Some(id)))
            .await?
            > 0)
    }

    /// Deletes all dead letters. Returns how many.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn clear(&self) -> Result<u64, QueueError> {
        self.topic
            .on_disk(move |group, topic| group.store.bury(topic, None))
            .await
    }

    async fn revive(&self, one: Option<MessageId>) -> Result<u64, QueueError> {
        self.topic
            .on_disk(move |group, topic| {
                let revived = group.store.revive(topic, one)?;
                if revived > 0 {
                    group.ready(topic.id, group.now);
                }
                Ok(revived)
            })
            .await
    }
}
