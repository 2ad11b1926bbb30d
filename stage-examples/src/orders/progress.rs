//! [`Progress`]: the progress bar.

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use stage_queue::TopicStats;

/// Shows how far the orders are, on standard error, if that is a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    /// How many orders the topic will have seen, if that is known.
    total: Option<u64>,
}

impl Progress {
    /// Returns a bar that appears with the first [`show`](Self::show). `quiet` ones never do.
    pub(crate) fn new(total: Option<u64>, quiet: bool) -> Self {
        let bar = if quiet {
            ProgressBar::hidden()
        } else {
            ProgressBar::new(total.unwrap_or_default())
        };
        let style = ProgressStyle::with_template("{wide_bar} {pos} of {len} orders {msg}");
        Self {
            bar: bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())),
            total,
        }
    }

    /// Shows what is settled and what is waiting.
    pub(crate) fn show(&self, topic: &TopicStats) {
        let waiting = topic.ready + topic.delayed;
        let settled = topic.acked + topic.dead;
        let known = settled + waiting + topic.leased;
        self.bar.set_length(known.max(self.total.unwrap_or(0)));
        self.bar.set_position(settled);
        self.bar.set_message(format!(
            "({}/s; {} wait, {} under way, {} dead)",
            HumanCount(self.bar.per_sec() as u64),
            HumanCount(waiting),
            HumanCount(topic.leased),
            HumanCount(topic.dead),
        ));
    }

    /// Removes the bar.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
