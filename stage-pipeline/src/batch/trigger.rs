//! [`Trigger`]: why a batch is complete.

/// Why a batch is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// It has reached its size.
    Size,
    /// Its timeout has passed, counted from its first message.
    Timeout,
    /// A message asked for it with [`Message::set_flush`](crate::Message::set_flush).
    Flush,
    /// Too many messages wait in open batches, and it was the oldest.
    Pressure,
    /// The pipeline drains, or its sources have ended.
    End,
}
