//! `prepare`, which gets all messages that came together.

use std::mem;

use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::{AckedPipeline, Failed, Handler, Message, Step, Verdict, acked};

use crate::support::{Call, Faults, Log, ended, restarts, within};

/// What `prepare` does with messages that were delivered for the first time.
#[derive(Clone, Copy)]
enum Prepare {
    Nothing,
    Fail,
    Panic,
    TakeFirst,
}

struct Preparing {
    prepare: Prepare,
    prepared: Log<Vec<u64>>,
    handled: Log<u64>,
}

impl Handler for Preparing {
    type Data = u64;

    async fn prepare(&mut self, messages: &mut [Message<u64>]) -> Result<(), Failed> {
        self.prepared
            .push(messages.iter().map(|message| message.data).collect());
        if messages
            .iter()
            .any(|message| message.metadata().deliveries() > 1)
        {
            return Ok(());
        }
        match self.prepare {
            Prepare::Nothing => Ok(()),
            Prepare::Fail => Err("no look-up".into()),
            Prepare::Panic => panic!("a bug"),
            Prepare::TakeFirst => {
                self.prepare = Prepare::Nothing;
                drop(mem::replace(&mut messages[0], Message::unacknowledged(99)));
                Ok(())
            }
        }
    }

    async fn handle(&mut self, message: &mut Message<u64>) -> Result<(), Failed> {
        self.handled.push(message.data);
        Ok(())
    }
}

struct Test {
    faults: Faults,
    prepared: Log<Vec<u64>>,
    handled: Log<u64>,
    pipeline: AckedPipeline<u64>,
}

fn start(prepare: Prepare) -> Test {
    let (queue, faults) = (MemoryQueue::new(), Faults::new());
    queue.enqueue_all(0..5);
    queue.close();
    let (prepared, handled) = (Log::default(), Log::default());
    let logs = (prepared.clone(), handled.clone());
    let pipeline = acked("numbers")
        .source(faults.source(&queue))
        .step(Step::new("all").concurrency(1).max_demand(10), move || {
            Preparing {
                prepare,
                prepared: logs.0.clone(),
                handled: logs.1.clone(),
            }
        })
        .start()
        .unwrap();
    Test {
        faults,
        prepared,
        handled,
        pipeline,
    }
}

#[tokio::test(start_paused = true)]
async fn b050_a_message_that_prepare_takes_out_comes_again() {
    let test = start(Prepare::TakeFirst);
    let ledger = ended(&test.pipeline).await;
    assert_eq!((ledger.acked, ledger.released), (5, 1), "{ledger}");
    assert_eq!(test.handled.all(), [99, 1, 2, 3, 4, 0]);
}

#[tokio::test(start_paused = true)]
async fn b051_if_prepare_fails_or_panics_all_messages_fail_and_the_step_lives() {
    for (prepare, reason) in [
        (Prepare::Fail, "no look-up"),
        (Prepare::Panic, "the handler panicked: a bug"),
    ] {
        let test = start(prepare);
        let ledger = ended(&test.pipeline).await;
        assert_eq!((ledger.acked, ledger.retried), (5, 5), "{ledger}");
        assert_eq!(test.faults.reasons(), [reason; 5]);
        let mut handled = test.handled.all();
        handled.sort_unstable();
        assert_eq!(handled, [0, 1, 2, 3, 4]);
        assert_eq!(restarts(&test.pipeline), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn b052_prepare_sees_all_messages_that_come_together_and_they_go_on() {
    let test = start(Prepare::Nothing);
    ended(&test.pipeline).await;
    assert_eq!(test.prepared.all(), [[0, 1, 2, 3, 4]]);
    assert_eq!(test.handled.all(), [0, 1, 2, 3, 4]);
    // And they are settled together.
    let all = (0..5).map(|id| (id, Verdict::Ack)).collect();
    assert!(test.faults.calls().contains(&Call::Settle(all)));
    within(test.pipeline.shutdown()).await;
}
