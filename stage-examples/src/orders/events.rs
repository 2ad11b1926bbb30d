//! [`Event`]: what a worker tells the process that has started it.
//!
//! Each is one line of JSON on standard output. A line that is in the pipe outlives a worker
//! that is killed, so that the parent knows what was acknowledged to it.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

/// Something that has happened in a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    /// It is going to enqueue lines `first` to `last`.
    Enqueueing { first: u64, last: u64 },
    /// The queue has answered: they are on the disk.
    Enqueued { first: u64, last: u64 },
    /// The input has ended, and all of it is enqueued.
    AllEnqueued,
    /// A batch of orders is stored.
    Stored { orders: u64 },
    /// The pipeline drains.
    Draining,
}

/// Where events go: to the parent of a worker, or nowhere.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Events {
    Nowhere,
    Stdout,
}

impl Events {
    /// Tells the parent. One that does not listen any more is no reason to stop.
    pub(crate) fn emit(self, event: Event) {
        if let Self::Stdout = self
            && let Ok(mut line) = serde_json::to_vec(&event)
        {
            line.push(b'\n');
            let mut out = io::stdout().lock();
            // In one piece, so that a kill cannot cut it.
            drop(out.write_all(&line).and_then(|()| out.flush()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_lines_of_json() {
        let event = Event::Enqueued { first: 1, last: 50 };
        let line = serde_json::to_string(&event).unwrap();
        assert_eq!(line, r#"{"enqueued":{"first":1,"last":50}}"#);
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
        assert_eq!(
            serde_json::from_str::<Event>(r#""all_enqueued""#).unwrap(),
            Event::AllEnqueued
        );
    }
}
