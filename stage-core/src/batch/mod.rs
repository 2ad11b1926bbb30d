//! [`Batch`]: the events that travel together over a link.
//!
//! A batch is *unique* (it owns its events) or *shared* (several subscribers
//! read the same events). Handlers borrow a batch and take events out of it;
//! what they did not take stays in the batch, which is how a stage that fails
//! half-way loses nothing.

mod drain;
mod hand;
mod owned;
mod repr;
mod shared;

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
/// A handler gets `&mut Batch<E>`, which is a slice of the events that are
/// left and a draining iterator over them:
///
/// - `for event in events` *takes* event after event. Leaving the loop early,
///   by `break`, `?` or a panic, leaves the rest in the batch.
/// - [`pop_front`](Batch::pop_front) takes one event; use it in a loop that
///   awaits between events.
/// - [`hold`](Batch::hold) shows the first event without taking it, and
///   [`advance`](Batch::advance) then marks it as handled: a handler that fails
///   in between still has it in its batch.
///
/// An event that was taken is *in hand* until the next one is; a handler that
/// fails has handled the ones before. See [`interrupted`](Batch::interrupted).
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

/// The most bytes of events that are moved when a batch is split. To share the
/// allocation instead takes one more, of three words, and the buffer comes back
/// only when all parts have been dealt with.
const MOVED: usize = 16 * 1024;

/// The least part of an allocation that may keep all of it from being freed is one
/// of so many.
const PARTS: usize = 16;

/// Whether `count` of `events` stay in their allocation when they are split off.
#[inline]
fn stays<E>(events: &Owned<E>, count: usize) -> bool {
    let many = events.is_part() || count.saturating_mul(size_of::<E>()) > MOVED;
    many && count >= events.capacity() / PARTS
}

impl<E> Batch<E> {
    /// An empty batch; allocates nothing.
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

