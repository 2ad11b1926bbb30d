//! Enqueueing within bounds: who waits for room, and who gets it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Group;
use super::command::Enqueue;
use crate::error::StoreError;
use crate::store::{Amount, TopicRow};
use crate::{Enqueued, NewMessage, QueueError, TopicOptions, WhenFull};

/// Those who wait for room, in the order in which they came.
pub(super) struct Enqueues {
    waiting: VecDeque<Enqueue>,
    max_file_bytes: Option<u64>,
}

/// An enqueue that was carried out, to be answered after the commit.
pub(super) type Done = (Enqueue, Result<Vec<Enqueued>, QueueError>);

/// Why there is no room.
struct Lack {
    room: Amount,
    reason: String,
}

impl Enqueues {
    pub(super) fn new(max_file_bytes: Option<u64>) -> Self {
        Self {
            waiting: VecDeque::new(),
            max_file_bytes,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Enqueue> {
        std::mem::take(&mut self.waiting).into_iter()
    }

    /// Enqueues, or waits behind those of the topic who wait already.
    pub(super) fn enqueue(
        &mut self,
        group: &mut Group<'_>,
        enqueue: Enqueue,
        done: &mut Vec<Done>,
    ) -> Result<(), StoreError> {
        if self.waits(&enqueue) {
            self.waiting.push_back(enqueue);
            return Ok(());
        }
        match self.attempt(group, &enqueue) {
            Ok(Some(outcome)) => done.push((enqueue, outcome)),
            Ok(None) => self.waiting.push_back(enqueue),
            Err(error) => {
                // To be answered with the error of the group.
                self.waiting.push_back(enqueue);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Tries those who wait again, because there may be room.
    pub(super) fn retry(
        &mut self,
        group: &mut Group<'_>,
        done: &mut Vec<Done>,
    ) -> Result<(), StoreError> {
        let mut waited = std::mem::take(&mut self.waiting);
        while let Some(enqueue) = waited.pop_front() {
            // Whoever does not wait any more gets nothing enqueued.
            if enqueue.answer.is_closed() {
                continue;
            }
            if let Err(error) = self.enqueue(group, enqueue, done) {
                self.waiting.append(&mut waited);
                return Err(error);
            }
        }
        Ok(())
    }

    fn waits(&self, enqueue: &Enqueue) -> bool {
        self.waiting
            .iter()
            .any(|waiting| Arc::ptr_eq(&waiting.topic, &enqueue.topic))
    }

    /// Enqueues if there is room. None if it has to wait.
    fn attempt(
        &self,
        group: &mut Group<'_>,
        enqueue: &Enqueue,
    ) -> Result<Option<Result<Vec<Enqueued>, QueueError>>, StoreError> {
        let topic = group.topic(&enqueue.topic)?;
        let options = enqueue.topic.options();
        let name = &enqueue.topic.name;
        let size = Amount {
            messages: enqueue.messages.len() as u64,
            bytes: enqueue.messages.iter().map(NewMessage::size).sum(),
        };
        if topic.ordered
            && let Some(message) = enqueue
                .messages
                .iter()
                .find(|message| message.priority != 0)
        {
            return Ok(Some(Err(QueueError::Priority {
                topic: Arc::clone(name),
                priority: message.priority,
            })));
        }
        if let Some((what, value, bound)) = self.never_fits(&options, size, &enqueue.messages) {
            return Ok(Some(Err(QueueError::TooLarge {
                topic: Arc::clone(name),
                what,
                value,
                bound,
            })));
        }
        if let Some(lack) = self.lack(group, topic, &options, size)? {
            let made = match options.when_full {
                WhenFull::Wait => return Ok(None),
                WhenFull::Refuse => false,
                WhenFull::DropOldest => group.store.make_room(topic, lack.room)?,
            };
            if !made {
                return Ok(Some(Err(QueueError::Full {
                    topic: Arc::clone(name),
                    reason: lack.reason,
                })));
            }
        }
        let mut enqueued = Vec::with_capacity(enqueue.messages.len());
        for message in &enqueue.messages {
            enqueued.push(group.store.enqueue(topic, message, group.now)?);
            group.ready(topic.id, message.due_at(group.now));
        }
        Ok(Some(Ok(enqueued)))
    }

    /// What enqueueing may use of the file. The rest is for leases, verdicts and dead
    /// letters.
    fn file_bound(&self) -> Option<u64> {
        self.max_file_bytes.map(|bytes| bytes - bytes / 16)
    }

    fn never_fits(
        &self,
        options: &TopicOptions,
        size: Amount,
        messages: &[NewMessage],
    ) -> Option<(&'static str, u64, u64)> {
        // What SQLite stores in one row.
        const LARGEST: u64 = 900_000_000;
        let largest = messages.iter().map(NewMessage::size).max().unwrap_or(0);
        [
            (
                "the number of messages",
                size.messages,
                options.max_messages,
            ),
            ("the bytes", size.bytes, options.max_bytes),
            ("the bytes", size.bytes, self.file_bound()),
            ("the bytes of one message", largest, Some(LARGEST)),
        ]
        .into_iter()
        .find_map(|(what, value, bound)| {
            bound
                .filter(|bound| value > *bound)
                .map(|bound| (what, value, bound))
        })
    }

    fn lack(
        &self,
        group: &mut Group<'_>,
        topic: TopicRow,
        options: &TopicOptions,
        size: Amount,
    ) -> Result<Option<Lack>, StoreError> {
        let mut lack: Option<Lack> = None;
        let mut note = |room: Amount, reason: String| {
            let lack = lack.get_or_insert_with(|| Lack {
                room: Amount::default(),
                reason,
            });
            lack.room.messages = lack.room.messages.max(room.messages);
            lack.room.bytes = lack.room.bytes.max(room.bytes);
        };
        if options.max_messages.is_some() || options.max_bytes.is_some() {
            let held = group.store.held(topic)?;
            if let Some(bound) = options.max_messages
                && held.messages + size.messages > bound
            {
                let messages = held.messages + size.messages - bound;
                note(
                    Amount { messages, bytes: 0 },
                    format!("it holds {} messages of {bound}", held.messages),
                );
            }
            if let Some(bound) = options.max_bytes
                && held.bytes + size.bytes > bound
            {
                let bytes = held.bytes + size.bytes - bound;
                note(
                    Amount { messages: 0, bytes },
                    format!("it holds {} bytes of {bound}", held.bytes),
                );
            }
        }
        if let Some(bound) = self.file_bound() {
            let used = group.store.used_bytes()?;
            if used + size.bytes > bound {
                let bytes = used + size.bytes - bound;
                note(
                    Amount { messages: 0, bytes },
                    format!("the file uses {used} bytes of {bound}"),
                );
            }
        }
        Ok(lack)
    }
}
