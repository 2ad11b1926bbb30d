//! W11: what does an acknowledged message cost?
//!
//! A source that counts, 8 processors that do nothing, a batcher of 100 and its handler;
//! every message is acknowledged to the source, which adds up what it hears. By hand it is
//! a task for each of them, tokio channels of the same bounds, and a oneshot for each
//! acknowledgement. `benches/broadway` is the same in Broadway.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use stage_pipeline::{
    AckError, AckedPipeline, AckedSteps, Acknowledger, Batcher, BuildError, Capabilities,
    Guarantee, Leases, Message, MessageBatch, Metadata, Next, Settled, Source, Step, Token,
    TraceDeadLetters, Verdict, acked, batch_handler_fn, handler_fn,
};
use stages::StageResult;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

use crate::measure::{Events, Workload};

pub(crate) const PROCESSORS: usize = 8;
pub(crate) const BATCH: usize = 100;
/// Messages that a processor has asked for, as in Broadway.
pub(crate) const DEMAND: usize = 10;
pub(crate) const TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) const WORKLOAD: Workload = Workload {
    name: "W11",
    hops: 3,
    batch: 5,
    events: Events::Timed,
    ours: Some(("stages", ours)),
    peers: &[("by-hand", by_hand)],
};

/// The same without a batcher: the processors acknowledge.
pub(crate) const UNBATCHED: Workload = Workload {
    name: "W11-unbatched",
    hops: 1,
    ours: Some(("stages", ours_unbatched)),
    peers: &[("by-hand", by_hand_unbatched)],
    ..WORKLOAD
};

/// Sums up what is acknowledged.
#[derive(Default)]
struct Acks {
    sum: AtomicU64,
}

impl Acknowledger for Acks {
    fn settle<'a>(&'a self, settled: &'a mut [Settled]) -> BoxFuture<'a, Result<(), AckError>> {
        let acked = settled.iter().filter(|one| one.verdict == Verdict::Ack);
        self.sum
            .fetch_add(acked.map(|one| one.token.id).sum(), Relaxed);
        async { Ok(()) }.boxed()
    }

    fn abandon(&self, _: Settled) {}
}

pub(crate) struct Numbers {
    next: u64,
    end: u64,
    acks: Arc<Acks>,
}

impl Numbers {
    /// Emits the numbers below `end`.
    pub(crate) fn below(end: u64) -> Self {
        let acks = Arc::default();
        Self { next: 0, end, acks }
    }
}

impl Source for Numbers {
    type Data = u64;

    fn capabilities(&self) -> Capabilities {
        Capabilities::new(Guarantee::AtLeastOnce)
    }

    fn acknowledger(&self) -> Arc<dyn Acknowledger> {
        Arc::clone(&self.acks) as _
    }

    async fn lease(&mut self, demand: usize, leases: &mut Leases<'_, u64>) -> StageResult<Next> {
        let end = self.end.min(self.next + demand as u64);
        for number in self.next..end {
            leases.push(Token::new(number, 1), number, Metadata::new());
        }
        self.next = end;
        Ok(if end == self.end {
            Next::End
        } else {
            Next::Woken
        })
    }
}

const fn sum_below(events: u64) -> u64 {
    events * (events - 1) / 2
}

/// A pipeline up to its processors.
fn steps(events: u64, acks: &Arc<Acks>) -> AckedSteps<u64, u64> {
    let acks = Arc::clone(acks);
    let step = Step::new("pass").concurrency(PROCESSORS).max_demand(DEMAND);
    acked("bench")
        .source(move || Numbers {
            next: 0,
            end: events,
            acks: Arc::clone(&acks),
        })
        .dead_letters(TraceDeadLetters)
        .step(step, || handler_fn(|_: &mut Message<u64>| Ok(())))
}

fn ours(runtime: &Runtime, events: u64) -> Duration {
    measure(runtime, events, |acks| {
        let batcher = Batcher::new("all").size(BATCH).timeout(TIMEOUT);
        let handler = || batch_handler_fn(|_: &mut MessageBatch<u64>| Ok(()));
        steps(events, acks).batcher(batcher, handler).start()
    })
}