    /// The number of events left in the batch.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        match &self.repr {
            Repr::Owned(events) => events.len(),
            Repr::Shared(shared) => shared.len(),
        }
    }

    /// Whether no event is left.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether other subscribers read the same events, so that taking one
    /// clones it.
    #[must_use]
    #[inline]
    pub const fn is_shared(&self) -> bool {
        matches!(self.repr, Repr::Shared(_))
    }

    /// The events left, without taking any.
    #[must_use]
    #[inline]
    pub fn as_slice(&self) -> &[E] {
        self.repr.as_slice()
    }

    /// Takes the first event.
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

    /// Shows the first event, to be handled where it is: a handler that fails
    /// before it calls [`advance`](Batch::advance) leaves the event in the
    /// batch, and the stage knows that it was the one in hand.
    ///
    /// ```
    /// # use stage_core::Batch;
    /// let mut batch = Batch::from(vec!["a", "b"]);
    /// while let Some(event) = batch.hold() {
    ///     println!("{event}");
    ///     batch.advance(1);
    /// }
    /// ```
    #[inline]
    pub fn hold(&mut self) -> Option<&E> {
        let first = self.repr.as_slice().first();
        self.hand = if first.is_none() {
            Hand::took(0)
        } else {
            Hand::HOLDS
        };
        first
    }

    /// Takes the first `count` events and drops them: what a handler that read
    /// them by reference calls when it has dealt with them. A `count` beyond
    /// the end takes all.
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

    /// Splits off the first `count` events as a batch of their own and keeps
    /// the rest. A `count` beyond the end moves everything. Costs no more than
    /// the part split off, however long the rest is.
    ///
    /// Of two parts of more than 16 KiB nothing is moved: they stay in the one
    /// allocation, which lasts as long as either and is
    /// [recycled](Batch::recycle) with the last. A part of less than a sixteenth
    /// of it is moved out, so as not to keep all of it.
    ///
    /// ```
    /// # use stage_core::Batch;
    /// let mut batch = Batch::from(vec![1, 2, 3]);
    /// let first = batch.split_to(2);
    /// assert_eq!((&first[..], &batch[..]), (&[1, 2][..], &[3][..]));
    /// ```
    #[must_use = "the events split off are no longer in the batch"]
    #[inline]
    pub fn split_to(&mut self, count: usize) -> Self {
        if count >= self.len() {
            std::mem::take(self)
        } else {
            self.split_off_front(count)
        }
    }

    fn split_off_front(&mut self, count: usize) -> Self {
        self.hand = Hand::took(count);
        let events = match &mut self.repr {
            Repr::Owned(events) => events,
            Repr::Shared(shared) => return Self::from(shared.split_to(count)),
        };
        let rest = events.len() - count;
        if stays(events, count.min(rest)) {
            let back = events.split_off(count);
            return Self::owned(std::mem::replace(events, back));
        }
        // The longer part keeps its place, the shorter is moved as a block.
        let mut moved = Vec::new();
        if rest <= count {
            events.move_tail(count, &mut moved);
            return Self::owned(std::mem::replace(events, moved.into()));
        }
        events.move_front(count, &mut moved);
        Self::from(moved)
    }

    /// The first `at` events, and those behind them. The latter are moved into
    /// what `buffer` makes, an empty vector, unless they are so many that they stay
    /// where they are, as for [`split_to`](Batch::split_to), or the batch is
    /// shared. An `at` beyond the end leaves nothing for the second.
    ///
    /// To cut a batch into many, cut it from the back: then each event is moved
    /// once.
    ///
    /// ```
    /// # use stage_core::Batch;
    /// let batch = Batch::from(vec![1, 2, 3]);
    /// let (front, back) = batch.split_at(2, Vec::new);
    /// assert_eq!((&front[..], &back[..]), (&[1, 2][..], &[3][..]));
    /// ```
    #[must_use]
    #[inline]
    pub fn split_at(mut self, at: usize, buffer: impl FnOnce() -> Vec<E>) -> (Self, Self) {
        let back = if at < self.len() {
            self.split_off(at, buffer)
        } else {
            Self::new()
        };
        (self, back)
    }

    /// What is behind the first `at` events, of which there are as many.
    fn split_off(&mut self, at: usize, buffer: impl FnOnce() -> Vec<E>) -> Self {
        match &mut self.repr {
            Repr::Owned(events) if stays(events, events.len() - at) => {
                Self::owned(events.split_off(at))
            }
            Repr::Owned(events) => {
                let mut back = buffer();
                events.move_tail(at, &mut back);
                Self::from(back)
            }
            Repr::Shared(shared) => {
                let front = shared.split_to(at);
                Self::from(std::mem::replace(shared, front))
            }
        }
    }

    /// Cuts off whatever is behind the first `limit` events, in parts of at most
    /// as many. `part` gets the last part first; each is moved into what `buffer`
    /// makes, as by [`split_at`](Batch::split_at), and so each event is moved once.
    /// A `limit` of 0 counts as 1.
    ///
    /// ```
    /// # use stage_core::Batch;
    /// let mut parts = Vec::new();
    /// let first = Batch::from(vec![1, 2, 3, 4, 5]).cut(2, Vec::new, |part| parts.push(part));
    /// assert_eq!(first[..], [1, 2]);
    /// assert_eq!((&parts[0][..], &parts[1][..]), (&[5][..], &[3, 4][..]));
    /// ```
    #[must_use]
    pub fn cut(
        mut self,
        limit: usize,
        mut buffer: impl FnMut() -> Vec<E>,
        mut part: impl FnMut(Self),
    ) -> Self {
        let limit = limit.max(1);
        while self.len() > limit {
            let at = (self.len() - 1) / limit * limit;
            part(self.split_off(at, &mut buffer));
        }
        self
    }

    /// Moves the events of `other` behind those of this batch, if both own
    /// their events, and returns the emptied buffer of `other`.
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

    /// The events as a vector: moved out of a unique batch, cloned out of a
    /// shared one.
    #[must_use]
    pub fn into_vec(self) -> Vec<E> {
        match self.repr {
            Repr::Owned(mut events) => events.take_vec(),
            Repr::Shared(shared) => shared.to_vec(),
        }
    }

    /// Drops the events and hands out the allocation that held them, empty and
    /// ready to be filled again. `None` when others still share it, or parts that
    /// were split off are still in it.
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

    /// How a handler left this batch, which had `of` events when the handler
    /// got it, if the handler failed just now.
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
    #[must_use]
    pub fn interrupted(&self, of: usize) -> Interrupted {
        self.hand.interrupted(of.saturating_sub(self.len()))
    }

    /// Forgets what was taken so far: what comes next is another handler's
    /// doing. For whoever hands a batch to a handler.
    #[inline]
    pub const fn untouched(&mut self) {
        self.hand = Hand::UNTOUCHED;
    }

    /// Takes every event, one after the other.
    ///
    /// The same as iterating over `&mut batch`; see [`Drain`].
    #[inline]
    pub fn drain(&mut self) -> Drain<'_, E> {
        Drain::new(self.repr.make_owned().taking(), &mut self.hand)
    }

    /// The events left, to be changed where they are. Those of a shared batch
    /// are cloned first.
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

    /// Moves all events behind those in `to`, and counts them as handled. If
    /// there are none in `to`, nothing is copied: the two trade their buffers,
    /// unless other batches are in that of this one. Those of a shared batch are
    /// cloned.
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
