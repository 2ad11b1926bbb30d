//! A producer-consumer out of a closure that changes events where they are.

use std::fmt;
use std::marker::PhantomData;

use stage_core::{Batch, Emitter, ProducerConsumer, StageResult};

/// Changes every event and passes it on; made by [`map_in_place`].
pub struct MapInPlace<F, E> {
    f: F,
    events: PhantomData<fn(E) -> E>,
}

/// A producer-consumer that changes every event where it is and passes it on.
///
/// The batch that came in goes out again: nothing is copied, and no second
/// buffer is filled. Where the event keeps its type this is the fastest way to
/// [`map`](super::map) it. Only a batch that other subscribers of a
/// [`Broadcast`](stage_dispatchers::Broadcast) read as well is cloned first.
///
/// An event on which `f` panics stays where it is, perhaps half changed: it is
/// given to the dead-letter hook or handed back as it is. The ones before it
/// have been passed on.
///
/// ```
/// use stage_runtime::operators::{fold, from_iter, map_in_place};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let numbers = from_iter(1..=3u64).stage().spawn();
/// let doubled = map_in_place(|n: &mut u64| *n *= 2).stage().subscribe_to(&numbers).spawn();
/// let sum = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(&doubled).spawn();
/// assert_eq!(sum.output().await?, 12);
/// # Ok(())
/// # }
/// ```
pub fn map_in_place<F, E>(f: F) -> MapInPlace<F, E>
where
    F: FnMut(&mut E) + Send + 'static,
{
    MapInPlace {
        f,
        events: PhantomData,
    }
}

impl<F, E> ProducerConsumer for MapInPlace<F, E>
where
    F: FnMut(&mut E) + Send + 'static,
    E: Send + 'static,
{
    type In = E;
    type Out = E;

    async fn handle_events(
        &mut self,
        events: &mut Batch<E>,
        out: &mut Emitter<'_, E>,
    ) -> StageResult {
        change_all(events, &mut self.f, out.as_mut_vec());
        Ok(())
    }
}

/// Not inlined: inside the state machine of an async handler the compiler no
/// longer sees that the loop's state is nobody else's, and keeps it in memory.
#[inline(never)]
fn change_all<E>(events: &mut Batch<E>, f: impl FnMut(&mut E), emitted: &mut Vec<E>) {
    let mut changed = Changed {
        events,
        emitted,
        count: 0,
    };
    changed.change(f);
}

/// Emits what was changed when it is dropped, also by a panic half-way.
struct Changed<'a, E> {
    events: &'a mut Batch<E>,
    emitted: &'a mut Vec<E>,
    count: usize,
}

impl<E> Changed<'_, E> {
    fn change(&mut self, mut f: impl FnMut(&mut E)) {
        for event in self.events.as_mut_slice() {
            f(event);
            self.count += 1;
        }
    }
}

impl<E> Drop for Changed<'_, E> {
    fn drop(&mut self) {
        if self.count == self.events.len() {
            self.events.move_into(self.emitted);
        } else {
            self.emitted.extend(self.events.drain().take(self.count));
            self.events.peek();
        }
    }
}

impl<F, E> fmt::Debug for MapInPlace<F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MapInPlace")
    }
}
