//! Prints what is in a queue, as a table or as JSON.

use std::io::{self, Write};

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use super::tables::{Entry, TopicCounts};
use crate::orders::{align_right, table};

/// How much of a payload and of a reason is shown in a table.
const WIDTH: usize = 60;

/// Picks a count of a topic.
type Count = fn(&TopicCounts) -> u64;

/// Prints counts: a column for each topic.
pub(super) fn stats(topics: &[TopicCounts], json: bool, out: impl Write) -> io::Result<()> {
    if json {
        return line(topics, out);
    }
    let mut rows = table(["topic"]);
    let header = std::iter::once("topic").chain(topics.iter().map(|topic| &*topic.topic));
    rows.set_header(header);
    let counts: [(&str, Count); 13] = [
        ("ready", |topic| topic.ready),
        ("delayed", |topic| topic.delayed),
        ("leased", |topic| topic.leased),
        ("dead", |topic| topic.dead),
        ("enqueued", |topic| topic.enqueued),
        ("duplicates", |topic| topic.duplicates),
        ("acked", |topic| topic.acked),
        ("released", |topic| topic.released),
        ("retried", |topic| topic.retried),
        ("rejected", |topic| topic.rejected),
        ("expired", |topic| topic.expired),
        ("dropped", |topic| topic.dropped),
        ("damaged", |topic| topic.damaged),
    ];
    for (name, count) in counts {
        let count = |topic| HumanCount(count(topic)).to_string();
        rows.add_row(std::iter::once(name.to_owned()).chain(topics.iter().map(count)));
    }
    let bytes = topics
        .iter()
        .map(|topic| HumanBytes(topic.bytes).to_string());
    rows.add_row(std::iter::once("size".to_owned()).chain(bytes));
    let oldest = topics.iter().map(|topic| match topic.oldest_seconds {
        Some(seconds) => format!("{seconds:.1} s"),
        None => "-".to_owned(),
    });
    rows.add_row(std::iter::once("oldest".to_owned()).chain(oldest));
    for column in 1..=topics.len() {
        align_right(&mut rows, column);
    }
    print(&rows, out)
}

/// Prints messages that are ready.
pub(super) fn ready(entries: &[Entry], json: bool, out: impl Write) -> io::Result<()> {
    if json {
        return line(entries, out);
    }
    let mut rows = table(["topic", "id", "deliveries", "enqueued at", "key", "payload"]);
    for entry in entries {
        rows.add_row([
            entry.topic.clone(),
            entry.id.to_string(),
            entry.deliveries.to_string(),
            entry.enqueued_at.clone(),
            entry.key.clone().unwrap_or_default(),
            short(&entry.payload),
        ]);
    }
    print(&rows, out)
}

/// Prints dead letters.
pub(super) fn dead(entries: &[Entry], json: bool, out: impl Write) -> io::Result<()> {
    if json {
        return line(entries, out);
    }
    let mut rows = table(["topic", "id", "deliveries", "headers", "reason", "payload"]);
    for entry in entries {
        rows.add_row([
            entry.topic.clone(),
            entry.id.to_string(),
            entry.deliveries.to_string(),
            short(&headers(entry)),
            short(entry.reason.as_deref().unwrap_or_default()),
            short(&entry.payload),
        ]);
    }
    print(&rows, out)
}

fn headers(entry: &Entry) -> String {
    let headers = entry
        .headers
        .iter()
        .map(|(name, value)| match value.as_str() {
            Some(text) => format!("{name}: {text}"),
            None => format!("{name}: {value}"),
        });
    headers.collect::<Vec<_>>().join(", ")
}

/// Prints how many dead letters were changed.
pub(super) fn changed(
    what: &str,
    topic: &str,
    count: u64,
    json: bool,
    mut out: impl Write,
) -> io::Result<()> {
    if json {
        return line(&serde_json::json!({ "topic": topic, what: count }), out);
    }
    writeln!(
        out,
        "{what} {} dead letters of `{topic}`",
        HumanCount(count)
    )
}

fn line<T: Serialize + ?Sized>(value: &T, mut out: impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut out, value)?;
    writeln!(out)
}

fn print(rows: &comfy_table::Table, mut out: impl Write) -> io::Result<()> {
    if rows.is_empty() {
        return writeln!(out, "none");
    }
    writeln!(out, "{rows}")
}

/// Cuts a text, and replaces characters that a terminal might obey.
fn short(text: &str) -> String {
    let printable = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut short: String = text.chars().take(WIDTH).map(printable).collect();
    if text.chars().nth(WIDTH).is_some() {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_might_obey_is_replaced() {
        assert_eq!(short("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(short(&"x".repeat(60)), "x".repeat(60));
        assert_eq!(short(&"x".repeat(61)), "x".repeat(60) + "...");
    }
}
