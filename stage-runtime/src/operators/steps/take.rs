//! The first events, then the end.

use std::marker::PhantomData;

use stage_core::{Batch, DemandMode, Emitter, Info, Outcome, Peer, ProducerConsumer, StageResult};

use super::allowance::Allowance;
use crate::operators::debug::debug_as_name;

/// Emits the first events and completes; made by [`take`].
pub struct Take<E> {
    left: usize,
    allowance: Allowance,
    events: PhantomData<fn(E) -> E>,
}

/// A producer-consumer that emits the first `n` events and then completes; `take(0)`
/// completes when it subscribes. It completes earlier when its producers do.
///
/// It asks for `n` events over all its subscriptions and for no more, so its producers
/// keep the events behind them for other consumers. Within that, it asks as its demand
/// limits say. Several producers are asked for an equal share each; a share that was
/// asked of a producer with nothing to send is not asked of another until that
/// subscription ends. To take from whichever producer has events, put an
/// [`inspect`](super::inspect) in front that subscribes to all of them.
///
/// Do not ask by hand over its subscriptions: it drops events beyond the `n`th. A new
/// state of a [supervised](crate::supervised) stage begins with `n` again.
///
/// ```
/// use stage_runtime::operators::{fold, from_iter, take};
/// use stage_runtime::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), stage_runtime::Error> {
/// let numbers = from_iter(0..).stage().spawn();
/// let first = take(4).stage().subscribe_to(&numbers).spawn();
/// let sum = fold(0, |sum, n: u64| sum + n).stage().subscribe_to(&first).spawn();
/// assert_eq!(sum.output().await?, 6);
/// assert_eq!(numbers.stats().delivered, 4);
/// # Ok(())
/// # }
/// ```
///
/// Source: `futures::StreamExt::take`.
#[must_use]
pub fn take<E: Send + 'static>(n: usize) -> Take<E> {
    Take {
        left: n,
        allowance: Allowance::new(n),
        events: PhantomData,
    }
}

impl<E: Send + 'static> ProducerConsumer for Take<E> {
    type In = E;
    type Out = E;

    async fn handle_events(
        &mut self,
        events: &mut Batch<E>,
        out: &mut Emitter<'_, E>,
    ) -> StageResult {
        let count = events.len();
        drop(events.split_off_with(self.left, Vec::new));
        self.left -= events.len();
        events.move_into(out.as_mut_vec());
        self.allowance.handled(count, out.context());
        if self.left == 0 {
            out.complete();
        }
        Ok(())
    }

    async fn handle_producer_subscribe(
        &mut self,
        producer: &Peer,
        out: &mut Emitter<'_, E>,
    ) -> StageResult<DemandMode> {
        if self.left == 0 {
            out.complete();
        }
        Ok(self.allowance.subscribed(producer, out.context()))
    }

    async fn handle_producer_cancel(
        &mut self,
        producer: &Peer,
        _outcome: &Outcome,
        out: &mut Emitter<'_, E>,
    ) -> StageResult {
        self.allowance.ended(producer, out.context());
        Ok(())
    }

    /// The only info is to ask.
    async fn handle_info(&mut self, _info: Info, out: &mut Emitter<'_, E>) -> StageResult {
        self.allowance.ask(out.context());
        Ok(())
    }
}

debug_as_name!(Take<E>);
