//! [`Batch`]: a run of events that travel together over a link.
//!
//! A batch is *unique* (it owns its events) or *shared* (several subscribers
//! read the same events). Handlers borrow a batch and take events out of it.
//! Events that a handler did not take stay in the batch, so that a stage that
//! fails half-way loses nothing.

mod drain;
mod hand;
mod owned;
mod repr;
mod shared;
mod split;

use std::fmt;
use std::ops::Deref;

use hand::Hand;
use owned::Owned;
use repr::Repr;

pub use drain::Drain;
pub use hand::Interrupted;
pub(crate) use owned::fill;
pub use shared::SharedBatch;

/// A run of events, in the order in which they were emitted.
///
/// A handler gets `&mut Batch<E>`, which is both a slice of the events left and
/// a draining iterator over them:
///
/// - `for event in events` *takes* one event after another. Leaving the loop
///   early, by `break`, `?` or a panic, leaves the rest in the batch.
/// - [`pop_front`](Batch::pop_front) takes one event; use it in a loop that
///   awaits between events.
/// - [`peek`](Batch::peek) returns the first event without taking it, and
///   [`advance`](Batch::advance) then marks it as handled. If the handler fails
///   in between, the event is still in the batch.
///
/// An event that was taken is *in hand* until the handler takes the next one.
/// When a handler fails, the events it took before that count as handled; see
/// [`Interrupted`].
///
/// Taking an event from a *shared* batch clones it; reading one never does.
///
/// ```
/// use stage_core::Batch;
///
/// let mut batch = Batch::from(vec![1, 2, 3, 4]);
/// assert_eq!(batch.pop_front(), Some(1));
/// assert_eq!(&batch[..], [2, 3, 4]);
///
/// for event in &mut batch {
///     if event == 3 {
///         break;
///     }
/// }
/// assert_eq!(&batch[..], [4]);
/// ```
pub struct Batch<E> {
    repr: Repr<E>,
    hand: Hand,
}

impl<E> Batch<E> {
    /// Returns an empty batch; does not allocate.
    #[must_use]
    #[inline]
    pub const fn new() -> Self {
        Self::owned(Owned::new())
    }

    #[inline]
    const fn owned(events: Owned<E>) -> Self {
        Self {
            repr: Repr::Owned(events),
            hand: Hand::UNTOUCHED,
        }
    }

