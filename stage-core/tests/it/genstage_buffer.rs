//! `Buffer` against what `GenStage.Buffer` did.

use stage_core::{Batch, Bound, Buffer, Overflow};
use stage_test::traces::{BufferSize, BufferStep, BufferTrace, TraceKeep, load};

#[test]
fn genstage_buffer_traces() {
    let traces = load::<BufferTrace>("buffer.jsonl").unwrap();
    assert!(!traces.is_empty());
    for recorded in &traces {
        let mut replay = Replay::new(&recorded.trace);
        for (index, step) in recorded.trace.steps.iter().enumerate() {
            replay.step(step, &recorded.at(index).to_string());
        }
    }
}

struct Replay {
    buffer: Buffer<u64, u64>,
    bounded: bool,
}

impl Replay {
    fn new(trace: &BufferTrace) -> Self {
        let keep = match trace.keep {
            TraceKeep::First => Overflow::DropNewest,
            TraceKeep::Last => Overflow::DropOldest,
        };
        let bound = match trace.buffer_size {
            BufferSize::Bounded(bound) => Bound::Events(bound),
            BufferSize::Unbounded(_) => Bound::Unbounded,
        };
        Self {
            buffer: Buffer::new(bound, keep),
            bounded: bound.limit().is_some(),
        }
    }

    /// GenStage keeps the infos of an unbounded buffer among its events, and
    /// counts them.
    fn size(&self) -> usize {
        if self.bounded {
            self.buffer.len()
        } else {
            self.buffer.len() + self.buffer.infos()
        }
    }

    fn step(&mut self, step: &BufferStep, at: &str) {
        match step {
            BufferStep::Store {
                events,
                discarded,
                infos,
                size,
            } => {
                let stored = self.buffer.store(Batch::from(events.clone()));
                assert_eq!(stored.discarded, *discarded, "{at}: discarded");
                assert_eq!(stored.infos, *infos, "{at}: infos displaced");
                assert_eq!(self.size(), *size, "{at}: size");
            }
            BufferStep::Info { info, stored } => {
                let answer = self.buffer.store_info(*info);
                assert_eq!(answer.is_ok(), *stored, "{at}: info stored");
            }
            BufferStep::Take {
                count,
                empty,
                events,
                infos,
                remaining,
            } => {
                let taken = self.buffer.take(*count);
                assert_eq!(taken.is_none(), *empty, "{at}: nothing taken");
                if let Some(taken) = taken {
                    let taken_events: Vec<u64> = taken.batches.into_iter().flatten().collect();
                    assert_eq!(taken_events, *events, "{at}: events taken");
                    assert_eq!(taken.infos, *infos, "{at}: infos taken");
                    assert_eq!(taken.remaining, *remaining, "{at}: remaining");
                }
            }
        }
    }
}
