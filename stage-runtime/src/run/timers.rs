//! What a stage wants to be reminded of.

use std::collections::BTreeMap;
use std::time::Duration;

use stage_core::Info;
use tokio::time::Instant;

/// The delays that handlers have asked for.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    demand_at: Option<Instant>,
    /// By time, then by the order in which they were set.
    infos: BTreeMap<(Instant, u64), Info>,
    set: u64,
}

/// What is due.
pub(crate) enum Due {
    Demand,
    Info(Info),
}

impl Timers {
    /// Have the producer called again after `delay`.
    pub(crate) fn demand_after(&mut self, delay: Duration) {
        self.demand_at = Some(after(delay));
    }

    /// Have `info` handled after `delay`.
    pub(crate) fn info_after(&mut self, delay: Duration, info: Info) {
        self.set += 1;
        self.infos.insert((after(delay), self.set), info);
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.demand_at = None;
        self.infos.clear();
    }

    /// When something is due next.
    #[inline]
    pub(crate) fn next(&self) -> Option<Instant> {
        if self.are_unset() { None } else { self.first() }
    }

    fn first(&self) -> Option<Instant> {
        let info_at = self.infos.first_key_value().map(|(&(at, _), _)| at);
        info_at.into_iter().chain(self.demand_at).min()
    }

    /// Whether nothing is ever due, as in most stages.
    #[inline]
    pub(crate) fn are_unset(&self) -> bool {
        self.demand_at.is_none() && self.infos.is_empty()
    }

    /// Takes something that is due by now.
    pub(crate) fn take_due(&mut self) -> Option<Due> {
        let next = self.next()?;
        if next > Instant::now() {
            return None;
        }
        if self.demand_at == Some(next) {
            self.demand_at = None;
            return Some(Due::Demand);
        }
        self.infos.pop_first().map(|(_, info)| Due::Info(info))
    }
}

/// A delay beyond the clock's range is as good as this one.
const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

fn after(delay: Duration) -> Instant {
    Instant::now() + delay.min(FOREVER)
}
