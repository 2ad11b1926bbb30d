//! Random commands, compared with a model of the queue: plain data, with time as an argument.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use stage_queue::{
    LeaseOptions, Leased, ManualClock, NewMessage, Queue, Settled, Token, Topic, TopicOptions,
    Verdict,
};

use crate::support::{fast, stats};

const NODES: usize = 2;
const CAP: u32 = 3;

#[derive(Debug, Clone)]
enum Command {
    Enqueue {
        key: u8,
        priority: i16,
        delay: u16,
        deduplicate: Option<(u8, u16)>,
    },
    Lease {
        node: usize,
        count: usize,
    },
    /// Settles a lease of any time: `which` chooses among all that there ever were.
    Settle {
        node: usize,
        which: usize,
        verdict: Verdict,
    },
    /// Acknowledges all that a node has leased.
    AckAll {
        node: usize,
    },
    Advance(u16),
    Reopen {
        node: usize,
    },
    RetryDead,
    ClearDead,
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        3 => Just(Verdict::Ack),
        2 => Just(Verdict::Release),
        2 => (0_u64..300).prop_map(|ms| Verdict::Retry(Duration::from_millis(ms))),
        1 => Just(Verdict::Reject),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let node = 0..NODES;
    prop_oneof![
        6 => (0_u8..4, -2_i16..3, prop_oneof![2 => Just(0_u16), 1 => 1_u16..500], prop::option::weighted(0.2, (0_u8..3, 1_u16..400)))
            .prop_map(|(key, priority, delay, deduplicate)| Command::Enqueue { key, priority, delay, deduplicate }),
        4 => (node.clone(), 1_usize..5).prop_map(|(node, count)| Command::Lease { node, count }),
        6 => (node.clone(), any::<usize>(), verdict()).prop_map(|(node, which, verdict)| Command::Settle { node, which, verdict }),
        1 => node.clone().prop_map(|node| Command::AckAll { node }),
        3 => (1_u16..400).prop_map(Command::Advance),
        1 => node.prop_map(|node| Command::Reopen { node }),
        1 => Just(Command::RetryDead),
        1 => Just(Command::ClearDead),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ready,
    Delayed { due: i64, retried: bool },
    Leased { node: usize, token: Token },
    Dead,
}

#[derive(Debug, Clone)]
struct Message {
    key: u8,
    priority: i16,
    deliveries: u32,
    state: State,
}

/// What a queue is, said as simply as possible.
#[derive(Debug, Default)]
struct Model {
    now: i64,
    messages: BTreeMap<u64, Message>,
    deduplication: HashMap<u8, (u64, i64)>,
    counts: Counts,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    enqueued: u64,
    duplicates: u64,
    acked: u64,
    released: u64,
    retried: u64,
    rejected: u64,
    expired: u64,
}

impl Model {
    /// Returns the number of the earlier one, if it is a duplicate.
    fn enqueue(
        &mut self,
        id: u64,
        key: u8,
        priority: i16,
        delay: u16,
        deduplicate: Option<(u8, u16)>,
    ) -> Option<u64> {
        if let Some((name, within)) = deduplicate {
            if let Some((earlier, until)) = self.deduplication.get(&name)
                && *until > self.now
            {
                self.counts.duplicates += 1;
                return Some(*earlier);
            }
            self.deduplication
                .insert(name, (id, self.now + i64::from(within)));
        }
        let state = match delay {
            0 => State::Ready,
            delay => State::Delayed {
                due: self.now + i64::from(delay),
                retried: false,
            },
        };
        self.messages.insert(
            id,
            Message {
                key,
                priority,
                deliveries: 0,
                state,
            },
        );
        self.counts.enqueued += 1;
        None
    }

    fn wake(&mut self) {
        for message in self.messages.values_mut() {
            if let State::Delayed { due, .. } = message.state
                && due <= self.now
            {
                message.state = State::Ready;
            }
        }
    }

