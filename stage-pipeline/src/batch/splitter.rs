//! [`Splitter`]: decides when a batch is full.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Where a batch is split, seen from one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// The item is added, and the batch stays open.
    Continue,
    /// The item is added, and the batch is full.
    After,
    /// The batch is full without the item, which begins the next one. For the first
    /// item of a batch it means that the item makes a batch of its own.
    Before,
}

/// When a batch is full: after a number of items, before a number of bytes is
/// passed, or by a function.
///
/// It is the batch size of a batcher. A batch is never empty, and an item that
/// passes the limit alone makes a batch of its own.
///
/// ```
/// use stage_pipeline::batch::{Split, Splitter};
///
/// let splitter = Splitter::bytes(10, |text: &&str| text.len())?;
/// let mut batch = splitter.begin();
/// assert_eq!(splitter.split(&mut batch, &"12345"), Split::Continue);
/// assert_eq!(splitter.split(&mut batch, &"123456"), Split::Before);
/// # Ok::<(), stage_pipeline::batch::BatchLimitError>(())
/// ```
pub struct Splitter<T> {
    /// The most items of a batch, whatever else decides.
    count: usize,
    by: By<T>,
}

enum By<T> {
    Count,
    Bytes {
        limit: usize,
        weigh: Arc<dyn Fn(&T) -> usize + Send + Sync>,
    },
    Function {
        begin: Arc<dyn Fn() -> Box<SplitFn<T>> + Send + Sync>,
    },
}

type SplitFn<T> = dyn FnMut(&T) -> Split + Send;

/// What a [`Splitter`] knows of one open batch.
pub struct SplitState<T> {
    count: usize,
    by: StateBy<T>,
}

enum StateBy<T> {
    Count,
    Bytes(usize),
    Function(Box<SplitFn<T>>),
}

impl<T> Splitter<T> {
    /// Returns a splitter that fills a batch with `count` items.
    ///
    /// # Errors
    ///
    /// [`BatchLimitError::Count`] if `count` is 0.
    pub const fn count(count: usize) -> Result<Self, BatchLimitError> {
        if count == 0 {
            return Err(BatchLimitError::Count);
        }
        Ok(Self {
            count,
            by: By::Count,
        })
    }

    /// Returns a splitter that keeps a batch within `limit` bytes: it splits before
    /// the item that would pass the limit. `weigh` returns the weight of an item in
    /// bytes, and is called once for an item, or twice for one that begins a batch
    /// because it did not fit into the last.
    ///
    /// Items without weight fill no batch; bound their number with
    /// [`at_most`](Self::at_most).
    ///
    /// # Errors
    ///
    /// [`BatchLimitError::Bytes`] if `limit` is 0.
    pub fn bytes(
        limit: usize,
        weigh: impl Fn(&T) -> usize + Send + Sync + 'static,
    ) -> Result<Self, BatchLimitError> {
        if limit == 0 {
            return Err(BatchLimitError::Bytes);
        }
        let weigh = Arc::new(weigh);
        Ok(Self {
            count: usize::MAX,
            by: By::Bytes { limit, weigh },
        })
    }

    /// Returns a splitter by a function with an accumulator. Each batch begins with
    /// a clone of `init`. After [`Split::Before`] the function is called a second
    /// time for the same item, with the accumulator of the next batch.
    ///
    /// ```
    /// use stage_pipeline::batch::{Split, Splitter};
    ///
    /// // At most one order above 1000 in a batch.
    /// let splitter = Splitter::custom(0, |large: &mut u32, amount: &u64| {
    ///     *large += u32::from(*amount > 1000);
    ///     if *large > 1 { Split::Before } else { Split::Continue }
    /// });
    /// let mut batch = splitter.begin();
    /// assert_eq!(splitter.split(&mut batch, &2000), Split::Continue);
    /// assert_eq!(splitter.split(&mut batch, &5), Split::Continue);
    /// assert_eq!(splitter.split(&mut batch, &3000), Split::Before);
    /// ```
    pub fn custom<A, F>(init: A, split: F) -> Self
    where
        A: Clone + Send + Sync + 'static,
        F: Fn(&mut A, &T) -> Split + Send + Sync + 'static,
        T: 'static,
    {
        let split = Arc::new(split);
        let begin = move || {
            let (mut acc, split) = (init.clone(), Arc::clone(&split));
            Box::new(move |item: &T| split(&mut acc, item)) as Box<SplitFn<T>>
        };
        Self {
            count: usize::MAX,
            by: By::Function {
                begin: Arc::new(begin),
            },
        }
    }

