//! The restart window: at most so many restarts in any period of a length.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The default of [`RestartWindow::max_restarts`]. Source: OTP's supervisors.
pub(crate) const MAX_RESTARTS: usize = 3;

/// The default of [`RestartWindow::within`]. Source: OTP's supervisors.
pub(crate) const WITHIN: Duration = Duration::from_secs(5);

/// A sliding window over the restarts of a stage, or of a task for one event.
#[derive(Debug)]
pub(crate) struct RestartWindow {
    /// The most restarts within the window.
    pub(crate) max_restarts: usize,
    /// The length of the window.
    pub(crate) within: Duration,
    /// The restarts within the window, the oldest first.
    recent: VecDeque<Instant>,
}

impl RestartWindow {
    /// Makes a window without restarts.
    pub(crate) const fn new(max_restarts: usize, within: Duration) -> Self {
        Self {
            max_restarts,
            within,
            recent: VecDeque::new(),
        }
    }

    /// Whether there is no restart within the window that ends at `now`.
    pub(crate) fn is_quiet(&mut self, now: Instant) -> bool {
        while self
            .recent
            .front()
            .is_some_and(|&at| now.saturating_duration_since(at) > self.within)
        {
            self.recent.pop_front();
        }
        self.recent.is_empty()
    }

    /// Whether a restart at `now` is one too many. If it is not, it is counted.
    pub(crate) fn is_exceeded_by_restart(&mut self, now: Instant) -> bool {
        self.is_quiet(now);
        let exceeded = self.recent.len() >= self.max_restarts;
        if !exceeded {
            self.recent.push_back(now);
        }
        exceeded
    }
}

impl Default for RestartWindow {
    fn default() -> Self {
        Self::new(MAX_RESTARTS, WITHIN)
    }
}

#[cfg(test)]
mod tests {
    use super::{Instant, RestartWindow};
    use std::time::Duration;

    #[test]
    fn only_restarts_within_the_span_count() {
        let mut window = RestartWindow::default();
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        for millis in [0, 1000, 2000] {
            assert!(!window.is_exceeded_by_restart(at(millis)));
        }
        // The first is 5.001 s old now.
        assert!(!window.is_exceeded_by_restart(at(5001)));
        // The second is 5 s old, which still counts.
        assert!(window.is_exceeded_by_restart(at(6000)));
    }

    #[test]
    fn no_restart_is_allowed_where_none_is() {
        let mut window = RestartWindow {
            max_restarts: 0,
            ..RestartWindow::default()
        };
        assert!(window.is_exceeded_by_restart(Instant::now()));
    }
}