fn ours_unbatched(runtime: &Runtime, events: u64) -> Duration {
    measure(runtime, events, |acks| steps(events, acks).start())
}

/// Runs a pipeline to its end.
fn measure(
    runtime: &Runtime,
    events: u64,
    start: impl FnOnce(&Arc<Acks>) -> Result<AckedPipeline<u64>, BuildError>,
) -> Duration {
    runtime.block_on(async {
        let acks = Arc::default();
        let started = Instant::now();
        let pipeline = start(&acks).expect("the options are valid");
        pipeline.join().await.expect("nothing fails");
        let took = started.elapsed();
        assert_eq!(acks.sum.load(Relaxed), sum_below(events));
        took
    })
}

/// A message by hand: its number, and where to acknowledge it.
type ByHand = (u64, oneshot::Sender<u64>);

fn by_hand(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let (to_batcher, mut messages) = mpsc::channel::<ByHand>(BATCH);
        let (to_handler, mut batches) = mpsc::channel::<Vec<ByHand>>(1);
        let acks = spawn_source(events, |mut from| {
            let to_batcher = to_batcher.clone();
            async move {
                while let Some(message) = from.recv().await {
                    if to_batcher.send(message).await.is_err() {
                        break;
                    }
                }
            }
        });
        drop(to_batcher);
        tokio::spawn(async move {
            let mut batch = Vec::with_capacity(BATCH);
            let mut timeout = pin!(tokio::time::sleep(TIMEOUT));
            loop {
                let full = tokio::select! {
                    message = messages.recv() => match message {
                        Some(message) => {
                            if batch.is_empty() {
                                timeout.as_mut().reset(tokio::time::Instant::now() + TIMEOUT);
                            }
                            batch.push(message);
                            batch.len() == BATCH
                        }
                        None => break,
                    },
                    () = &mut timeout, if !batch.is_empty() => true,
                };
                if full
                    && to_handler
                        .send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH)))
                        .await
                        .is_err()
                {
                    break;
                }
            }
            // The last one, which may be short.
            let _ = to_handler.send(batch).await;
        });
        tokio::spawn(async move {
            while let Some(batch) = batches.recv().await {
                for (number, ack) in batch {
                    let _ = ack.send(number);
                }
            }
        });
        assert_eq!(acks.await.expect("nothing fails"), sum_below(events));
        started.elapsed()
    })
}

fn by_hand_unbatched(runtime: &Runtime, events: u64) -> Duration {
    runtime.block_on(async {
        let started = Instant::now();
        let acks = spawn_source(events, |mut from| async move {
            while let Some((number, ack)) = from.recv().await {
                let _ = ack.send(number);
            }
        });
        assert_eq!(acks.await.expect("nothing fails"), sum_below(events));
        started.elapsed()
    })
}

/// Spawns the source, the processors, and the task that hears of acknowledgements, whose
/// sum it returns.
fn spawn_source<F>(
    events: u64,
    processor: impl Fn(mpsc::Receiver<ByHand>) -> F,
) -> tokio::task::JoinHandle<u64>
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut processors = Vec::new();
    for _ in 0..PROCESSORS {
        let (sender, receiver) = mpsc::channel(DEMAND);
        tokio::spawn(processor(receiver));
        processors.push(sender);
    }
    // As many as can be under way.
    let (unsettled, mut receivers) = mpsc::channel(PROCESSORS * DEMAND + 3 * BATCH);
    tokio::spawn(async move {
        for (number, to) in (0..events).zip((0..PROCESSORS).cycle()) {
            let (ack, acked) = oneshot::channel();
            if unsettled.send(acked).await.is_err()
                || processors[to].send((number, ack)).await.is_err()
            {
                break;
            }
        }
    });
    tokio::spawn(async move {
        let mut sum = 0;
        while let Some(acked) = receivers.recv().await {
            sum += acked.await.expect("every message is acknowledged");
        }
        sum
    })
}
