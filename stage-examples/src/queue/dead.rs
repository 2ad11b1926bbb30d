//! Retries and clears dead letters.

use std::path::Path;

use stage_queue::{MessageId, Queue, QueueError, QueueOptions};

/// Makes one dead letter of a topic ready again, or all of them. Returns how many. A process
/// that uses the queue finds them within its poll interval.
///
/// # Errors
///
/// Those of the queue.
pub(super) async fn retry(file: &Path, topic: &str, id: Option<u64>) -> Result<u64, QueueError> {
    let queue = Queue::open(file, QueueOptions::new())?;
    let dead = queue.topic(topic).dead_letters();
    let retried = match id {
        Some(id) => dead.retry(MessageId(id)).await?.into(),
        None => dead.retry_all().await?,
    };
    queue.close().await?;
    Ok(retried)
}

/// Deletes one dead letter of a topic, or all of them. Returns how many.
///
/// # Errors
///
/// Those of the queue.
pub(super) async fn clear(file: &Path, topic: &str, id: Option<u64>) -> Result<u64, QueueError> {
    let queue = Queue::open(file, QueueOptions::new())?;
    let dead = queue.topic(topic).dead_letters();
    let cleared = match id {
        Some(id) => dead.delete(MessageId(id)).await?.into(),
        None => dead.clear().await?,
    };
    queue.close().await?;
    Ok(cleared)
}
