//! [`WhenFull`]: what happens to an event that a full queue has no room for.

/// What a full queue does with a new event.
///
/// A queue loses nothing silently: events that it drops are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WhenFull {
    /// Drops the oldest events to make room for the new one. The default.
    #[default]
    DropOldest,
    /// Drops the new event.
    DropNewest,
    /// The sender waits until there is room; nothing is dropped.
    Wait,
    /// Ends the connection to the receiver, which has missed an event then.
    Detach,
}
