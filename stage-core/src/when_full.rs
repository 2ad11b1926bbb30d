//! [`WhenFull`]: what happens to an event that a full queue has no room for.

/// What a full queue does with a new event.
///
/// A queue drops nothing silently: events that it drops are counted, and a shed
/// hook gets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WhenFull {
    /// The event waits until there is room. A sender that cannot wait gets it
    /// back.
    Wait,
    /// Drops the oldest events to make room for the new one.
    DropOldest,
    /// Drops the new event.
    DropNewest,
    /// Ends the connection to the receiver, which is too slow. What is queued is
    /// dropped.
    Detach,
}
