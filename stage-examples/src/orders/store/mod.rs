//! [`Store`]: where valid orders end up, and the batch handler that puts them there.
//!
//! A table in a file is written by blocking calls, so the batch handler has them made on a
//! thread for such calls: `tokio::task::spawn_blocking`. The thread gets the rows and the
//! table; the messages stay in the batch, and are acknowledged when the call has returned.
//!
//! An order may come more than once: when a process is killed after it has stored a batch, and
//! before the queue has heard of it. So a store has to take an order twice without harm.

mod json_lines;
mod sqlite;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use stage_pipeline::{BatchHandler, Failed, MessageBatch};
use stages::BoxError;
use tokio::task::spawn_blocking;

use self::json_lines::JsonLines;
use self::sqlite::Sqlite;
use super::events::{Event, Events};
use super::order::PricedOrder;
use crate::usage::UsageError;

/// A file of orders.
trait Table: Send {
    /// Stores orders. When it returns, they are on the disk, all of them.
    fn write(&mut self, orders: &[PricedOrder]) -> Result<(), BoxError>;

    /// Counts how often each order was stored, by its line, or by its id if that is not
    /// known.
    fn contents(&mut self) -> Result<Contents, BoxError>;
}

/// What is in a store.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// Different orders.
    pub(crate) orders: u64,
    /// How often one was stored that had been stored before.
    pub(crate) duplicates: u64,
    /// How often the order of each line was stored.
    pub(crate) by_line: BTreeMap<u64, u64>,
}

impl Contents {
    fn add(&mut self, line: Option<u64>, times: u64) {
        self.orders += 1;
        self.duplicates += times.saturating_sub(1);
        if let Some(line) = line {
            *self.by_line.entry(line).or_default() += times;
        }
    }
}

/// Which kind of store, and its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A table of an SQLite file.
    Sqlite(PathBuf),
    /// A file of JSON lines.
    JsonLines(PathBuf),
}

impl Target {
    /// Returns the file.
    pub(crate) fn path(&self) -> &Path {
        let (Self::Sqlite(path) | Self::JsonLines(path)) = self;
        path
    }
}

/// A file of orders that all batch handlers share. A clone is the same store.
#[derive(Clone)]
pub(crate) struct Store {
    table: Arc<Mutex<dyn Table>>,
    events: Events,
}

impl Store {
    /// Opens the file, or creates it.
    ///
    /// # Errors
    ///
    /// [`UsageError`] if it cannot be opened, or is something else.
    pub(crate) fn open(target: &Target, events: Events) -> Result<Self, UsageError> {
        let table: Arc<Mutex<dyn Table>> = match target {
            Target::Sqlite(path) => {
                Arc::new(Mutex::new(Sqlite::open(path).map_err(|error| {
                    UsageError::file("the database", path, error)
                })?))
            }
            Target::JsonLines(path) => Arc::new(Mutex::new(
                JsonLines::open(path)
                    .map_err(|error| UsageError::file("the output", path, error))?,
            )),
        };
        Ok(Self { table, events })
    }

    /// Returns a batch handler that writes to it.
    pub(crate) fn handler(&self) -> StoreHandler {
        StoreHandler(self.clone())
    }

    /// Reads what is in it.
    ///
    /// # Errors
    ///
    /// Those of the file.
    pub(crate) async fn contents(&self) -> Result<Contents, BoxError> {
        let table = Arc::clone(&self.table);
        spawn_blocking(move || table.lock().contents()).await?
    }
}

/// Stores batches of orders.
pub(crate) struct StoreHandler(Store);

impl BatchHandler for StoreHandler {
    type Data = PricedOrder;

    /// Fails the whole batch if it cannot be stored: it is one transaction.
    async fn handle_batch(&mut self, batch: &mut MessageBatch<PricedOrder>) -> Result<(), Failed> {
        let orders: Vec<PricedOrder> = batch.data().cloned().collect();
        let count = orders.len() as u64;
        let table = Arc::clone(&self.0.table);
        spawn_blocking(move || table.lock().write(&orders)).await??;
        self.0.events.emit(Event::Stored { orders: count });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An order from this line with this total.
    pub(super) fn order(line: u64, total: i64) -> PricedOrder {
        PricedOrder {
            id: format!("order {line}"),
            line: Some(line),
            customer: "c-0001".into(),
            name: "Ada".into(),
            country: "GB".into(),
            currency: "EUR".into(),
            total,
            placed_at: "2026-01-01T00:00:00Z".into(),
        }
    }
}
