//! Splits batches: small parts are moved, large parts share the allocation.

use super::Batch;
use super::hand::Hand;
use super::owned::Owned;
use super::repr::Repr;

/// The maximum size of events, in bytes, that are moved when a batch is split.
/// Larger parts share the allocation instead. Sharing allocates an `Arc`, and
/// the buffer can be reused only once all parts are done with.
const MOVED: usize = 16 * 1024;

/// A part that is smaller than one `PARTS`th of an allocation does not share
/// it, so as not to keep all of it from being freed.
const PARTS: usize = 16;

/// Returns `true` if `count` of `events` share the allocation when they are
/// split off, instead of being moved.
#[inline]
fn stays<E>(events: &Owned<E>, count: usize) -> bool {
    let many = events.is_part() || count.saturating_mul(size_of::<E>()) > MOVED;
    many && count >= events.capacity() / PARTS
}

impl<E> Batch<E> {
    /// Splits off the first `count` events as a batch of their own and keeps
    /// the rest. A `count` beyond the end moves all events. The cost depends on
    /// the part split off only, not on the length of the rest.
    ///
    /// If both parts exceed 16 KiB, no event is moved: both stay in one
    /// allocation, which is [recycled](Batch::recycle) with the last of them. A
    /// part that is smaller than a sixteenth of the allocation is moved
    /// nevertheless, so as not to keep all of it alive.
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
            let all = std::mem::take(self);
            self.hand = Hand::took(all.len());
            all
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
        // The longer part stays in place; the shorter is moved as one block.
        let mut moved = Vec::new();
        if rest <= count {
            events.move_tail(count, &mut moved);
            return Self::owned(std::mem::replace(events, moved.into()));
        }
        events.move_front(count, &mut moved);
        Self::from(moved)
    }

    /// Splits off the events behind the first `at`, as a batch of their own. An
    /// `at` beyond the end returns an empty batch.
    ///
    /// The events are moved into the empty vector that `buffer` returns, unless
    /// the batch is shared or the part is large enough to share the allocation,
    /// as in [`split_to`](Batch::split_to).
    ///
    /// To split a batch into many parts, split it from the back: then each
    /// event is moved once.
    ///
    /// ```
    /// # use stage_core::Batch;
    /// let mut batch = Batch::from(vec![1, 2, 3]);
    /// let back = batch.split_off_with(2, Vec::new);
    /// assert_eq!((&batch[..], &back[..]), (&[1, 2][..], &[3][..]));
    /// ```
    #[must_use = "the events split off are no longer in the batch"]
    #[inline]
    pub fn split_off_with(&mut self, at: usize, buffer: impl FnOnce() -> Vec<E>) -> Self {
        if at >= self.len() {
            return Self::new();
        }
        // The caller, who splits them off, has them in hand.
        self.hand = Hand::took(self.len() - at);
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

    /// Splits off the last part of at most `limit` events, counted in parts of
    /// `limit` from the front; `None` if there are at most `limit` events. A
    /// `limit` of 0 counts as 1. Splits by
    /// [`split_off_with`](Batch::split_off_with).
    ///
    /// ```
    /// # use stage_core::Batch;
    /// let mut batch = Batch::from(vec![1, 2, 3, 4, 5]);
    /// let mut parts = Vec::new();
    /// while let Some(part) = batch.cut(2, Vec::new) {
    ///     parts.push(part.into_vec());
    /// }
    /// assert_eq!(parts, [vec![5], vec![3, 4]]);
    /// assert_eq!(batch[..], [1, 2]);
    /// ```
    #[doc(hidden)]
    #[inline]
    pub fn cut(&mut self, limit: usize, buffer: impl FnOnce() -> Vec<E>) -> Option<Self> {
        let (len, limit) = (self.len(), limit.max(1));
        (len > limit).then(|| self.split_off_with((len - 1) / limit * limit, buffer))
    }
}
