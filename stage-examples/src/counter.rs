//! `counter`: three stages, A -> B -> C, and how demand paces them.
//!
//! Events flow down, from A, which counts, through B, which multiplies, to C,
//! which prints. Demand flows *up*, and comes first: C asks B for at most ten
//! events, B asks A, and A counts no further than it was asked. C is slow, so
//! all three are: nobody had to tell A how fast to go.
//!
//! What to look for in the output: A is asked for ten at first, then for five
//! whenever C has handled five. That is `max_demand` and `min_demand`.

use std::ops::Range;
use std::time::Duration;

use stages::prelude::*;
use tokio::time::sleep;

/// Counts when it is asked to.
struct A {
    numbers: Range<u64>,
}

impl Producer for A {
    type Event = u64;

    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, u64>) -> StageResult {
        println!("A is asked for {demand}");
        out.extend(self.numbers.by_ref().take(demand));
        if self.numbers.is_empty() {
            // From here on everything ends by itself: what was emitted is
            // still delivered, then B completes, then C.
            out.complete();
        }
        Ok(())
    }
}

/// Multiplies. A stage in the middle is a consumer of what is above it and a
/// producer for what is below.
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

/// Prints, and takes its time.
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

    // To join the last stage is to wait for all of them.
    let c = c.join_stage().await?;
    println!("C saw {} numbers", c.seen);
    Ok(())
}
