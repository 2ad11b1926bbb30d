//! `handle_failed`, between a failure and the verdict.

use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::policy::Retry;
use stage_pipeline::{
    AckedPipeline, BatchHandler, Failed, Handler, Message, MessageBatch, Settled, Step, Verdict,
    acked,
};

use crate::support::{Log, Traced, pass, within};

/// Fails numbers from 10 on, panics at 20 and more, and does as it says with what failed.
#[derive(Clone)]
struct Check {
    failed: Log<Vec<(u64, String)>>,
    then: fn(&mut Message<u64>),
}

impl Check {
    fn tell(&self, failed: &mut [Message<u64>]) {
        let told = failed.iter().map(|message| {
            let reason = message.failure().map(ToString::to_string);
            (message.data, reason.unwrap_or_default())
        });
        self.failed.push(told.collect());
        failed.iter_mut().for_each(self.then);
    }
}

impl Handler for Check {
    type Data = u64;

    async fn handle(&mut self, message: &mut Message<u64>) -> Result<(), Failed> {
        match message.data {
            0..10 => Ok(()),
            10..20 => Err("too large".into()),
            _ => panic!("much too large"),
        }
    }

    async fn handle_failed(&mut self, failed: &mut [Message<u64>]) {
        self.tell(failed);
    }
}

impl BatchHandler for Check {
    type Data = u64;

    async fn handle_batch(&mut self, batch: &mut MessageBatch<u64>) -> Result<(), Failed> {
        for message in &mut batch.messages {
            match message.data {
                0..10 => {}
                10..20 => message.fail("too large"),
                _ => panic!("much too large"),
            }
        }
        Ok(())
    }

    async fn handle_failed(&mut self, failed: &mut [Message<u64>]) {
        self.tell(failed);
    }
}

fn change(message: &mut Message<u64>) {
    let reason = message
        .failure()
        .map(ToString::to_string)
        .unwrap_or_default();
    message.fail(Failed::release(format!("{reason}, says handle_failed")));
}

fn recover(message: &mut Message<u64>) {
    message.recover();
}

fn panic(_: &mut Message<u64>) {
    panic!("handle_failed has a bug");
}

fn check(then: fn(&mut Message<u64>)) -> Check {
    Check {
        failed: Log::default(),
        then,
    }
}

fn in_step(check: &Check) -> AckedPipeline<u64> {
    let (queue, check) = (MemoryQueue::new(), check.clone());
    acked("numbers")
        .source(move || queue.source())
        .retry(Retry::never())
        .step(Step::new("check").concurrency(1), move || check.clone())
        .start()
        .unwrap()
}

fn in_batches(check: &Check) -> AckedPipeline<u64> {
    let (queue, check) = (MemoryQueue::new(), check.clone());
    acked("numbers")
        .source(move || queue.source())
        .retry(Retry::never())
        .step(Step::new("pass").concurrency(1), pass)
        .batcher("check", move || check.clone())
        .start()
        .unwrap()
}

fn told(settled: &[Settled]) -> Vec<(Verdict, &str)> {
    let told = settled
        .iter()
        .map(|one| (one.verdict, one.reason.as_deref().unwrap_or("")));
    told.collect()
}

fn failures(failures: &[(u64, &str)]) -> Vec<(u64, String)> {
    let owned = failures
        .iter()
        .map(|&(number, reason)| (number, reason.to_owned()));
    owned.collect()
}

#[tokio::test(start_paused = true)]
async fn b088_it_gets_a_message_that_the_handler_failed_and_may_change_it() {
    let check = check(change);
    let pipeline = in_step(&check);
    let settled = within(pipeline.test_batch([1, 10, 2])).await;
    assert_eq!(check.failed.all(), [failures(&[(10, "too large")])]);
    let changed = (Verdict::Release, "too large, says handle_failed");
    assert_eq!(
        told(&settled),
        [(Verdict::Ack, ""), changed, (Verdict::Ack, "")]
    );
}

#[tokio::test(start_paused = true)]
async fn b089_it_gets_a_message_whose_handler_panicked_and_may_change_it() {
    let check = check(change);
    let pipeline = in_step(&check);
    let settled = within(pipeline.test_batch([1, 20])).await;
    let reason = "the handler panicked: much too large";
    assert_eq!(check.failed.all(), [failures(&[(20, reason)])]);
    let changed = "the handler panicked: much too large, says handle_failed";
    assert_eq!(
        told(&settled),
        [(Verdict::Ack, ""), (Verdict::Release, changed)]
    );
}

#[tokio::test(start_paused = true)]
async fn b088_a_message_that_it_recovers_is_acked() {
    let pipeline = in_step(&check(recover));
    let settled = within(pipeline.test_batch([10, 20])).await;
    assert_eq!(told(&settled), [(Verdict::Ack, ""), (Verdict::Ack, "")]);
    let pipeline = in_batches(&check(recover));
    let settled = within(pipeline.test_batch([10, 20])).await;
    assert_eq!(told(&settled), [(Verdict::Ack, ""), (Verdict::Ack, "")]);
}

#[tokio::test(start_paused = true)]
async fn b090_b096_if_it_panics_the_message_fails_with_its_first_reason() {
    let (traced, _guard) = Traced::listen();
    let pipeline = in_step(&check(panic));
    let settled = within(pipeline.test_batch([1, 10, 2])).await;
    let failed = (Verdict::Reject, "too large");
    assert_eq!(
        told(&settled),
        [(Verdict::Ack, ""), failed, (Verdict::Ack, "")]
    );
    let lines = traced.lines("handle_failed has a bug");
    assert!(
        lines
            .iter()
            .any(|line| line.contains("ERROR") && line.contains("step=check")),
        "{lines:?}"
    );
    // The step has another handler.
    assert_eq!(within(pipeline.test_message(3)).await.verdict, Verdict::Ack);
}

#[tokio::test(start_paused = true)]
async fn b091_it_gets_the_failed_messages_of_a_batch_and_only_these() {
    let check = check(change);
    let pipeline = in_batches(&check);
    let settled = within(pipeline.test_batch([1, 10, 2, 11])).await;
    assert_eq!(
        check.failed.all(),
        [failures(&[(10, "too large"), (11, "too large")])]
    );
    let changed = (Verdict::Release, "too large, says handle_failed");
    let acked = (Verdict::Ack, "");
    assert_eq!(told(&settled), [acked, changed, acked, changed]);
}

#[tokio::test(start_paused = true)]
async fn b092_it_gets_all_messages_of_a_batch_whose_handler_panicked() {
    let check = check(change);
    let pipeline = in_batches(&check);
    let settled = within(pipeline.test_batch([1, 20, 2])).await;
    let reason = "the batch handler panicked: much too large";
    assert_eq!(
        check.failed.all(),
        [failures(&[(1, reason), (20, reason), (2, reason)])]
    );
    let changed = "the batch handler panicked: much too large, says handle_failed";
    assert_eq!(told(&settled), [(Verdict::Release, changed); 3]);
}

#[tokio::test(start_paused = true)]
async fn b093_if_it_panics_in_a_batch_handler_the_messages_fail_with_their_first_reason() {
    let pipeline = in_batches(&check(panic));
    let settled = within(pipeline.test_batch([1, 10])).await;
    assert_eq!(
        told(&settled),
        [(Verdict::Ack, ""), (Verdict::Reject, "too large")]
    );
    assert_eq!(within(pipeline.test_message(3)).await.verdict, Verdict::Ack);
}
