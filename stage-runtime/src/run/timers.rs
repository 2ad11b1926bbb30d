//! The delays of one stage: for the next `handle_demand`, and for infos.
//!
//! A handler asks for them through its context. They belong to the state that asked
//! for them, so a restart removes them.

use std::collections::BTreeMap;
use std::time::Duration;

use stage_core::Info;
use tokio::time::Instant;

/// The delays that the handlers of a stage have asked for. One tokio timer, in the
/// event loop, serves the earliest of them.
#[derive(Debug, Default)]
pub(crate) struct Timers(Option<Box<Delays>>);

/// Allocated for the first delay, because most stages never ask for one.
#[derive(Debug, Default)]
struct Delays {
    /// When to call `handle_demand` again.
    demand_at: Option<Instant>,
    /// By time, then by the order in which they were set.
    infos: BTreeMap<(Instant, u64), Info>,
    /// How many infos were ever set; orders those of the same time.
    set: u64,
}

/// A delay that has passed.
pub(crate) enum Due {
    /// Call `handle_demand` again if demand is unmet.
    Demand,
    /// Deliver this info.
    Info(Info),
}

impl Timers {
    /// Calls `handle_demand` again after `delay`. Replaces an earlier delay.
    pub(crate) fn demand_after(&mut self, delay: Duration) {
        self.0.get_or_insert_default().demand_at = Some(after(delay));
    }

    /// Delivers `info` after `delay`.
    pub(crate) fn info_after(&mut self, delay: Duration, info: Info) {
        let delays = self.0.get_or_insert_default();
        delays.set += 1;
        delays.infos.insert((after(delay), delays.set), info);
    }

    /// Removes all delays.
    pub(crate) fn clear(&mut self) {
        self.0 = None;
    }

    /// Returns the time of the next delay.
    #[inline]
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.as_ref()?.first()
    }

    /// Whether no delay is set.
    #[inline]
    pub(crate) fn are_unset(&self) -> bool {
        self.0.as_ref().is_none_or(|delays| delays.are_over())
    }

    /// Takes the earliest delay that has passed, if one has.
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
    /// Returns the earliest time.
    fn first(&self) -> Option<Instant> {
        let info_at = self.infos.first_key_value().map(|(&(at, _), _)| at);
        info_at.into_iter().chain(self.demand_at).min()
    }

    fn are_over(&self) -> bool {
        self.demand_at.is_none() && self.infos.is_empty()
    }
}

/// The longest delay: a longer one could overflow `Instant`. Source: tokio's timer,
/// which takes 30 years for "never".
const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// Returns the time `delay` from now.
fn after(delay: Duration) -> Instant {
    Instant::now() + delay.min(FOREVER)
}
