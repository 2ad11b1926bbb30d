//! [`run`]: one run, from the input to the report.
//!
//! The input is enqueued and the queue is processed at the same time: a queue takes orders
//! whether there is demand or not, and the pipeline takes them from it as fast as it can. When
//! all orders are processed, or on Ctrl-C, the pipeline drains: it leases no more, and what is
//! under way is stored and acknowledged.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use stage_pipeline::RunError;
use stage_queue::{Queue, QueueError, QueueOptions, Topic, TopicStats};
use stages::BoxError;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::args::RunOptions;
use super::dead;
use super::enqueue::{EnqueueCounts, EnqueueOptions, enqueue};
use super::events::{Event, Events};
use super::input::Lines;
use super::pipeline;
use super::progress::Progress;
use super::report::Report;
use super::stop::Stop;
use super::store::Store;
use crate::usage::UsageError;

/// The topic of the orders.
pub(crate) const TOPIC: &str = "orders";
/// How long a drain may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// How often the progress is shown, and whether all is done is looked up.
const LOOK: Duration = Duration::from_millis(100);

/// Opens the queue, or creates it.
///
/// # Errors
///
/// [`UsageError`] if it cannot be opened, or is something else; otherwise [`QueueError`].
pub(crate) fn open(path: &Path) -> Result<Queue, BoxError> {
    Queue::open(path, QueueOptions::new()).map_err(|error| match error {
        QueueError::Open { .. } | QueueError::NotAQueue { .. } => {
            UsageError(error.to_string()).into()
        }
        error => error.into(),
    })
}

/// Runs until all orders are processed, or until `stop`.
///
/// # Errors
///
/// [`UsageError`] before anything starts, and the errors of the input, the queue, the store
/// and the pipeline.
pub(crate) async fn run(
    options: &RunOptions,
    stop: Stop,
    events: Events,
) -> Result<Report, BoxError> {
    let lines = options.input.open()?;
    let queue = open(&options.queue)?;
    let store = Store::open(&options.target, events)?;
    let topic = queue.topic(TOPIC);
    let progress = Progress::new(lines.total, options.quiet);
    let before = topic_stats(&queue).await?;
    let started = Instant::now();

    let counts = Arc::new(EnqueueCounts::default());
    let mut reader = Reader::start(lines, &topic, options.group, events, &counts);
    let pipeline = pipeline::start(&topic, &store, options.pipeline)?;

    let mut end = End::Stopped;
    let ends = async {
        tokio::select! {
            processed = all_processed(&mut reader, &queue, &progress) => {
                end = processed.map_or_else(End::Failed, |()| End::Processed);
            }
            () = stop.requested() => {}
        }
        reader.stop();
        events.emit(Event::Draining);
    };
    // Waits for the end, and drains.
    let drained = pipeline.run_until(ends, DEADLINE).await;
    progress.clear();
    let undrained = match drained {
        Ok(_) => None,
        Err(RunError::Undrained(error)) => Some(error.to_string()),
        Err(error) => return Err(error.into()),
    };
    if let End::Failed(error) = end {
        return Err(error);
    }
    let whole_input = reader.ended().await?;

    let report = Report {
        enqueued: counts.enqueued.load(Relaxed),
        known: counts.known.load(Relaxed),
        waited: before.ready + before.delayed + before.leased,
        whole_input,
        ledger: pipeline.ledger(),
        elapsed: started.elapsed(),
        topic: topic_stats(&queue).await?,
        stored: store.contents().await?,
        dead: dead::count_by_reason(&topic).await?,
        undrained,
        queue: options.queue.clone(),
        target: options.target.clone(),
    };
    queue.close().await?;
    Ok(report)
}

/// How a run ends.
enum End {
    /// All orders are processed.
    Processed,
    /// Somebody has asked for it.
    Stopped,
    /// The input or the queue has failed.
    Failed(BoxError),
}

/// The task that enqueues the input.
struct Reader {
    task: JoinHandle<Result<bool, BoxError>>,
    stop: watch::Sender<bool>,
    /// Whether it came to the end of the input, once it has ended.
    ended: Option<bool>,
}

impl Reader {
    fn start(
        lines: Lines,
        topic: &Topic,
        group: usize,
        events: Events,
        counts: &Arc<EnqueueCounts>,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let options = EnqueueOptions {
            group,
            events,
            counts: Arc::clone(counts),
        };
        let task = tokio::spawn(enqueue(lines, topic.clone(), stopped, options));
        Self {
            task,
            stop,
            ended: None,
        }
    }

    /// Has it read no further.
    fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits for its end.
    async fn ended(&mut self) -> Result<bool, BoxError> {
        if let Some(whole) = self.ended {
            return Ok(whole);
        }
        let whole = (&mut self.task).await??;
        self.ended = Some(whole);
        Ok(whole)
    }
}

/// Waits until all of the input is enqueued, and nothing is left in the topic. Shows the
/// progress on the way.
async fn all_processed(
    reader: &mut Reader,
    queue: &Queue,
    progress: &Progress,
) -> Result<(), BoxError> {
    loop {
        // Looked up before the topic: what is enqueued in between is seen there.
        let enqueued = reader.ended.is_some();
        let topic = topic_stats(queue).await?;
        progress.show(&topic);
        if enqueued && topic.ready + topic.delayed + topic.leased == 0 {
            return Ok(());
        }
        if enqueued {
            sleep(LOOK).await;
        } else if let Ok(ended) = timeout(LOOK, reader.ended()).await {
            ended?;
        }
    }
}

/// Returns what is in the topic of the orders, which may not be there yet.
async fn topic_stats(queue: &Queue) -> Result<TopicStats, QueueError> {
    let mut topics = queue.stats().await?.topics.into_iter();
    Ok(topics
        .find(|topic| &*topic.topic == TOPIC)
        .unwrap_or_default())
}