    /// Fills a batch with at most `count` items, whatever else decides.
    ///
    /// # Errors
    ///
    /// [`BatchLimitError::Count`] if `count` is 0.
    pub fn at_most(mut self, count: usize) -> Result<Self, BatchLimitError> {
        if count == 0 {
            return Err(BatchLimitError::Count);
        }
        self.count = self.count.min(count);
        Ok(self)
    }

    /// Returns the most items of a batch; `None` if their number is not limited.
    #[must_use]
    pub fn max_count(&self) -> Option<usize> {
        (self.count < usize::MAX).then_some(self.count)
    }

    /// Returns the state of a new batch. Only a function makes it allocate.
    #[must_use]
    pub fn begin(&self) -> SplitState<T> {
        let by = match &self.by {
            By::Count => StateBy::Count,
            By::Bytes { .. } => StateBy::Bytes(0),
            By::Function { begin } => StateBy::Function(begin()),
        };
        SplitState { count: 0, by }
    }

    /// Returns where the batch of `state` is split, seen from its next item. After
    /// [`Split::Before`] and [`Split::After`] the state is of no more use.
    pub fn split(&self, state: &mut SplitState<T>, item: &T) -> Split {
        let split = match (&self.by, &mut state.by) {
            (By::Bytes { limit, weigh }, StateBy::Bytes(bytes)) => {
                *bytes = bytes.saturating_add(weigh(item));
                match (*bytes).cmp(limit) {
                    std::cmp::Ordering::Less => Split::Continue,
                    std::cmp::Ordering::Equal => Split::After,
                    std::cmp::Ordering::Greater => Split::Before,
                }
            }
            (_, StateBy::Function(split)) => split(item),
            _ => Split::Continue,
        };
        if split == Split::Continue {
            state.count += 1;
            if state.count >= self.count {
                return Split::After;
            }
        }
        split
    }
}

impl<T> Clone for Splitter<T> {
    fn clone(&self) -> Self {
        let by = match &self.by {
            By::Count => By::Count,
            By::Bytes { limit, weigh } => By::Bytes {
                limit: *limit,
                weigh: Arc::clone(weigh),
            },
            By::Function { begin } => By::Function {
                begin: Arc::clone(begin),
            },
        };
        Self {
            count: self.count,
            by,
        }
    }
}

impl<T> fmt::Debug for Splitter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut splitter = f.debug_struct("Splitter");
        if let By::Bytes { limit, .. } = &self.by {
            splitter.field("bytes", limit);
        }
        splitter.field("count", &self.max_count());
        splitter.finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for SplitState<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut state = f.debug_struct("SplitState");
        if let StateBy::Bytes(bytes) = &self.by {
            state.field("bytes", bytes);
        }
        state.field("count", &self.count).finish_non_exhaustive()
    }
}

/// A setting of a batcher that is out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchLimitError {
    /// A batch without items would never be full.
    #[error("the batch size is 0, but must be 1 or more: use 1 for batches of one message")]
    Count,
    /// A batch of no bytes has room for nothing.
    #[error(
        "the batch size is 0 bytes, but must be 1 or more: give the most bytes that the \
         batch handler takes at once"
    )]
    Bytes,
    /// A batch without time would never hold two messages.
    #[error(
        "the batch timeout is {timeout:?}, but must be more than 0: use a batch size of 1 \
         to handle messages at once"
    )]
    Timeout {
        /// The timeout.
        timeout: Duration,
    },
    /// No message could be held.
    #[error(
        "max_open is 0, but must be 1 or more: give the most messages that all open \
         batches hold together"
    )]
    MaxOpen,
}
