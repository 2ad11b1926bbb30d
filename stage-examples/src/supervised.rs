//! `supervised`: a stage that restarts when it fails on bad input.
//!
//! Orders arrive as text. A stage parses them and keeps the stock. It fails on
//! a line that is not an order, and panics on an order for more than there is
//! in stock. The stage is *supervised*, so that a failure costs it only its
//! state: its subscription, its demand and the queued lines stay as they were.
//! Only too many failures in a short time end the stage.
//!
//! A retry of the line it failed on would fail again. The stage reads each line
//! in place (`peek`) and takes it once it is done with it (`advance`). So the
//! line is still in the batch when the stage fails, and the dead-letter hook
//! gets it together with the error.
//!
//! What to look for: three restarts with a dead letter for each, and all other
//! orders in the stock, once. The stock is kept outside the state, so it
//! survives: a restart replaces a state that may be broken.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stages::operators::from_iter;
use stages::prelude::*;

/// The amount of each article, kept outside the state, which a restart
/// replaces.
type Stock = Arc<Mutex<BTreeMap<String, u32>>>;

const ORDERS: [&str; 8] = [
    "apples +30",
    "pears +12",
    "apples -10",
    "apples",    // no amount
    "pears -20", // more than there are: the subtraction panics
    "plums +7",
    "apples lots", // no number
    "pears -2",
];

/// Parses orders and carries them out.
struct Clerk {
    stock: Stock,
    /// Part of the state: a restart resets it.
    done: u32,
}

impl Clerk {
    fn carry_out(&mut self, order: &str) -> StageResult {
        let (article, amount) = order.split_once(' ').ok_or("an order needs an amount")?;
        let amount: i32 = amount.parse()?;
        // A panic under the lock poisons it. The map is changed in a single
        // step or not at all, so it is valid nevertheless.
        let mut stock = self.stock.lock().unwrap_or_else(PoisonError::into_inner);
        let before = stock.get(article).copied().unwrap_or(0);
        let after = before.checked_add_signed(amount);
        stock.insert(
            article.to_owned(),
            after.unwrap_or_else(|| panic!("{before} {article} are too few")),
        );
        self.done += 1;
        println!("clerk: {order} is my number {}", self.done);
        Ok(())
    }
}

impl Consumer for Clerk {
    type Event = &'static str;

    async fn handle_events(
        &mut self,
        orders: &mut Batch<Self::Event>,
        _cx: &mut Context<'_>,
    ) -> StageResult {
        while let Some(order) = orders.peek() {
            self.carry_out(order)?;
            orders.advance(1);
        }
        Ok(())
    }
}

pub(crate) async fn run() -> Result<(), BoxError> {
    // The dead letter contains the panic message, so the panic hook need not
    // print it.
    std::panic::set_hook(Box::new(|_| {}));

    let pipeline = Pipeline::new();
    let stock = Stock::default();
    let kept = Arc::clone(&stock);
    let orders = from_iter(ORDERS)
        .stage()
        .name("orders")
        .in_group(&pipeline)
        .spawn();
    let clerk = supervised(move || Clerk {
        stock: Arc::clone(&kept),
        done: 0,
    })
    .restart(
        Restart::on_failure()
            .max_restarts(5)
            .within(Duration::from_secs(10))
            .backoff(Duration::from_millis(10), Duration::from_millis(100)),
    )
    .stage()
    .name("clerk")
    .dead_letters(|letter| println!("dead letter: {:?}: {}", letter.events, letter.failure))
    .subscribe_to(&orders)
    .in_group(&pipeline)
    .spawn();
    pipeline.join().await?;

    let stock = stock.lock().unwrap_or_else(PoisonError::into_inner);
    println!("in stock: {stock:?}");
    let stats = clerk.stats();
    println!(
        "{} restarts, {} dead letters, {} events lost",
        stats.restarts, stats.dead_lettered, stats.lost
    );
    Ok(())
}
