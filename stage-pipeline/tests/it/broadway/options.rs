//! What a pipeline is made of: how many stages of each kind, and on which terms they read.

use stage_pipeline::batch::{Split, Splitter};
use stage_pipeline::memory::MemoryQueue;
use stage_pipeline::{AckedPipeline, Batcher, BuildError, Handler, Message, Step, acked};
use stages::StageResult;

use crate::support::{Log, batches, ms, pass, within};

/// The names of all stages.
fn names(pipeline: &AckedPipeline<u64>) -> Vec<String> {
    let snapshot = pipeline.snapshot();
    let names = snapshot
        .stages
        .iter()
        .map(|stage| stage.stats.name.to_string());
    names.collect()
}

/// The `max_demand` of all links to a stage.
fn max_demand(pipeline: &AckedPipeline<u64>, consumer: &str) -> Vec<u64> {
    let snapshot = pipeline.snapshot();
    let links = snapshot.links.iter();
    let to = links.filter(|link| &*link.consumer.name == consumer);
    to.map(|link| link.max_demand).collect()
}

fn start(step: Step, batcher: Batcher<u64>) -> AckedPipeline<u64> {
    let queue = MemoryQueue::new();
    acked("numbers")
        .source(move || queue.source())
        .step(step, pass)
        .batcher(batcher, batches(&Log::default()))
        .start()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn b007_b009_b011_b025_stages_are_named_after_their_pipeline_part_and_index() {
    let pipeline = start(
        Step::new("double").concurrency(2),
        Batcher::new("all").concurrency(2),
    );
    assert_eq!(
        names(&pipeline),
        [
            "numbers/source#0",
            "numbers/double#0",
            "numbers/double#1",
            "numbers/all",
            "numbers/all/handler#0",
            "numbers/all/handler#1",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn b008_a_batcher_asks_for_a_batch_by_default() {
    let pipeline = start(
        Step::new("pass").concurrency(1),
        Batcher::new("all").size(37),
    );
    within(pipeline.test_message(1)).await;
    assert_eq!(max_demand(&pipeline, "numbers/all"), [37]);
    let pipeline = start(
        Step::new("pass").concurrency(1),
        Batcher::new("all").size(37).max_demand(5),
    );
    within(pipeline.test_message(1)).await;
    assert_eq!(max_demand(&pipeline, "numbers/all"), [5]);
}

/// Keeps how many messages come together.
struct Together(Log<usize>);

impl Handler for Together {
    type Data = u64;

    async fn prepare(
        &mut self,
        messages: &mut [Message<u64>],
    ) -> Result<(), stage_pipeline::Failed> {
        self.0.push(messages.len());
        Ok(())
    }

    async fn handle(&mut self, _: &mut Message<u64>) -> Result<(), stage_pipeline::Failed> {
        tokio::time::sleep(ms(1)).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn b010_a_step_asks_as_its_options_say() -> StageResult {
    let queue = MemoryQueue::new();
    queue.enqueue_all(0..100_u64);
    queue.close();
    let log = Log::default();
    let together = log.clone();
    let step = Step::new("pass")
        .concurrency(1)
        .max_demand(10)
        .min_demand(7);
    let pipeline = acked("numbers")
        .source(move || queue.source())
        .step(step, move || Together(together.clone()))
        .start()?;
    tokio::time::sleep(ms(1)).await;
    assert_eq!(max_demand(&pipeline, "numbers/pass#0"), [10]);
    within(pipeline.join()).await?;
    assert!(log.all().iter().all(|&together| together <= 3), "{log:?}");
    assert_eq!(log.all().iter().sum::<usize>(), 100);
    Ok(())
}

fn refused(batcher: Batcher<u64>) -> String {
    let queue = MemoryQueue::new();
    let refused = acked("numbers")
        .source(move || queue.source())
        .step("pass", pass)
        .batcher(batcher, batches(&Log::default()))
        .start();
    match refused {
        Err(error @ BuildError::Batcher { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn b031_a_batch_size_of_0_is_refused_with_the_batcher_and_the_range() {
    let batch_of_0 = refused(Batcher::new("uploads").size(0));
    assert!(batch_of_0.contains("`uploads`"), "{batch_of_0}");
    assert!(
        batch_of_0.contains("is 0, but must be 1 or more"),
        "{batch_of_0}"
    );
    let no_bytes = refused(Batcher::new("uploads").bytes(0, |_| 1));
    assert!(
        no_bytes.contains("0 bytes, but must be 1 or more"),
        "{no_bytes}"
    );
    let no_time = refused(Batcher::new("uploads").timeout(ms(0)));
    assert!(no_time.contains("must be more than 0"), "{no_time}");
    let no_room = refused(Batcher::new("uploads").max_open(0));
    assert!(
        no_room.contains("max_open is 0, but must be 1 or more"),
        "{no_room}"
    );
}

#[tokio::test(start_paused = true)]
async fn b032_a_splitter_needs_no_max_demand() {
    let splitter = Splitter::custom((), |(), _: &Message<u64>| Split::After);
    let pipeline = start(
        Step::new("pass").concurrency(1),
        Batcher::new("all").split(splitter),
    );
    within(pipeline.test_message(1)).await;
    assert_eq!(max_demand(&pipeline, "numbers/all"), [100]);
}

#[tokio::test(start_paused = true)]
async fn b033_b034_there_are_as_many_sources_as_were_given() {
    let (one, two) = (MemoryQueue::new(), MemoryQueue::<u64>::new());
    let (first, second) = (one.clone(), two.clone());
    let pipeline = acked("numbers")
        .source(move || first.source())
        .source(move || second.source())
        .step("pass", pass)
        .start()
        .unwrap();
    one.enqueue_all(0..7);
    two.enqueue_all(0..9);
    tokio::time::sleep(ms(1)).await;
    let acked: Vec<_> = pipeline
        .origins()
        .iter()
        .map(|origin| (origin.source.to_string(), origin.ledger.acked))
        .collect();
    let expected = [("numbers/source#0", 7), ("numbers/source#1", 9)];
    assert_eq!(
        acked,
        expected.map(|(name, acked)| (name.to_owned(), acked))
    );

    let pipeline = start("pass".into(), "all".into());
    assert_eq!(pipeline.origins().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn b035_b036_a_step_has_as_many_members_as_it_says_or_twice_the_cores() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let pipeline = start("pass".into(), "all".into());
    assert_eq!(pipeline.members("pass"), Some(2 * cores));
    let pipeline = start(Step::new("pass").concurrency(13), "all".into());
    assert_eq!(pipeline.members("pass"), Some(13));
    assert_eq!(pipeline.members("other"), None);
}

#[tokio::test(start_paused = true)]
async fn b037_b038_a_batcher_has_as_many_handlers_as_it_says_or_one() {
    let handlers = |pipeline: &AckedPipeline<u64>| {
        let names = names(pipeline);
        names
            .iter()
            .filter(|name| name.contains("/handler#"))
            .count()
    };
    assert_eq!(handlers(&start("pass".into(), "all".into())), 1);
    let six = start("pass".into(), Batcher::new("all").concurrency(6));
    assert_eq!(handlers(&six), 6);
}

#[tokio::test(start_paused = true)]
async fn a_pool_without_members_is_refused() {
    let queue = MemoryQueue::<u64>::new();
    let refused = acked("numbers")
        .source(move || queue.source())
        .step(Step::new("pass").concurrency(0), pass)
        .start();
    let text = refused.unwrap_err().to_string();
    assert_eq!(text, "`pass` has a concurrency of 0; the least is 1");
}
