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
//! and can be tested without running anything. This one is the code that the
//! book builds up, `docs/dispatcher.md`, where it runs through the conformance
//! suite as well.

use stages::operators::fold;
use stages::prelude::*;

#[path = "../../docs/round_robin.rs"]
#[allow(
    clippy::new_without_default,
    clippy::must_use_candidate,
    missing_docs,
    unreachable_pub,
    reason = "the book shows it without what only a published crate needs"
)]
mod round_robin;

use round_robin::RoundRobin;

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
