//! Filling a vector from an iterator.

use crate::batch::fill;

/// Appends what an iterator yields. Whatever its size hint says is believed for
/// speed only.
///
/// `Vec::extend` is as fast for some iterators of the standard library, whose
/// length it trusts. For all others, such as that of a batch, it looks into the
/// vector for room before each event. Here the loop has the room for it in
/// registers, and where it is as long as the iterator the compiler makes
/// vector instructions of the two.
///
/// Not inlined: inside the state machine of an async handler the compiler no
/// longer sees that the loop's state is nobody else's, and keeps it in memory.
#[inline(never)]
pub(crate) fn extend<E>(to: &mut Vec<E>, events: impl Iterator<Item = E>) {
    // Out of the caller's memory, for the same reason.
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
        // From within, an iterator made of others runs as the loops it is made
        // of.
        events.for_each(|event| to.push(event));
    }
}
