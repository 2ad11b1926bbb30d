//! What a stage wants to be reminded of.

use std::collections::BTreeMap;
use std::time::Duration;

use stage_core::Info;
use tokio::time::Instant;

/// The delays that handlers have asked for.
#[derive(Debug, Default)]
pub(crate) struct Timers(Option<Box<Delays>>);

/// Made for the first delay, which most stages never ask for.
#[derive(Debug, Default)]
struct Delays {
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
        self.0.get_or_insert_default().demand_at = Some(after(delay));
    }

    /// Have `info` handled after `delay`.
    pub(crate) fn info_after(&mut self, delay: Duration, info: Info) {
        let delays = self.0.get_or_insert_default();
        delays.set += 1;
        delays.infos.insert((after(delay), delays.set), info);
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.0 = None;
    }

    /// When something is due next.
    #[inline]
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.as_ref()?.first()
    }

    /// Whether nothing is ever due, as in most stages.
    #[inline]
    pub(crate) fn are_unset(&self) -> bool {
        self.0.as_ref().is_none_or(|delays| delays.are_over())
    }

    /// Takes something that is due by now.
    pub(crate) fn take_due(&mut self) -> Option<Due> {
        let delays = self.0.as_mut()?;
        let next = delays.first()?;
        if next > Instant::now() {
            return None;
        }
        if delays.demand_at == Some(next) {
            delays.demand_at = None;
            return Some(Due::Demand);
        }
        delays.infos.pop_first().map(|(_, info)| Due::Info(info))
    }
}

impl Delays {
    fn first(&self) -> Option<Instant> {
        let info_at = self.infos.first_key_value().map(|(&(at, _), _)| at);
        info_at.into_iter().chain(self.demand_at).min()
    }

    fn are_over(&self) -> bool {
        self.demand_at.is_none() && self.infos.is_empty()
    }
}

/// A delay beyond the clock's range is as good as this one.
const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

fn after(delay: Duration) -> Instant {
    Instant::now() + delay.min(FOREVER)
}
