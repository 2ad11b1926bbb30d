//! [`enqueue`]: from the input into the queue, durably, and not twice.
//!
//! Lines are enqueued in groups, each in one transaction with one sync of the disk. A run that
//! reads the same input again enqueues nothing twice: each line has a deduplication key of its
//! input, its number and its contents.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use stage_queue::{NewMessage, Topic};
use stages::BoxError;
use tokio::sync::watch;

use super::events::{Event, Events};
use super::input::{Line, Lines};

/// The header with the number of the line.
pub(crate) const LINE_HEADER: &str = "line";
/// For how long a line is known. After that, the same input is new.
const KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// What was enqueued so far.
#[derive(Debug, Default)]
pub(crate) struct EnqueueCounts {
    /// Orders that are new in the queue.
    pub(crate) enqueued: AtomicU64,
    /// Orders that were enqueued by an earlier run.
    pub(crate) known: AtomicU64,
}

/// Options of [`enqueue`].
pub(crate) struct EnqueueOptions {
    pub(crate) group: usize,
    pub(crate) events: Events,
    pub(crate) counts: Arc<EnqueueCounts>,
}

/// Enqueues all lines, or those that were read when `stop` becomes true. Returns whether it
/// came to the end of the input.
///
/// # Errors
///
/// Those of the input and of the queue.
pub(crate) async fn enqueue(
    mut lines: Lines,
    topic: Topic,
    mut stop: watch::Receiver<bool>,
    options: EnqueueOptions,
) -> Result<bool, BoxError> {
    let mut group = Vec::with_capacity(options.group);
    let mut stopped = false;
    loop {
        tokio::select! {
            biased;
            () = becomes_true(&mut stop), if !stopped => {
                stopped = true;
                // What was read already is enqueued: standard input does not give it again.
                lines.received.close();
            }
            received = lines.received.recv_many(&mut group, options.group) => {
                if received == 0 {
                    break;
                }
                let read: Vec<Line> = group.drain(..).collect::<Result<_, _>>()?;
                enqueue_group(&read, lines.name.as_deref(), &topic, &options).await?;
            }
        }
    }
    if !stopped {
        options.events.emit(Event::AllEnqueued);
    }
    Ok(!stopped)
}

async fn becomes_true(stop: &mut watch::Receiver<bool>) {
    // An error says that nobody is left to stop it: the program ends.
    drop(stop.wait_for(|stop| *stop).await.map(drop));
}

async fn enqueue_group(
    lines: &[Line],
    input: Option<&str>,
    topic: &Topic,
    options: &EnqueueOptions,
) -> Result<(), BoxError> {
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
        return Ok(());
    };
    let (first, last) = (first.number, last.number);
    options.events.emit(Event::Enqueueing { first, last });
    let messages = lines.iter().map(|line| message(line, input));
    let enqueued = topic.enqueue_all(messages).await?;
    options.events.emit(Event::Enqueued { first, last });
    let known = enqueued.iter().filter(|one| one.duplicate).count();
    let counts = &options.counts;
    counts.known.fetch_add(known as u64, Relaxed);
    counts
        .enqueued
        .fetch_add((enqueued.len() - known) as u64, Relaxed);
    Ok(())
}

fn message(line: &Line, input: Option<&str>) -> NewMessage {
    let Line { number, text } = line;
    let message = NewMessage::new(text.as_slice()).with_header(LINE_HEADER, number.to_string());
    match input {
        Some(input) => {
            // With its contents: a line that was put right is enqueued, at the same place.
            let contents = crc32fast::hash(text);
            message.deduplicated(format!("{input}:{number}:{contents:08x}"), KNOWN_FOR)
        }
        None => message,
    }
}
