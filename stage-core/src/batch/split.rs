//! Splitting a batch: small parts move, large ones share the allocation.

use super::Batch;
use super::hand::Hand;
use super::owned::Owned;
use super::repr::Repr;

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
        // The longer part keeps its place, the shorter is moved as a block.
        let mut moved = Vec::new();
        if rest <= count {
            events.move_tail(count, &mut moved);
            return Self::owned(std::mem::replace(events, moved.into()));
        }
        events.move_front(count, &mut moved);
        Self::from(moved)
    }

    /// Splits off what is behind the first `at` events, as a batch of its own. It is
    /// moved into what `buffer` makes, an empty vector, unless that is so much that it
    /// stays where it is, as for [`split_to`](Batch::split_to), or the batch is
    /// shared. Of an `at` beyond the end comes an empty batch.
    ///
    /// To split a batch into many, split it from the back: then each event is moved
    /// once.
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
        // They are in the hands of whoever splits them off.
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

    /// If there are more than `limit` events, cuts off the last of the parts of so
    /// many, by [`split_off_with`](Batch::split_off_with). A `limit` of 0 counts as 1.
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
