//! Reference: elixir-lang/gen_stage issue 77, "No new demand upon re-subscription?"
//!
//! A consumer leaves, and it or another one comes back. What it asks for then has to
//! reach a producer that had nothing the first time.

use std::sync::Arc;
use std::sync::Mutex;

use super::support::*;
use stage_runtime::prelude::*;

/// Reads a table when it is asked. Remembers no demand: the framework does.
struct Table {
    rows: Arc<Mutex<Vec<u64>>>,
    calls: Arc<Mutex<Vec<usize>>>,
}

impl Producer for Table {
    type Event = u64;

    async fn handle_demand(&mut self, demand: usize, out: &mut Emitter<'_, u64>) -> StageResult {
        self.calls.lock().unwrap().push(demand);
        let mut rows = self.rows.lock().unwrap();
        let count = rows.len().min(demand);
        out.extend(rows.drain(..count).collect::<Vec<_>>());
        Ok(())
    }
}

#[test]
fn a_new_consumer_is_new_demand_also_when_another_one_left_before() {
    both(8, || async {
        let rows = Arc::new(Mutex::new(Vec::new()));
        let calls = Arc::new(Mutex::new(Vec::new()));
        let table = Table {
            rows: Arc::clone(&rows),
            calls: Arc::clone(&calls),
        };
        let table = table.stage().spawn();

        let first = all::<u64>().stage().spawn();
        let ten = || {
            table
                .subscription()
                .max_demand(10)
                .on_cancel(CancelMode::Temporary)
        };
        let id = first.subscribe(ten()).await.unwrap();
        until("the table is asked", || !calls.lock().unwrap().is_empty()).await;
        first.cancel(id, "not now");
        first.stop("gone");
        first.outcome().await;

        rows.lock().unwrap().extend(0..10);
        let seen = seen();
        let _second = slow(&seen, 0).stage().subscribe_to(ten()).spawn();
        until("the second consumer gets what is there now", || {
            seen.lock().unwrap().len() == 10
        })
        .await;
    });
}

#[test]
fn the_same_consumer_comes_back() {
    both(8, || async {
        let rows = Arc::new(Mutex::new(Vec::new()));
        let table = Table {
            rows: Arc::clone(&rows),
            calls: Arc::default(),
        }
        .stage()
        .spawn();
        let seen = seen();
        let consumer = slow(&seen, 0).stage().spawn();
        let ten = || {
            table
                .subscription()
                .max_demand(10)
                .on_cancel(CancelMode::Temporary)
        };
        for round in 1..=5 {
            let id = consumer.subscribe(ten()).await.unwrap();
            ms(2).await;
            consumer.cancel(id, "again");
            ms(2).await;
            rows.lock().unwrap().extend(0..3);
            let id = consumer.subscribe(ten()).await.unwrap();
            until("what is there arrives", || {
                seen.lock().unwrap().len() == 3 * round
            })
            .await;
            consumer.cancel(id, "again");
            ms(2).await;
        }
    });
}
