//! Reference: reactive-streams rule 3.17 and its issue 196; reactor/reactor-core issue 3462,
//! "Backpressure broken when using LambdaSubscriber and Flux has emit Long.MAX_VALUE items"
//!
//! A source without an end meets demand without a limit. It goes on, and so does everything
//! else: messages are answered, consumers handle events, and the pipeline drains.

use std::time::Duration;

use futures::{StreamExt, stream};
use stage_runtime::operators::{for_each, from_channel, from_fn, from_iter, from_stream};
use stage_runtime::prelude::*;

use super::support::*;

/// Whether it emits, lets others go on, and ends when it is told to.
async fn check<P: Producer<Event = u64>>(source: P) {
    let pipeline = Pipeline::new();
    let source = source.stage().name("source").in_group(&pipeline).spawn();
    let seen = seen();
    let sink = for_each({
        let seen = seen.clone();
        move |n: u64| {
            let mut seen = seen.lock().unwrap();
            if n < 100 {
                seen.push(n);
            }
        }
    });
    sink.stage()
        .subscribe_to(source.subscription().max_demand(usize::MAX))
        .in_group(&pipeline)
        .spawn();
    until("events arrive", || seen.lock().unwrap().len() >= 100).await;
    pipeline.drain(Duration::from_secs(5)).await.unwrap();
    assert!(seen.lock().unwrap().iter().copied().eq(0..100));
    stage_test::assert_settled(&pipeline);
}

#[test]
fn an_iterator_without_end() {
    both_busy(10, || check(from_iter(0..)));
}

#[test]
fn a_function_that_always_has_one_more() {
    both_busy(10, || {
        let mut next = 0;
        check(from_fn(move || {
            next += 1;
            Some(next - 1)
        }))
    });
}

#[test]
fn a_stream_that_is_always_ready() {
    both_busy(10, || check(from_stream(stream::iter(0..))));
}

#[test]
fn a_stage_that_fills_all_the_demand_it_is_given() {
    struct Counter(u64);

    impl Producer for Counter {
        type Event = u64;

        async fn handle_demand(
            &mut self,
            demand: usize,
            out: &mut Emitter<'_, u64>,
        ) -> StageResult {
            out.extend((self.0..).take(demand));
            self.0 += demand as u64;
            Ok(())
        }
    }

    both_busy(10, || check(Counter(0)));
}

/// One that is faster than its reader is read for as long as one likes.
#[test]
fn a_stream_over_a_source_without_end() {
    both_busy(10, || async {
        let source = from_iter(0_u64..).stage().spawn();
        let stream = source.subscription().max_demand(usize::MAX);
        let mut stream = stream.into_stream().unwrap();
        for n in 0..1_000 {
            assert_eq!(stream.next().await.unwrap().unwrap(), n);
        }
        drop(stream);
        source.stop("enough");
        source.outcome().await;
    });
}

/// Nobody reads "18,446,744,073,709,551,615 events".
#[test]
fn demand_without_limit_is_said_in_words() {
    both(10, || async {
        let pipeline = Pipeline::new();
        let (_sender, receiver) = tokio::sync::mpsc::channel::<u64>(1);
        let source = from_channel(receiver)
            .stage()
            .name("source")
            .in_group(&pipeline)
            .spawn();
        all()
            .stage()
            .subscribe_to(source.subscription().max_demand(usize::MAX))
            .in_group(&pipeline)
            .spawn();
        ms(50).await;
        let said = pipeline.explain(Duration::from_millis(10)).to_string();
        assert!(said.contains("asked for any number of events"), "{said}");
        pipeline.shutdown().await;
    });
}
