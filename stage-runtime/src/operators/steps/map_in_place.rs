//! Events that are changed where they are.

use std::marker::PhantomData;

use stage_core::{Batch, Emitter, ProducerConsumer, StageResult};

use crate::operators::debug::debug_as_name;

/// Changes every event and passes it on; made by [`map_in_place`].
pub struct MapInPlace<F, E> {
    f: F,
    events: PhantomData<fn(E) -> E>,
}

/// A producer-consumer that calls `f` with every event, to change it where it is,
/// and passes it on.
///
/// The batch that came in goes out again: nothing is copied, and no second buffer
/// is filled. For events that keep their type this is the fastest way to
/// [`map`](super::map) them. A batch that other subscribers of a
/// [`Broadcast`](stage_dispatchers::Broadcast) read too is cloned first.
///
/// # Panics
///
/// A panic of `f` fails the stage. The event that `f` was called with stays where
/// it is, perhaps half changed: it goes to the dead-letter hook or is handed back.
/// The events before it have been passed on.
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

/// Calls `f` with every event and moves the events it returned from to `emitted`.
///
/// Not inlined: inside the state machine of an async handler the compiler keeps the
/// loop's state in memory instead of in registers.
#[inline(never)]
pub(super) fn change_all<E>(events: &mut Batch<E>, f: impl FnMut(&mut E), emitted: &mut Vec<E>) {
    let mut changed = Changed {
        events,
        emitted,
        count: 0,
    };
    changed.change(f);
}

/// Emits the changed events when it is dropped, also by a panic half-way.
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

debug_as_name!(MapInPlace<F, E>);
