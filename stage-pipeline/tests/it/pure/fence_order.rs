//! The fence in a small pipeline: each key is handled in order, and all is handled.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;
use stage_pipeline::policy::{Fence, FenceVerdict};

/// A source that keeps order by key, and the messages that it has leased.
struct Run {
    /// What is not leased: (key, number of the message in its key).
    waiting: BTreeSet<(u64, u32)>,
    /// Per key, as a partitioned step has it: (sequence number, message).
    under_way: BTreeMap<u64, VecDeque<(u64, u32)>>,
    last_seq: u64,
    fence: Fence,
}

impl Run {
    fn lease(&mut self, key: u64) {
        let next = self
            .waiting
            .range((key, 0)..=(key, u32::MAX))
            .next()
            .copied();
        if let Some((key, number)) = next {
            self.last_seq += 1;
            if self.fence.is_raised(key) {
                // Released at once.
                return;
            }
            self.waiting.remove(&(key, number));
            let queue = self.under_way.entry(key).or_default();
            queue.push_back((self.last_seq, number));
        }
    }

    /// Handles the first message of a key; returns its number if that succeeds.
    fn handle(&mut self, key: u64, fails: bool) -> Option<u32> {
        let queue = self.under_way.get_mut(&key)?;
        let (seq, number) = queue.pop_front()?;
        let passes = self.fence.verdict(key, seq) == FenceVerdict::Pass;
        if passes && fails {
            self.fence.fail(key, seq, self.last_seq);
        }
        if !passes || fails {
            self.waiting.insert((key, number));
        }
        let all_settled = self.last_seq + 1;
        let lowest_of_key = queue.front().map_or(all_settled, |(seq, _)| *seq);
        self.fence.settled_key_below(key, lowest_of_key);
        let lowest = self.under_way.values().flatten().map(|(seq, _)| *seq).min();
        self.fence.settled_below(lowest.unwrap_or(all_settled));
        (passes && !fails).then_some(number)
    }
}

proptest! {
    #[test]
    fn a_key_is_handled_in_order_whatever_fails(
        max_keys in 0..4_usize,
        steps in prop::collection::vec((0..3_u64, 0..4_u8), 1..400),
    ) {
        let mut run = Run {
            waiting: (0..3).flat_map(|key| (0..20).map(move |number| (key, number))).collect(),
            under_way: BTreeMap::new(),
            last_seq: 0,
            fence: Fence::new(max_keys),
        };
        let mut handled: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
        let end = (0..400_u64).map(|step| (step % 3, (step / 3 % 2) as u8 * 2));
        for (key, what) in steps.into_iter().chain(end) {
            match what {
                0 | 1 => run.lease(key),
                _ => handled.entry(key).or_default().extend(run.handle(key, what == 3)),
            }
        }
        prop_assert!(run.waiting.is_empty());
        prop_assert!(run.fence.is_empty());
        for (key, numbers) in handled {
            prop_assert_eq!(numbers, (0..20).collect::<Vec<_>>(), "key {}", key);
        }
    }
}