    /// Returns the number of events left in the batch.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        match &self.repr {
            Repr::Owned(events) => events.len(),
            Repr::Shared(shared) => shared.len(),
        }
    }

    /// Returns `true` if no event is left.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns `true` if the batch is shared with other subscribers, so that
    /// taking an event clones it.
    #[must_use]
    #[inline]
    pub const fn is_shared(&self) -> bool {
        matches!(self.repr, Repr::Shared(_))
    }

    /// Returns the events left, without taking any.
    #[must_use]
    #[inline]
    pub fn as_slice(&self) -> &[E] {
        self.repr.as_slice()
    }

    /// Takes the first event, which is then in hand.
    ///
    /// ```
    /// # use stage_core::Batch;
    /// let mut batch = Batch::from(vec!["a", "b"]);
    /// assert_eq!(batch.pop_front(), Some("a"));
    /// assert_eq!(batch.pop_front(), Some("b"));
    /// assert_eq!(batch.pop_front(), None);
    /// ```
    #[inline]
    pub fn pop_front(&mut self) -> Option<E> {
        let event = match &mut self.repr {
            Repr::Owned(events) => events.pop_front(),
            Repr::Shared(shared) => shared.pop_front(),
        };
        self.hand = Hand::took(usize::from(event.is_some()));
        event
    }

    /// Returns the first event without taking it, so that it can be handled in
    /// place.
    ///
    /// The event counts as in hand from this call until it is taken by
    /// [`advance`](Batch::advance) or [`pop_front`](Batch::pop_front). If the
    /// handler fails in between, the event is still in the batch, and the stage
    /// knows that the handler was working on it ([`Interrupted::held`]). Events
    /// taken before the call count as handled.
    ///
    /// ```
    /// # use stage_core::Batch;
    /// let mut batch = Batch::from(vec!["a", "b"]);
    /// while let Some(event) = batch.peek() {
    ///     println!("{event}");
    ///     batch.advance(1);
    /// }
    /// ```
    #[inline]
    pub fn peek(&mut self) -> Option<&E> {
        let first = self.repr.as_slice().first();
        self.hand = if first.is_none() {
            Hand::took(0)
        } else {
            Hand::HOLDS
        };
        first
    }

    /// Takes the first `count` events and drops them; they count as handled. A
    /// handler that reads events by reference calls this after each. A `count`
    /// beyond the end takes all events.
    ///
    /// ```
    /// # use stage_core::Batch;
    /// let mut batch = Batch::from(vec![1, 2, 3]);
    /// batch.advance(2);
    /// assert_eq!(&batch[..], [3]);
    /// ```
    #[inline]
    pub fn advance(&mut self, count: usize) {
        self.hand = Hand::took(0);
        match &mut self.repr {
            Repr::Owned(events) => events.drop_front(count),
            Repr::Shared(shared) => shared.advance(count),
        }
    }

    /// Moves the events of `other` behind those of this batch, if both batches
    /// are unique, and returns the emptied buffer of `other`.
    ///
    /// # Errors
    ///
    /// Returns `other` when either batch is shared.
    pub fn append(&mut self, mut other: Self) -> Result<Vec<E>, Self> {
        let (Repr::Owned(events), Repr::Owned(more)) = (&mut self.repr, &mut other.repr) else {
            return Err(other);
        };
        let mut all = events.take_vec();
        more.move_front(more.len(), &mut all);
        events.swap(&mut all);
        Ok(more.take_buffer().unwrap_or_default())
    }

    /// Returns the events as a vector: moved out of a unique batch, cloned from
    /// a shared one.
    #[must_use]
    pub fn into_vec(self) -> Vec<E> {
        match self.repr {
            Repr::Owned(mut events) => events.take_vec(),
            Repr::Shared(shared) => shared.to_vec(),
        }
    }

    /// Drops the events and returns their allocation, empty and ready for
    /// reuse. Returns `None` if other batches still use the allocation, because
    /// it is shared or was split.
    #[must_use]
    #[inline]
    pub fn recycle(self) -> Option<Vec<E>> {
        match self.repr {
            Repr::Owned(mut events) => events.take_buffer(),
            Repr::Shared(shared) => {
                let mut buffer = shared.into_unique()?;
                buffer.clear();
                Some(buffer)
            }
        }
    }

    /// Returns how many of the `of` events that this batch had before a handler
    /// failed were handled and how many were in hand.
    ///
    /// ```
    /// # use stage_core::Batch;
    /// let mut batch = Batch::from(vec![1, 2, 3, 4]);
    /// batch.pop_front();
    /// batch.pop_front(); // so 1 has been handled
    /// let interrupted = batch.interrupted(4);
    /// assert_eq!((interrupted.handled, interrupted.moved), (1, 1));
    /// assert_eq!(&batch[..], [3, 4]);
    /// ```
    #[doc(hidden)]
    #[must_use]
    pub fn interrupted(&self, of: usize) -> Interrupted {
        self.hand.interrupted(of.saturating_sub(self.len()))
    }

    /// Resets the record of taken events. Called before a batch is passed to a
    /// handler.
    #[doc(hidden)]
    #[inline]
    pub const fn untouched(&mut self) {
        self.hand = Hand::UNTOUCHED;
    }

    /// Returns an iterator that takes the events one by one.
    ///
    /// Iterating over `&mut batch` does the same; see [`Drain`].
    #[inline]
    pub fn drain(&mut self) -> Drain<'_, E> {
        Drain::new(self.repr.make_owned().taking(), &mut self.hand)
    }

    /// Returns the events left, to be changed in place. The events of a shared
    /// batch are cloned first (copy on write).
    ///
    /// ```
    /// # use stage_core::Batch;
    /// let mut batch = Batch::from(vec![1, 2, 3]);
    /// for event in batch.as_mut_slice() {
    ///     *event *= 10;
    /// }
    /// assert_eq!(&batch[..], [10, 20, 30]);
    /// ```
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [E] {
        self.repr.make_owned().as_mut_slice()
    }

    /// Moves all events behind those in `to`; they count as handled.
    ///
    /// If `to` is empty, the two exchange their buffers and no event is moved,
    /// unless other batches use the buffer of this one. The events of a shared
    /// batch are cloned.
    ///
    /// ```
    /// # use stage_core::Batch;
    /// let mut batch = Batch::from(vec![2, 3]);
    /// let mut to = vec![1];
    /// batch.move_into(&mut to);
    /// assert_eq!(to, [1, 2, 3]);
    /// assert!(batch.is_empty());
    /// ```
    #[inline]
    pub fn move_into(&mut self, to: &mut Vec<E>) {
        let events = self.repr.make_owned();
        if to.is_empty() && !events.is_part() {
            events.swap(to);
        } else {
            events.move_front(events.len(), to);
        }
        self.hand = Hand::took(0);
    }
}

impl<E> Default for Batch<E> {
    #[inline]
    fn default() -> Self {
        Self::new()
    }
}

impl<E> From<Vec<E>> for Batch<E> {
    #[inline]
    fn from(events: Vec<E>) -> Self {
        Self::owned(events.into())
    }
}

impl<E> From<SharedBatch<E>> for Batch<E> {
    fn from(shared: SharedBatch<E>) -> Self {
        Self {
            repr: Repr::Shared(shared),
            hand: Hand::UNTOUCHED,
        }
    }
}

impl<E> FromIterator<E> for Batch<E> {
    fn from_iter<T: IntoIterator<Item = E>>(events: T) -> Self {
        Self::from(Vec::from_iter(events))
    }
}

impl<E> Deref for Batch<E> {
    type Target = [E];

    #[inline]
    fn deref(&self) -> &[E] {
        self.as_slice()
    }
}

impl<'a, E> IntoIterator for &'a mut Batch<E> {
    type Item = E;
    type IntoIter = Drain<'a, E>;

    #[inline]
    fn into_iter(self) -> Drain<'a, E> {
        self.drain()
    }
}

impl<E> IntoIterator for Batch<E> {
    type Item = E;
    type IntoIter = std::vec::IntoIter<E>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_vec().into_iter()
    }
}

impl<E: fmt::Debug> fmt::Debug for Batch<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}
