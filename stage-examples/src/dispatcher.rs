//! `dispatcher`: one of your own, round-robin.
//!
//! The default dispatcher gives each event to whoever has asked for the most,
//! so a fast consumer gets more. Sometimes everybody should have the same:
//! here each event goes to the next subscriber in turn. Who has no demand
//! left is passed over, and takes its place at the end when it asks again.
//!
//! A dispatcher only decides. It is told who subscribes, who asks and what
//! there is to send, and writes down who gets what; the stage does the rest:
//! it waits, sends, buffers, and asks upstream. So a dispatcher is plain data,
//! and can be tested without running anything.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;

use stages::prelude::*;
use stages::{Deliveries, Dispatcher, SubscribeError};

/// Sends each event to the next subscriber that has demand.
struct RoundRobin<E> {
    demand: BTreeMap<SubscriptionId, usize>,
    /// Those with demand, in the order in which it is their turn.
    turns: VecDeque<SubscriptionId>,
    /// What this call of `dispatch` gives to each; empty between calls.
    shares: BTreeMap<SubscriptionId, Vec<E>>,
}

impl<E> RoundRobin<E> {
    const fn new() -> Self {
        Self {
            demand: BTreeMap::new(),
            turns: VecDeque::new(),
            shares: BTreeMap::new(),
        }
    }

    /// Whose turn it is. Uses up one of its demand.
    fn next(&mut self) -> Option<SubscriptionId> {
        let id = self.turns.pop_front()?;
        let demand = self.demand.get_mut(&id)?;
        *demand -= 1;
        if *demand > 0 {
            self.turns.push_back(id);
        }
        Some(id)
    }
}

impl<E: Send> Dispatcher for RoundRobin<E> {
    type Event = E;
    /// A subscriber need not say anything. A selector or a partition would be
    /// here, and the compiler would ask every subscriber for it.
    type Route = ();

    fn subscribe(&mut self, id: SubscriptionId, _route: ()) -> Result<usize, SubscribeError> {
        if self.demand.contains_key(&id) {
            return Err(SubscribeError::AlreadySubscribed { id });
        }
        self.demand.insert(id, 0);
        Ok(0)
    }

    /// The demand that the subscriber leaves behind has been passed upstream.
    /// What comes for it is left over below, waits in the producer's buffer
    /// and goes to whoever asks next.
    fn cancel(&mut self, id: SubscriptionId, _out: &mut Deliveries<E>) -> usize {
        self.demand.remove(&id);
        self.turns.retain(|turn| *turn != id);
        0
    }

    /// Returns what to ask upstream for: all of it, since nothing is kept in
    /// here.
    fn ask(&mut self, id: SubscriptionId, more: NonZeroUsize, _out: &mut Deliveries<E>) -> usize {
        let Some(demand) = self.demand.get_mut(&id) else {
            return 0;
        };
        if *demand == 0 {
            self.turns.push_back(id);
        }
        *demand = demand.saturating_add(more.get());
        more.get()
    }

    /// Returns what nobody has demand for: the producer buffers it.
    fn dispatch(&mut self, mut events: Batch<E>, out: &mut Deliveries<E>) -> Batch<E> {
        while !events.is_empty() {
            let Some(id) = self.next() else { break };
            self.shares
                .entry(id)
                .or_default()
                .extend(events.pop_front());
        }
        while let Some((id, share)) = self.shares.pop_first() {
            out.deliver(id, Batch::from(share));
        }
        events
    }
}

const PLAYERS: usize = 3;
const HAND: usize = 4;

struct Deck;

impl Producer for Deck {
    type Event = usize;

    /// Deals when everybody has asked. Until then it emits nothing, and is
    /// called again with the demand of all who have asked so far.
    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, usize>) -> StageResult {
        if demand == PLAYERS * HAND {
            out.extend(1..=demand);
            out.complete();
        }
        Ok(())
    }
}

pub(crate) async fn run() -> Result<(), BoxError> {
    let deck = Deck.stage().dispatcher(RoundRobin::new()).spawn();
    let mut players = Vec::new();
    for n in 1..=PLAYERS {
        let player = fold(Vec::new(), |mut hand, card| {
            hand.push(card);
            hand
        });
        let player = player
            .stage()
            .name(format!("player {n}"))
            .subscribe_to(deck.subscription().max_demand(HAND))
            .spawn();
        players.push(player);
    }
    for player in players {
        let name = player.name().to_owned();
        println!("{name} was dealt {:?}", player.output().await?);
    }
    Ok(())
}