    /// The messages that a lease of an unordered topic gives out, in order; those that were
    /// delivered too often are buried on the way.
    fn lease(&mut self, count: usize) -> Vec<u64> {
        self.wake();
        let mut ready: Vec<(i32, u64)> = self
            .messages
            .iter()
            .filter(|(_, message)| message.state == State::Ready)
            .map(|(id, message)| (-i32::from(message.priority), *id))
            .collect();
        ready.sort_unstable();
        let mut given = Vec::new();
        // It looks at no more than it was asked for.
        for (_, id) in ready.into_iter().take(count) {
            let Some(message) = self.messages.get_mut(&id) else {
                continue;
            };
            if message.deliveries >= CAP {
                message.state = State::Dead;
                self.counts.rejected += 1;
            } else {
                given.push(id);
            }
        }
        given
    }

    fn leased(&mut self, node: usize, one: &Leased) {
        let message = self.messages.get_mut(&one.id.0).unwrap();
        message.deliveries += 1;
        assert_eq!(message.deliveries, one.deliveries, "message {}", one.id);
        message.state = State::Leased {
            node,
            token: one.token,
        };
    }

    /// Returns whether the verdict was on a current delivery.
    fn settle(&mut self, node: usize, token: Token, verdict: Verdict) -> bool {
        let Some(message) = self.messages.get_mut(&token.id) else {
            return false;
        };
        if message.state != (State::Leased { node, token }) {
            return false;
        }
        match verdict {
            Verdict::Ack => {
                self.messages.remove(&token.id);
                self.counts.acked += 1;
            }
            Verdict::Release => {
                message.deliveries -= 1;
                message.state = State::Ready;
                self.counts.released += 1;
            }
            Verdict::Retry(delay) => {
                let due = self.now + i64::try_from(delay.as_millis()).unwrap();
                message.state = State::Delayed { due, retried: true };
                self.counts.retried += 1;
            }
            Verdict::Reject => {
                message.state = State::Dead;
                self.counts.rejected += 1;
            }
        }
        true
    }

    fn expire(&mut self, gone: usize) {
        for message in self.messages.values_mut() {
            if let State::Leased { node, .. } = message.state
                && node == gone
            {
                message.state = State::Ready;
                self.counts.expired += 1;
            }
        }
    }

    fn count(&self, which: impl Fn(State) -> bool) -> u64 {
        self.messages
            .values()
            .filter(|message| which(message.state))
            .count() as u64
    }

    /// Whether an ordered topic may give a message to a node.
    fn may_have(&self, node: usize, id: u64) -> bool {
        let key = self.messages[&id].key;
        self.messages
            .range(..id)
            .filter(|(_, earlier)| earlier.key == key)
            .all(|(_, earlier)| match earlier.state {
                State::Delayed { retried, .. } => !retried,
                State::Leased { node: holder, .. } => holder == node,
                // What is ready is given out first.
                State::Ready => false,
                State::Dead => true,
            })
    }
}

/// The queue and the model, side by side.
struct Pair {
    model: Model,
    ordered: bool,
    clock: Arc<ManualClock>,
    nodes: Vec<(Queue, Topic)>,
    history: Vec<(usize, u32, Token)>,
    /// How often a node was opened again: tokens of before are stale.
    opened: Vec<u32>,
    dir: tempfile::TempDir,
    seen: u64,
}

impl Pair {
    async fn new(ordered: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(1_000_000));
        let model = Model {
            now: 1_000_000,
            ..Model::default()
        };
        let mut pair = Self {
            model,
            ordered,
            clock,
            nodes: Vec::new(),
            history: Vec::new(),
            opened: vec![0; NODES],
            dir,
            seen: 0,
        };
        for _ in 0..NODES {
            let node = pair.open().await;
            pair.nodes.push(node);
        }
        pair
    }

    async fn open(&self) -> (Queue, Topic) {
        let queue = Queue::open(self.dir.path().join("queue.db"), fast(&self.clock)).unwrap();
        let options = if self.ordered {
            TopicOptions::new().ordered()
        } else {
            TopicOptions::new()
        };
        let topic = queue.create_topic("t", options).await.unwrap();
        (queue, topic)
    }

