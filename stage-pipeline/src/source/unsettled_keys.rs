//! [`UnsettledKeys`]: which keys have messages under way, in a pipeline that keeps order.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use parking_lot::Mutex;

use crate::ack::{Settled, Token, Verdict};
use crate::policy::SharedFence;

/// The messages under way of each key, over all sources. It lowers the fence of a key when
/// the last of them is settled, and raises it for a message that was dropped.
#[derive(Default)]
pub(crate) struct UnsettledKeys {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    messages: HashMap<(usize, Token), Under, RandomState>,
    /// The number of messages of each key.
    keys: HashMap<u64, usize, RandomState>,
    /// The sources that are leasing, with the keys whose fence was lowered meanwhile.
    leasing: HashMap<usize, Lowered, RandomState>,
}

/// Keys whose fence was lowered while a source leased. It may have leased a message of
/// them before the failed one was back, which is not to be seen from the fence any more.
#[derive(Default)]
struct Lowered {
    keys: HashSet<u64, RandomState>,
    all: bool,
}

/// A message under way.
struct Under {
    key: u64,
    sequence: u64,
}

impl UnsettledKeys {
    /// Notes that `source` begins to lease. What it leases until [`end_lease`](Self::end_lease)
    /// may be older than a fence that is lowered in between.
    pub(crate) fn begin_lease(&self, source: usize) {
        let mut state = self.state.lock();
        state.leasing.insert(source, Lowered::default());
    }

    /// Notes that all that `source` leased is known.
    pub(crate) fn end_lease(&self, source: usize) {
        self.state.lock().leasing.remove(&source);
    }

    /// Notes that `source` has leased a message. Returns whether it has to go back, because
    /// it may follow one that failed.
    pub(crate) fn lease(
        &self,
        source: usize,
        token: Token,
        key: u64,
        sequence: u64,
        fence: &SharedFence,
    ) -> bool {
        let mut state = self.state.lock();
        if state
            .messages
            .insert((source, token), Under { key, sequence })
            .is_none()
        {
            *state.keys.entry(key).or_insert(0) += 1;
        }
        fence.is_raised(key)
            || state
                .leasing
                .get(&source)
                .is_some_and(|lowered| lowered.all || lowered.keys.contains(&key))
    }

    /// Notes that a message was dropped, before its origin is told: those of its key that
    /// follow it go back, too.
    pub(crate) fn drop_message(&self, source: usize, settled: &Settled, fence: &SharedFence) {
        if settled.verdict != Verdict::Reject
            && let Some(under) = self.state.lock().messages.get(&(source, settled.token))
        {
            fence.fail(under.key, under.sequence);
        }
    }

    /// Notes that a message is settled, after its origin was told.
    pub(crate) fn settle(&self, source: usize, token: Token, fence: &SharedFence) {
        let mut locked = self.state.lock();
        let state = &mut *locked;
        let Some(Under { key, .. }) = state.messages.remove(&(source, token)) else {
            return;
        };
        if let Entry::Occupied(mut count) = state.keys.entry(key) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
                // Under the lock: no message of the key is handed on in between.
                if fence.is_raised(key) {
                    for lowered in state.leasing.values_mut() {
                        lowered.keys.insert(key);
                    }
                    fence.settled_key_below(key, u64::MAX);
                }
            }
        }
        if state.keys.is_empty() && !fence.is_empty() {
            for lowered in state.leasing.values_mut() {
                lowered.all = true;
            }
            fence.settled_below(u64::MAX);
        }
    }
}
