//! Open batches against a model: every message is in exactly one batch, whichever
//! trigger comes first (fault 30).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use stage_pipeline::batch::{OpenBatches, ReadyBatch, Splitter, Trigger};

use super::MS;

const SIZE: usize = 4;
const TIMEOUT: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug)]
enum Step {
    Push {
        key: Option<u8>,
        partition: usize,
        flush: bool,
    },
    Pass(u32),
    Due,
    Flush {
        key: Option<u8>,
        partition: usize,
    },
    End,
}

fn steps() -> impl Strategy<Value = Step> {
    let key = || prop::option::of(0..3_u8);
    prop_oneof![
        20 => (key(), 0..2_usize, prop::bool::weighted(0.1))
            .prop_map(|(key, partition, flush)| Step::Push { key, partition, flush }),
        6 => (0..30_u32).prop_map(Step::Pass),
        6 => Just(Step::Due),
        2 => (key(), 0..2_usize).prop_map(|(key, partition)| Step::Flush { key, partition }),
        1 => Just(Step::End),
    ]
}

type Key = Option<u8>;
type Batch = ReadyBatch<u32, Key>;

/// The open batches, oldest first.
struct Model {
    open: Vec<((Key, usize), Instant, Vec<u32>)>,
    max_open: usize,
}

impl Model {
    fn close(&mut self, at: usize, trigger: Trigger, out: &mut Vec<Batch>) {
        let ((key, partition), opened, items) = self.open.remove(at);
        out.push(Batch {
            key,
            partition,
            items,
            trigger,
            opened,
        });
    }

    fn step(&mut self, step: Step, now: Instant, item: u32) -> Vec<Batch> {
        let mut out = Vec::new();
        let find = |open: &[((Key, usize), _, _)], place| open.iter().position(|o| o.0 == place);
        match step {
            Step::Push {
                key,
                partition,
                flush,
            } => {
                let place = (key, partition);
                let at = find(&self.open, place).unwrap_or_else(|| {
                    self.open.push((place, now, Vec::new()));
                    self.open.len() - 1
                });
                self.open[at].2.push(item);
                if self.open[at].2.len() == SIZE {
                    self.close(at, Trigger::Size, &mut out);
                } else if flush {
                    self.close(at, Trigger::Flush, &mut out);
                } else if self.held() >= self.max_open {
                    self.close(0, Trigger::Pressure, &mut out);
                }
            }
            Step::Due => {
                while self
                    .open
                    .first()
                    .is_some_and(|(_, opened, _)| *opened + TIMEOUT <= now)
                {
                    self.close(0, Trigger::Timeout, &mut out);
                }
            }
            Step::Flush { key, partition } => {
                if let Some(at) = find(&self.open, (key, partition)) {
                    self.close(at, Trigger::Flush, &mut out);
                }
            }
            Step::End => {
                while !self.open.is_empty() {
                    self.close(0, Trigger::End, &mut out);
                }
            }
            Step::Pass(_) => {}
        }
        out
    }

    fn held(&self) -> usize {
        self.open.iter().map(|(_, _, items)| items.len()).sum()
    }
}

fn text(batches: &[Batch]) -> String {
    format!("{batches:?}")
}

proptest! {
    #[test]
    fn every_message_is_in_exactly_one_batch(
        max_open in 1..14_usize,
        steps in prop::collection::vec(steps(), 1..300),
    ) {
        let splitter = Splitter::count(SIZE).unwrap();
        let mut open = OpenBatches::new(splitter, Some(TIMEOUT), max_open).unwrap();
        let mut model = Model { open: Vec::new(), max_open };
        let mut now = Instant::now();
        let mut seen: HashMap<(Key, usize), Vec<u32>> = HashMap::new();
        let mut sent = seen.clone();
        let end = [Step::End];
        for (item, step) in steps.into_iter().chain(end).enumerate() {
            let item = u32::try_from(item).unwrap();
            let mut out = Vec::new();
            match step {
                Step::Push { key, partition, flush } => {
                    sent.entry((key, partition)).or_default().push(item);
                    open.push(now, key, partition, item, flush, &mut out);
                }
                Step::Pass(millis) => now += millis * MS,
                Step::Due => open.due(now, &mut out),
                Step::Flush { key, partition } => out.extend(open.flush(&key, partition)),
                Step::End => open.end(&mut out),
            }
            prop_assert!(out.iter().all(|batch| !batch.items.is_empty()));
            prop_assert_eq!(text(&out), text(&model.step(step, now, item)));
            prop_assert_eq!(open.len(), model.held());
            prop_assert_eq!(open.batches(), model.open.len());
            prop_assert!(open.len() < max_open);
            let due = model.open.first().map(|(_, opened, _)| {
                (*opened + TIMEOUT).saturating_duration_since(now)
            });
            prop_assert_eq!(open.next_due(now), due);
            for batch in out {
                let place = (batch.key, batch.partition);
                seen.entry(place).or_default().extend(&batch.items);
            }
        }
        prop_assert!(open.is_empty());
        prop_assert_eq!(seen, sent);
    }
}
