//! [`JsonLines`]: a file with a line of JSON for each order.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, Write};
use std::path::Path;

use serde::Deserialize;
use stages::BoxError;

use super::{Contents, Table};
use crate::orders::order::PricedOrder;

/// Lines are only added to it. An order that comes again is in it twice: whoever reads the
/// file takes the last line of each id.
pub(super) struct JsonLines(File);

/// What is read of a line, to count it.
#[derive(Deserialize)]
struct Stored {
    id: String,
    line: Option<u64>,
}

impl JsonLines {
    /// Opens the file, and cuts off a last line that has no end: its process was killed while
    /// it wrote, so its batch was not acknowledged, and comes again.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)?;
        let (mut complete, mut all) = (0, 0);
        for line in whole_lines(&file) {
            let line = line?;
            all += line.len() as u64;
            if line.ends_with(b"\n") {
                complete = all;
            }
        }
        if complete < all {
            file.set_len(complete)?;
        }
        Ok(Self(file))
    }
}

impl Table for JsonLines {
    fn write(&mut self, orders: &[PricedOrder]) -> Result<(), BoxError> {
        let mut lines = Vec::new();
        for order in orders {
            serde_json::to_writer(&mut lines, order)?;
            lines.push(b'\n');
        }
        let length = self.0.metadata()?.len();
        // A batch is acknowledged when this returns, so it has to be on the disk.
        let written = self.0.write_all(&lines).and_then(|()| self.0.sync_data());
        if let Err(error) = written {
            // Half a line would spoil the next one.
            self.0.set_len(length)?;
            return Err(error.into());
        }
        Ok(())
    }

    fn contents(&mut self) -> Result<Contents, BoxError> {
        self.0.rewind()?;
        let mut orders = HashMap::<String, (Option<u64>, u64)>::new();
        for line in whole_lines(&self.0) {
            let stored: Stored = serde_json::from_slice(&line?)?;
            orders.entry(stored.id).or_insert((stored.line, 0)).1 += 1;
        }
        let mut contents = Contents::default();
        for (line, times) in orders.into_values() {
            contents.add(line, times);
        }
        Ok(contents)
    }
}

/// Returns the lines with their ends.
fn whole_lines(file: &File) -> impl Iterator<Item = io::Result<Vec<u8>>> {
    let mut reader = BufReader::new(file);
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        match reader.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(Ok(line)),
            Err(error) => Some(Err(error)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::store::tests::order;

    #[test]
    fn a_line_that_was_cut_off_by_a_kill_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("orders.jsonl");
        let mut table = JsonLines::open(&path).unwrap();
        table.write(&[order(1, 10), order(2, 20)]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in 1..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut table = JsonLines::open(&path).unwrap();
            let lines = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(table.contents().unwrap().orders, lines as u64, "{cut}");
            table.write(&[order(3, 30)]).unwrap();
            assert_eq!(table.contents().unwrap().orders, lines as u64 + 1, "{cut}");
        }
    }

    #[test]
    fn what_is_stored_again_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let mut table = JsonLines::open(&dir.path().join("orders.jsonl")).unwrap();
        table.write(&[order(1, 10), order(2, 20)]).unwrap();
        table.write(&[order(2, 20)]).unwrap();
        let contents = table.contents().unwrap();
        assert_eq!((contents.orders, contents.duplicates), (2, 1));
        assert_eq!(contents.by_line, [(1, 1), (2, 2)].into());
    }
}
