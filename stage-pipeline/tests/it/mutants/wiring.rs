//! Which parts of a pipeline read from which, and what each edge promises.

use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::{Batcher, BuildError, Guarantee, Message, Step, acked, handler_fn};

use super::script::Script;
use crate::support::{Log, batches, ended, ms, pass, secs, within};

#[tokio::test(start_paused = true)]
async fn every_batcher_reads_from_a_member_that_is_added() {
    let (queue, seen) = (MemoryQueue::new(), Log::default());
    let source = queue.clone();
    let pipeline = acked("numbers")
        .source(move || source.source())
        .step(Step::new("route").concurrency(1), || {
            handler_fn(|message: &mut Message<u64>| {
                message.set_batcher(["first", "second"][message.data as usize % 2]);
                Ok(())
            })
        })
        .batcher(Batcher::new("first").timeout(ms(10)), batches(&seen))
        .batcher(Batcher::new("second").timeout(ms(10)), batches(&seen))
        .start()
        .unwrap();
    within(pipeline.resize("route", 3)).await.unwrap();
    queue.enqueue_all(0..1_000);
    tokio::time::sleep(secs(10)).await;
    assert_eq!(pipeline.ledger().acked, 1_000, "{}", pipeline.ledger());
    queue.close();
    ended(&pipeline).await;
}

#[tokio::test(start_paused = true)]
async fn the_weakest_source_gives_the_guarantee_of_what_follows() {
    let (weak, strong) = (Guarantee::AtMostOnce, Guarantee::Durable);
    for [first, second] in [[weak, strong], [strong, weak]] {
        let refused = acked("numbers")
            .source(move || Script::promising(first))
            .source(move || Script::promising(second))
            .require(Guarantee::AtLeastOnce)
            .step("pass", pass)
            .start();
        let Err(BuildError::WeakGuarantee { edge, .. }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(edge.guarantee, weak, "{edge}");
    }
}
