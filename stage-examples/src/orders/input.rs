//! [`Input`]: where orders come from. [`Lines`]: the lines, as they come.
//!
//! Reading blocks, so a thread does it, and hands the lines over through a channel that is
//! bounded: reading does not run ahead of what is enqueued. The program does not wait for the
//! thread when it ends, for standard input may never end.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;

use tokio::sync::mpsc;

use super::generate;
use crate::usage::UsageError;

/// How many lines are read ahead.
const AHEAD: usize = 2_000;

/// Where orders come from.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    /// The generator.
    Generated { seed: u64, count: u64 },
    /// A file of JSON lines.
    File(PathBuf),
    /// Standard input. It cannot be read again: what was read, and not enqueued when the
    /// program ends, is gone.
    Stdin,
}

/// A line of the input, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Counts from 1.
    pub(crate) number: u64,
    pub(crate) text: Vec<u8>,
}

/// The lines of an input. Empty lines are counted, and left out.
#[derive(Debug)]
pub(crate) struct Lines {
    /// Names the input: the same one in the next run has the same name. `None` if it cannot
    /// be read again.
    pub(crate) name: Option<String>,
    /// How many there are, if that is known.
    pub(crate) total: Option<u64>,
    pub(crate) received: mpsc::Receiver<io::Result<Line>>,
}

impl Input {
    /// Begins to read.
    ///
    /// # Errors
    ///
    /// [`UsageError`] if the file cannot be opened.
    pub(crate) fn open(&self) -> Result<Lines, UsageError> {
        let (sender, received) = mpsc::channel(AHEAD);
        let (name, total) = match self {
            Self::Generated { seed, count } => {
                let (seed, count) = (*seed, *count);
                let lines = (1..=count).map(move |number| {
                    let text = generate::line(seed, number);
                    Ok(Line { number, text })
                });
                read(lines, sender)?;
                (Some(format!("generated {seed}")), Some(count))
            }
            Self::File(path) => {
                let fail = |cause| UsageError::file("the input", path, cause);
                let file = File::open(path).map_err(fail)?;
                if file.metadata().map_err(fail)?.is_dir() {
                    return Err(fail(io::ErrorKind::IsADirectory.into()));
                }
                let name = path.canonicalize().map_err(fail)?.display().to_string();
                read(lines(BufReader::new(file)), sender)?;
                (Some(name), None)
            }
            Self::Stdin => {
                read(lines(BufReader::new(io::stdin())), sender)?;
                (None, None)
            }
        };
        Ok(Lines {
            name,
            total,
            received,
        })
    }
}

/// Reads on a thread of its own, until the receiver is dropped.
fn read(
    lines: impl Iterator<Item = io::Result<Line>> + Send + 'static,
    sender: mpsc::Sender<io::Result<Line>>,
) -> Result<(), UsageError> {
    let send_all = move || {
        for line in lines {
            let failed = line.is_err();
            if sender.blocking_send(line).is_err() || failed {
                break;
            }
        }
    };
    std::thread::Builder::new()
        .name("orders-input".into())
        .spawn(send_all)
        .map(drop)
        .map_err(|error| UsageError(format!("cannot start a thread to read the input: {error}")))
}

fn lines(reader: impl BufRead) -> impl Iterator<Item = io::Result<Line>> {
    let numbered = (1..).zip(reader.split(b'\n'));
    numbered.filter_map(|(number, text)| match text {
        Ok(text) if text.trim_ascii().is_empty() => None,
        Ok(text) => Some(Ok(Line { number, text })),
        Err(error) => Some(Err(error)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_lines_are_counted_and_left_out() {
        let lines = lines(&b"one\n\n \r\nfour\r\nfive"[..]);
        let lines: Vec<_> = lines
            .map(|line| line.map(|line| (line.number, line.text)).unwrap())
            .collect();
        assert_eq!(
            lines,
            [
                (1, b"one".to_vec()),
                (4, b"four\r".to_vec()),
                (5, b"five".to_vec())
            ]
        );
    }

    #[tokio::test]
    async fn the_generator_gives_the_same_lines_again() {
        let input = Input::Generated { seed: 3, count: 5 };
        let (mut first, mut second) = (input.open().unwrap(), input.open().unwrap());
        assert_eq!((&first.name, first.total), (&second.name, Some(5)));
        for number in 1..=5 {
            let line = first.received.recv().await.unwrap().unwrap();
            assert_eq!(line.number, number);
            assert_eq!(line, second.received.recv().await.unwrap().unwrap());
        }
        assert!(first.received.recv().await.is_none());
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Input::File("/nowhere/orders.jsonl".into()).open();
        let error = error.unwrap_err().to_string();
        assert!(error.contains("/nowhere/orders.jsonl"), "{error}");
    }
}
