//! `dispatcher`: a user-defined dispatcher, round-robin.
//!
//! The default dispatcher gives each event to the subscriber with the highest
//! demand, so a fast consumer gets more events. To give all subscribers the
//! same number, this dispatcher gives each event to the next subscriber in
//! turn. A subscriber without demand is skipped, and goes to the end of the
//! queue when it asks again.
//!
//! A dispatcher only decides. The stage tells it of subscriptions, asks and
//! events, and it writes down which subscriber gets which event; the stage
//! waits, sends, buffers, and asks upstream. So a dispatcher is plain data, and
//! can be tested without a runtime. The code of this one is built up step by
//! step in the book, in `docs/dispatcher.md`, which also runs it through the
//! conformance suite.

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

    /// Deals once all players have asked. Until then it emits nothing, and is
    /// called again with the sum of the demand so far.
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
