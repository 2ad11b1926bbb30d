//! `supervised`: lines that nobody has looked at before, some of them bad.
//!
//! Orders come in as text. A stage parses them and keeps the stock, and it
//! fails: at a line that is no order, and at an order that its arithmetic did
//! not expect. It is *supervised*, so a failure costs it its state and nothing
//! else: its subscription, its demand and the lines that wait stay as they
//! were. Only too many failures in a short time end it for good.
//!
//! The line it failed on would make it fail again. The stage reads each line
//! where it is (`peek`) and takes it when it is done with it (`advance`), so
//! that line is still its own, and the dead-letter hook gets it together with
//! what went wrong.
//!
//! What to look for: three restarts, one dead letter for each, and all the
//! other orders are in the stock, once. That is not in the state, so it
//! survives: a restart is for getting rid of a state that may be broken.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stages::operators::from_iter;
use stages::prelude::*;

/// What there is of each article, outside of the state that starts over.
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
    /// Part of the state: starts over with it.
    done: u32,
}

impl Clerk {
    fn carry_out(&mut self, order: &str) -> StageResult {
        let (article, amount) = order.split_once(' ').ok_or("an order needs an amount")?;
        let amount: i32 = amount.parse()?;
        // A panic under the lock poisons it; what it guards is changed in one
        // step or not at all, so it is good all the same.
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
    // The dead letter says what the panic was, so that it need not print it too.
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
