//! [`Sqlite`]: a table of orders in an SQLite file.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, params};
use stages::BoxError;

use super::{Contents, Table};
use crate::orders::order::PricedOrder;

/// An order that is stored again replaces itself, and counts how often.
const CREATE: &str = "
CREATE TABLE IF NOT EXISTS orders(
    id TEXT PRIMARY KEY,
    line INTEGER,
    customer TEXT NOT NULL,
    name TEXT NOT NULL,
    country TEXT NOT NULL,
    currency TEXT NOT NULL,
    total INTEGER NOT NULL,
    placed_at TEXT NOT NULL,
    times_stored INTEGER NOT NULL
) WITHOUT ROWID";

const UPSERT: &str = "
INSERT INTO orders(id, line, customer, name, country, currency, total, placed_at, times_stored)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1)
ON CONFLICT(id) DO UPDATE SET
    line = excluded.line, customer = excluded.customer, name = excluded.name,
    country = excluded.country, currency = excluded.currency, total = excluded.total,
    placed_at = excluded.placed_at, times_stored = times_stored + 1";

pub(super) struct Sqlite(Connection);

impl Sqlite {
    pub(super) fn open(path: &Path) -> Result<Self, BoxError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        let owner: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        if owner != 0 {
            return Err("it is an SQLite file of another application, such as a queue".into());
        }
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A commit has returned when it is on the disk: only then is a message acknowledged.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(CREATE)?;
        // A table of this name with other columns is found now, and not by the first batch.
        connection.prepare_cached(UPSERT)?;
        Ok(Self(connection))
    }
}

impl Table for Sqlite {
    /// Stores all orders in one transaction. Dropped on an error, it is rolled back.
    fn write(&mut self, orders: &[PricedOrder]) -> Result<(), BoxError> {
        let transaction = self.0.transaction()?;
        let mut upsert = transaction.prepare_cached(UPSERT)?;
        for order in orders {
            upsert.execute(params![
                order.id,
                order.line,
                order.customer,
                order.name,
                order.country,
                order.currency,
                order.total,
                order.placed_at,
            ])?;
        }
        drop(upsert);
        Ok(transaction.commit()?)
    }

    fn contents(&mut self) -> Result<Contents, BoxError> {
        let mut select = self.0.prepare("SELECT line, times_stored FROM orders")?;
        let mut rows = select.query([])?;
        let mut contents = Contents::default();
        while let Some(row) = rows.next()? {
            contents.add(row.get(0)?, row.get(1)?);
        }
        Ok(contents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::store::tests::order;

    #[test]
    fn storing_again_replaces_and_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("orders.sqlite");
        let mut table = Sqlite::open(&path).unwrap();
        table.write(&[order(1, 10), order(2, 20)]).unwrap();
        table.write(&[order(2, 21), order(2, 22)]).unwrap();
        drop(table);

        let mut table = Sqlite::open(&path).unwrap();
        let contents = table.contents().unwrap();
        assert_eq!((contents.orders, contents.duplicates), (2, 2));
        assert_eq!(contents.by_line, [(1, 1), (2, 3)].into());
        let total: i64 = table
            .0
            .query_row("SELECT total FROM orders WHERE line = 2", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(total, 22);
    }

    #[test]
    fn a_batch_is_stored_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let mut table = Sqlite::open(&dir.path().join("orders.sqlite")).unwrap();
        table
            .0
            .execute_batch(
                "CREATE TRIGGER full BEFORE INSERT ON orders WHEN NEW.line = 2
                 BEGIN SELECT RAISE(ABORT, 'no room'); END",
            )
            .unwrap();
        let error = table.write(&[order(1, 10), order(2, 20)]).unwrap_err();
        assert!(error.to_string().contains("no room"), "{error}");
        assert_eq!(table.contents().unwrap(), Contents::default());
    }

    #[test]
    fn another_table_of_this_name_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("other.sqlite");
        let other = Connection::open(&path).unwrap();
        other.execute_batch("CREATE TABLE orders(id TEXT)").unwrap();
        assert!(Sqlite::open(&path).is_err());

        other
            .pragma_update(None, "application_id", 0x5354_4751)
            .unwrap();
        let error = Sqlite::open(&path).map(drop).unwrap_err().to_string();
        assert!(error.contains("another application"), "{error}");
    }
}
