//! `counter`: three stages, A -> B -> C, and how demand paces them.
//!
//! Events flow down: A counts, B multiplies, C prints. Demand flows *up*, and
//! comes first: C asks B for at most ten events, B asks A, and A counts no
//! further than it was asked to. C is slow, so demand slows down all three: no
//! other signal tells A how fast to go (backpressure).
//!
//! What to look for in the output: A is first asked for ten events, and then
//! for five whenever C has handled five. That is the effect of `max_demand` and
//! `min_demand`.

use std::ops::Range;
use std::time::Duration;

use stages::prelude::*;
use tokio::time::sleep;

/// Counts on demand.
struct A {
    numbers: Range<u64>,
}

impl Producer for A {
    type Event = u64;

    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, u64>) -> StageResult {
        println!("A is asked for {demand}");
        out.extend(self.numbers.by_ref().take(demand));
        if self.numbers.is_empty() {
            // The rest ends without further calls: the emitted events are
            // delivered, then B completes, then C.
            out.complete();
        }
        Ok(())
    }
}

/// Multiplies. A producer-consumer is a consumer of the stage above it and a
/// producer for the stage below it.
struct B {
    factor: u64,
}

impl ProducerConsumer for B {
    type In = u64;
    type Out = u64;

    async fn handle_events(
        &mut self,
        numbers: &mut Batch<u64>,
        out: &mut Emitter<'_, u64>,
    ) -> StageResult {
        out.extend(numbers.into_iter().map(|n| n * self.factor));
        Ok(())
    }
}

/// Prints slowly.
#[derive(Default)]
struct C {
    seen: usize,
}

impl Consumer for C {
    type Event = u64;

    async fn handle_events(
        &mut self,
        numbers: &mut Batch<u64>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        println!("C got {:?}", &numbers[..]);
        self.seen += numbers.len();
        sleep(Duration::from_millis(50)).await;
        Ok(())
    }
}

pub(crate) async fn run() -> Result<(), BoxError> {
    let a = A { numbers: 0..50 }.stage().name("A").spawn();
    let b = B { factor: 2 }
        .stage()
        .name("B")
        .subscribe_to(a.subscription().max_demand(10))
        .spawn();
    let c = C::default()
        .stage()
        .name("C")
        .subscribe_to(b.subscription().max_demand(10))
        .spawn();

    // Joining the last stage waits for all of them.
    let c = c.join_stage().await?;
    println!("C saw {} numbers", c.seen);
    Ok(())
}
