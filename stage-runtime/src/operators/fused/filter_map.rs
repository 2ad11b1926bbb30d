//! Closures that follow those of `filter_map`.

use crate::operators::{FilterMap, Fold, ForEach};
use crate::operators::{filter_map, fold, for_each};

impl<F, I, O> FilterMap<F, I, O>
where
    F: FnMut(I) -> Option<O> + Send + 'static,
{
    /// Calls `g` with each value that this stage would have emitted and emits the
    /// result; see [`Map::map`](crate::operators::Map::map) for an example.
    pub fn map<G, P>(self, mut g: G) -> FilterMap<impl FnMut(I) -> Option<P> + Send + 'static, I, P>
    where
        G: FnMut(O) -> P + Send + 'static,
    {
        let mut f = self.f;
        filter_map(move |event| f(event).map(&mut g))
    }

    /// Calls `g` with each value that this stage would have emitted and emits the
    /// value of each `Some`.
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

    /// A consumer that calls `g` with each value that this stage would have emitted.
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

    /// A consumer that folds the values that this stage would have emitted; see
    /// [`Map::map`](crate::operators::Map::map) for an example.
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
