//! Runs the program in a folder of its own.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), contents).unwrap();
    }

    /// The program with these arguments, separated by spaces.
    pub(crate) fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stage-examples"));
        command.args(args.split(' ')).current_dir(&self.0);
        command
    }

    pub(crate) fn run(&self, args: &str) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs the program, which has to succeed and to be silent on standard error. Returns its
    /// standard output.
    pub(crate) fn text(&self, args: &str) -> String {
        let output = self.run(args);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{args}: {stderr}");
        assert_eq!(stderr, "", "{args}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// As [`text`](Self::text), for output that is one line of JSON.
    pub(crate) fn json(&self, args: &str) -> Value {
        let text = self.text(args);
        assert_eq!(text.lines().count(), 1, "{args}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Starts the program, with its output to be read.
    pub(crate) fn start(&self, args: &str) -> Child {
        let mut command = self.command(args);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        piped.stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Waits until the running program has stored an order in the database.
    pub(crate) fn wait_for_stored(&self, running: &mut Child) {
        let count = |table| self.select("orders.sqlite", &format!("SELECT count(*) FROM {table}"));
        while !self.path("orders.sqlite").exists()
            || count("sqlite_schema") == 0
            || count("orders") == 0
        {
            assert_eq!(running.try_wait().unwrap(), None, "it has ended");
            sleep(Duration::from_millis(5));
        }
    }

    /// A number from an SQLite file.
    pub(crate) fn select(&self, file: &str, sql: &str) -> u64 {
        let db = Connection::open(self.path(file)).unwrap();
        db.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

/// A number of a JSON object.
pub(crate) fn number(value: &Value, name: &str) -> u64 {
    let number = value[name].as_u64();
    number.unwrap_or_else(|| panic!("no number `{name}` in {value}"))
}

/// Sends Ctrl-C.
pub(crate) fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(sent.success());
}

/// Waits for the end, which has to be a success, and returns the line of JSON.
pub(crate) fn end(child: Child) -> Value {
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {stderr}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A valid order with this id, as a line of JSON.
pub(crate) fn order(id: &str) -> String {
    format!(
        r#"{{"id":"{id}","customer":"c-0007","currency":"EUR","placed_at":"2026-01-01T00:00:00Z","items":[{{"sku":"a","quantity":2,"price":150}}]}}"#
    )
}
