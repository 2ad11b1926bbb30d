//! Closures that follow each other, as one stage.
//!
//! What is done to one event after the other needs no hand-over in between.
//! `map(f).filter_map(g).for_each(h)` is one stage, which keeps to all that a
//! stage of one closure keeps to: an event is in hand until the last closure is
//! done with it, and one at which any of them panics is the only one that is
//! lost. For a source there is no need of it: its iterator has these methods.

use super::{FilterMap, FlatMap, Fold, ForEach, Map, filter_map, flat_map, fold, for_each, map};

impl<F, I, O> Map<F, I, O>
where
    F: FnMut(I) -> O + Send + 'static,
{
    /// The same stage, which then emits `g` of what it has made.
    ///
    /// ```
    /// use stage_runtime::operators::{from_iter, map};
    /// use stage_runtime::prelude::*;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), stage_runtime::Error> {
    /// let words = from_iter(["1", "two", "3"]).stage().spawn();
    /// let sum = map(|word: &'static str| word.parse::<i32>())
    ///     .filter_map(Result::ok)
    ///     .map(|n| n * 10)
    ///     .fold(0, |sum, n| sum + n)
    ///     .stage()
    ///     .subscribe_to(&words)
    ///     .spawn();
    /// assert_eq!(sum.output().await?, 40);
    /// # Ok(())
    /// # }
    /// ```
    pub fn map<G, P>(self, mut g: G) -> Map<impl FnMut(I) -> P + Send + 'static, I, P>
    where
        G: FnMut(O) -> P + Send + 'static,
    {
        let mut f = self.f;
        map(move |event| g(f(event)))
    }

    /// The same stage, which then emits what `g` makes of that, where it makes
    /// something; see [`map`](Map::map) for an example.
    pub fn filter_map<G, P>(
        self,
        mut g: G,
    ) -> FilterMap<impl FnMut(I) -> Option<P> + Send + 'static, I, P>
    where
        G: FnMut(O) -> Option<P> + Send + 'static,
    {
        let mut f = self.f;
        filter_map(move |event| g(f(event)))
    }

    /// The same stage, which then emits everything in what `g` makes of that.
    pub fn flat_map<G, P>(self, mut g: G) -> FlatMap<impl FnMut(I) -> P + Send + 'static, I, P>
    where
        G: FnMut(O) -> P + Send + 'static,
        P: IntoIterator,
    {
        let mut f = self.f;
        flat_map(move |event| g(f(event)))
    }

    /// A consumer, which calls `g` with what this stage would have emitted.
    pub fn for_each<G>(self, mut g: G) -> ForEach<impl FnMut(I) + Send + 'static, I>
    where
        G: FnMut(O) + Send + 'static,
    {
        let mut f = self.f;
        for_each(move |event| g(f(event)))
    }

    /// A consumer, which folds what this stage would have emitted; see
    /// [`map`](Map::map) for an example.
    pub fn fold<A, G>(self, init: A, mut g: G) -> Fold<A, impl FnMut(A, I) -> A + Send + 'static, I>
    where
        G: FnMut(A, O) -> A + Send + 'static,
    {
        let mut f = self.f;
        fold(init, move |folded, event| g(folded, f(event)))
    }
}

impl<F, I, O> FilterMap<F, I, O>
where
    F: FnMut(I) -> Option<O> + Send + 'static,
{
    /// The same stage, which then emits `g` of what it has made; see
    /// [`Map::map`] for an example.
    pub fn map<G, P>(self, mut g: G) -> FilterMap<impl FnMut(I) -> Option<P> + Send + 'static, I, P>
    where
        G: FnMut(O) -> P + Send + 'static,
    {
        let mut f = self.f;
        filter_map(move |event| f(event).map(&mut g))
    }

    /// The same stage, which then emits what `g` makes of that, where it makes
    /// something.
    pub fn filter_map<G, P>(
        self,
        mut g: G,
    ) -> FilterMap<impl FnMut(I) -> Option<P> + Send + 'static, I, P>
    where
        G: FnMut(O) -> Option<P> + Send + 'static,
    {
        let mut f = self.f;
        filter_map(move |event| f(event).and_then(&mut g))
    }

    /// A consumer, which calls `g` with what this stage would have emitted.
    pub fn for_each<G>(self, mut g: G) -> ForEach<impl FnMut(I) + Send + 'static, I>
    where
        G: FnMut(O) + Send + 'static,
    {
        let mut f = self.f;
        for_each(move |event| {
            if let Some(event) = f(event) {
                g(event);
            }
        })
    }

    /// A consumer, which folds what this stage would have emitted; see
    /// [`Map::map`] for an example.
    pub fn fold<A, G>(self, init: A, mut g: G) -> Fold<A, impl FnMut(A, I) -> A + Send + 'static, I>
    where
        G: FnMut(A, O) -> A + Send + 'static,
    {
        let mut f = self.f;
        fold(init, move |folded, event| match f(event) {
            Some(event) => g(folded, event),
            None => folded,
        })
    }
}
