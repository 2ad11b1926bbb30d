//! Appends an iterator's events to a vector; a faster [`Vec::extend`].

use crate::batch::fill;

/// Appends the events of an iterator. A wrong size hint costs time, never
/// correctness.
///
/// `Vec::extend` is as fast only for iterators of the standard library whose
/// length it trusts. For all others, such as a batch's, it checks the capacity
/// before each event. This loop keeps the free room in a register, and the
/// compiler vectorises it if the room equals the iterator's length.
///
/// Not inlined: inside the state machine of an async handler the compiler
/// cannot prove that the loop's state is unaliased, and keeps it in memory.
#[inline(never)]
pub(crate) fn extend<E>(to: &mut Vec<E>, events: impl Iterator<Item = E>) {
    // Moves the iterator out of the caller's memory, for the same reason.
    let mut events = events.into_iter();
    let (least, most) = events.size_hint();
    to.reserve(least);
    let room = if most == Some(least) {
        least
    } else {
        to.capacity() - to.len()
    };
    if let Some(event) = fill(to, room, &mut events) {
        to.push(event);
        // Internal iteration runs a composed iterator as the loops of its
        // parts.
        events.for_each(|event| to.push(event));
    }
}
