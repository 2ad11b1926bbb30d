//! Closures that follow those of `map`.

use crate::operators::{FilterMap, FlatMap, Fold, ForEach, Map};
use crate::operators::{filter_map, flat_map, fold, for_each, map};

impl<F, I, O> Map<F, I, O>
where
    F: FnMut(I) -> O + Send + 'static,
{
    /// Calls `g` with each value that this stage would have emitted and emits the
    /// result. It is one stage with two closures.
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

    /// Calls `g` with each value that this stage would have emitted and emits the
    /// value of each `Some`; see [`map`](Map::map) for an example.
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

    /// Calls `g` with each value that this stage would have emitted and emits all
    /// items that it returns.
    pub fn flat_map<G, P>(self, mut g: G) -> FlatMap<impl FnMut(I) -> P + Send + 'static, I, P>
    where
        G: FnMut(O) -> P + Send + 'static,
        P: IntoIterator,
    {
        let mut f = self.f;
        flat_map(move |event| g(f(event)))
    }

    /// A consumer that calls `g` with each value that this stage would have emitted.
    pub fn for_each<G>(self, mut g: G) -> ForEach<impl FnMut(I) + Send + 'static, I>
    where
        G: FnMut(O) + Send + 'static,
    {
        let mut f = self.f;
        for_each(move |event| g(f(event)))
    }

    /// A consumer that folds the values that this stage would have emitted; see
    /// [`map`](Map::map) for an example.
    pub fn fold<A, G>(self, init: A, mut g: G) -> Fold<A, impl FnMut(A, I) -> A + Send + 'static, I>
    where
        G: FnMut(A, O) -> A + Send + 'static,
    {
        let mut f = self.f;
        fold(init, move |folded, event| g(folded, f(event)))
    }
}
