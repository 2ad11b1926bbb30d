//! [`UnsettledKeys`]: which keys have messages under way, in a pipeline that keeps order.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

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
}

/// A message under way.
struct Under {
    key: u64,
    sequence: u64,
}

impl UnsettledKeys {
    /// Notes that `source` has handed on a message.
    pub(crate) fn lease(&self, source: usize, token: Token, key: u64, sequence: u64) {
        let mut state = self.state.lock();
        if state
            .messages
            .insert((source, token), Under { key, sequence })
            .is_none()
        {
            *state.keys.entry(key).or_insert(0) += 1;
        }
    }

    /// Notes that a message was dropped: those of its key that follow it go back, too.
    pub(crate) fn drop_message(&self, source: usize, settled: &Settled, fence: &SharedFence) {
        if settled.verdict != Verdict::Reject
            && let Some(under) = self.state.lock().messages.get(&(source, settled.token))
        {
            fence.fail(under.key, under.sequence);
        }
        self.settle(source, settled.token, fence);
    }

    /// Notes that a message is settled.
    pub(crate) fn settle(&self, source: usize, token: Token, fence: &SharedFence) {
        let mut state = self.state.lock();
        let Some(Under { key, .. }) = state.messages.remove(&(source, token)) else {
            return;
        };
        if let Entry::Occupied(mut count) = state.keys.entry(key) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
                // Under the lock: no message of the key is handed on in between.
                fence.settled_key_below(key, u64::MAX);
            }
        }
        if state.keys.is_empty() {
            fence.settled_below(u64::MAX);
        }
    }
}