    async fn run(&mut self, command: Command) {
        match command {
            Command::Enqueue {
                key,
                priority,
                delay,
                deduplicate,
            } => {
                let priority = if self.ordered { 0 } else { priority };
                let mut message = NewMessage::new("x")
                    .with_key(key.to_string())
                    .with_priority(priority)
                    .with_delay(Duration::from_millis(delay.into()));
                if let Some((name, within)) = deduplicate {
                    message = message
                        .deduplicated(name.to_string(), Duration::from_millis(within.into()));
                }
                let enqueued = self.nodes[0].1.enqueue(message).await.unwrap();
                let earlier = self
                    .model
                    .enqueue(self.seen + 1, key, priority, delay, deduplicate);
                assert_eq!(
                    (enqueued.id.0, enqueued.duplicate),
                    (earlier.unwrap_or(self.seen + 1), earlier.is_some())
                );
                self.seen += u64::from(earlier.is_none());
            }
            Command::Lease { node, count } => {
                let mut out = Vec::new();
                self.nodes[node]
                    .1
                    .lease(count, LeaseOptions::new().max_deliveries(CAP), &mut out)
                    .await
                    .unwrap();
                if self.ordered {
                    self.check_ordered(node, count, &out).await;
                } else {
                    let expected = self.model.lease(count);
                    assert_eq!(out.iter().map(|one| one.id.0).collect::<Vec<_>>(), expected);
                    for one in &out {
                        self.model.leased(node, one);
                    }
                }
                let opened = self.opened[node];
                self.history
                    .extend(out.iter().map(|one| (node, opened, one.token)));
            }
            Command::Settle {
                node,
                which,
                verdict,
            } => {
                let Some((_, opened, token)) =
                    self.history.get(which % self.history.len().max(1)).copied()
                else {
                    return;
                };
                let of_now = opened == self.opened[node];
                self.settle(node, &[(token, of_now)], verdict).await;
            }
            Command::AckAll { node } => {
                let all: Vec<(Token, bool)> = self
                    .model
                    .messages
                    .values()
                    .filter_map(|message| match message.state {
                        State::Leased {
                            node: holder,
                            token,
                        } if holder == node => Some((token, true)),
                        _ => None,
                    })
                    .collect();
                self.settle(node, &all, Verdict::Ack).await;
            }
            Command::Advance(ms) => {
                self.clock.advance(Duration::from_millis(ms.into()));
                self.model.now += i64::from(ms);
            }
            Command::Reopen { node } => {
                self.nodes[node].0.close().await.unwrap();
                let open = self.open().await;
                self.nodes[node] = open;
                self.opened[node] += 1;
                self.model.expire(node);
            }
            Command::RetryDead => {
                let expected = self.model.count(|state| state == State::Dead);
                assert_eq!(
                    self.nodes[0].1.dead_letters().retry_all().await.unwrap(),
                    expected
                );
                for message in self
                    .model
                    .messages
                    .values_mut()
                    .filter(|message| message.state == State::Dead)
                {
                    (message.state, message.deliveries) = (State::Ready, 0);
                }
            }
            Command::ClearDead => {
                let expected = self.model.count(|state| state == State::Dead);
                assert_eq!(
                    self.nodes[0].1.dead_letters().clear().await.unwrap(),
                    expected
                );
                self.model
                    .messages
                    .retain(|_, message| message.state != State::Dead);
            }
        }
    }

    async fn settle(&mut self, node: usize, tokens: &[(Token, bool)], verdict: Verdict) {
        let mut settled: Vec<Settled> = tokens
            .iter()
            .map(|(token, _)| Settled::new(*token, verdict))
            .collect();
        self.nodes[node].0.settle(&mut settled).await.unwrap();
        for (settled, (token, of_now)) in settled.iter().zip(tokens) {
            // The numbers of leases begin again with each opening, and with each node: what
            // names a delivery is the node with its token.
            let current = self.model.settle(node, *token, verdict);
            assert_eq!(
                settled.stale, !current,
                "{token:?} of this opening: {of_now}"
            );
        }
    }

    /// An ordered topic decides within bounds: what it gives out is allowed, in order, and it
    /// gives out something if anything is allowed that nothing of its key was given before.
    async fn check_ordered(&mut self, node: usize, count: usize, out: &[Leased]) {
        self.model.wake();
        let dead = self.nodes[node]
            .1
            .dead_letters()
            .list(None, 1_000)
            .await
            .unwrap();
        let dead: Vec<u64> = dead.iter().map(|letter| letter.id.0).collect();
        let mut last = 0;
        let mut given = 0;
        let ready: Vec<u64> = self
            .model
            .messages
            .iter()
            .filter(|(_, message)| message.state == State::Ready)
            .map(|(id, _)| *id)
            .collect();
        let mut out = out.iter().peekable();
        for id in ready {
            if given == count {
                break;
            }
            if let Some(one) = out.next_if(|one| one.id.0 == id) {
                assert!(id > last, "message {id} after {last}");
                assert!(
                    self.model.may_have(node, id),
                    "message {id} was given to node {node} before its turn"
                );
                self.model.leased(node, one);
                last = id;
                given += 1;
                continue;
            }
            let message = self.model.messages[&id].clone();
            if !self.model.may_have(node, id) {
                continue;
            }
            if dead.contains(&id) {
                assert!(
                    message.deliveries >= CAP,
                    "message {id} was buried too early"
                );
                self.model.messages.get_mut(&id).unwrap().state = State::Dead;
                self.model.counts.rejected += 1;
                continue;
            }
            // Held by this node itself: it may wait until the key is free.
            let held = self.model.messages.values().any(|other| {
                let holds = matches!(
                    other.state,
                    State::Leased { .. } | State::Delayed { retried: true, .. }
                );
                holds && other.key == message.key
            });
            assert!(
                held,
                "message {id} is free, and was not given to node {node}"
            );
        }
        assert!(
            out.next().is_none(),
            "{:?} was given out, and is not ready",
            out.next()
        );
    }

    async fn compare(&self) {
        let stats = stats(&self.nodes[0].0, "t").await;
        let counts = Counts {
            enqueued: stats.enqueued,
            duplicates: stats.duplicates,
            acked: stats.acked,
            released: stats.released,
            retried: stats.retried,
            rejected: stats.rejected,
            expired: stats.expired,
        };
        assert_eq!(counts, self.model.counts);
        assert_eq!(stats.dead, self.model.count(|state| state == State::Dead));
        assert_eq!(
            stats.leased,
            self.model
                .count(|state| matches!(state, State::Leased { .. }))
        );
        let waiting = self
            .model
            .count(|state| matches!(state, State::Ready | State::Delayed { .. }));
        assert_eq!(stats.ready + stats.delayed, waiting);
        let held = waiting + stats.leased;
        assert_eq!(stats.bytes, held * 2);
    }

    /// Whatever has happened, everything can be delivered in the end.
    async fn finish(mut self) {
        self.clock.advance(Duration::from_secs(1_000));
        self.model.now += 1_000_000;
        for node in 0..NODES {
            self.run(Command::Reopen { node }).await;
        }
        self.run(Command::RetryDead).await;
        let mut last_of_key: HashMap<u8, u64> = HashMap::new();
        while self.model.count(|state| state != State::Dead) > 0 {
            let before = (self.model.messages.len(), self.model.counts.rejected);
            self.run(Command::Lease { node: 0, count: 3 }).await;
            for (id, message) in &self.model.messages {
                if self.ordered && matches!(message.state, State::Leased { .. }) {
                    let last = last_of_key.insert(message.key, *id);
                    assert!(
                        last < Some(*id),
                        "message {id} of key {} after {last:?}",
                        message.key
                    );
                }
            }
            self.run(Command::AckAll { node: 0 }).await;
            let after = (self.model.messages.len(), self.model.counts.rejected);
            assert!(after != before, "nothing moves: {:?}", self.model.messages);
        }
        self.compare().await;
        for (queue, _) in &self.nodes {
            queue.close().await.unwrap();
        }
        stage_queue::check(self.dir.path().join("queue.db")).unwrap();
    }
}

fn run(ordered: bool, commands: Vec<Command>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut pair = Pair::new(ordered).await;
        for command in commands {
            pair.run(command).await;
        }
        pair.compare().await;
        pair.finish().await;
    });
}

/// `STAGE_QUEUE_CASES` makes it look longer.
fn cases() -> u32 {
    std::env::var("STAGE_QUEUE_CASES").map_or(40, |text| text.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_unordered_topic_does_what_the_model_does(commands in prop::collection::vec(command(), 1..80)) {
        run(false, commands);
    }

    #[test]
    fn an_ordered_topic_keeps_to_what_the_model_allows(commands in prop::collection::vec(command(), 1..80)) {
        run(true, commands);
    }
}
