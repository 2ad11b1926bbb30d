//! The delays of one stage: for the next `handle_demand`, for `handle_wake`, for infos,
//! and for the eviction of a consumer that does not ask.
//!
//! A handler asks for the first three through its context. They belong to the state that
//! asked for them, so a restart removes them. The stage sets the last one each time that it
//! parks.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use stage_core::Info;
use tokio::time::{Instant, Sleep, sleep_until};

/// The delays that the handlers of a stage have asked for. One tokio timer serves the
/// earliest of them.
#[derive(Debug, Default)]
pub(crate) struct Timers(Option<Box<Delays>>);

/// Allocated for the first delay, because most stages never ask for one.
#[derive(Debug, Default)]
struct Delays {
    /// When to call `handle_demand` again.
    demand_at: Option<Instant>,
    /// When to call `handle_wake`.
    wake_at: Option<Instant>,
    /// When to evict the consumers that have not asked for too long.
    evict_at: Option<Instant>,
    /// By time, then by the order in which they were set.
    infos: BTreeMap<(Instant, u64), Info>,
    /// How many infos were ever set; orders those of the same time.
    set: u64,
    /// Made once and kept, so that a stage that parks with a delay set allocates
    /// nothing. Its deadline is never later than the earliest delay.
    sleep: Option<Pin<Box<Sleep>>>,
}

/// A delay that has passed.
pub(crate) enum Due {
    /// Call `handle_wake`.
    Wake,
    /// Call `handle_demand` again if demand is unmet.
    Demand,
    /// Evict the consumers that have not asked for too long.
    Evict,
    /// Deliver this info.
    Info(Info),
}

impl Timers {
    /// Calls `handle_demand` again after `delay`. Replaces an earlier delay.
    pub(crate) fn demand_after(&mut self, delay: Duration) {
        self.0.get_or_insert_default().demand_at = Some(after(delay));
    }

    /// Calls `handle_wake` after `delay`, or not at all. Replaces an earlier delay.
    pub(crate) fn wake_after(&mut self, delay: Option<Duration>) {
        if delay.is_some() || self.0.is_some() {
            self.0.get_or_insert_default().wake_at = delay.map(after);
        }
    }

    /// Evicts consumers at this time, or not at all. Replaces an earlier time.
    pub(crate) fn evict_at(&mut self, at: Option<Instant>) {
        if at.is_some() || self.0.is_some() {
            self.0.get_or_insert_default().evict_at = at;
        }
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

    /// Whether a delay has passed at `now`.
    #[inline]
    pub(crate) fn are_due(&self, now: impl FnOnce() -> Instant) -> bool {
        let next = self.0.as_ref().and_then(|delays| delays.first());
        next.is_some_and(|next| next <= now())
    }

    /// Waits until the earliest delay has passed; for ever if none is set.
    #[inline]
    pub(crate) fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Some(delays) => delays.poll_due(cx),
            None => Poll::Pending,
        }
    }

    /// Takes the earliest delay if it has passed at `now`. Of two that pass at once,
    /// a wake-up comes first and an info last.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Due> {
        let delays = self.0.as_mut()?;
        let next = delays.first().filter(|next| *next <= now)?;
        if delays.wake_at == Some(next) {
            delays.wake_at = None;
            return Some(Due::Wake);
        }
        if delays.demand_at == Some(next) {
            delays.demand_at = None;
            return Some(Due::Demand);
        }
        if delays.evict_at == Some(next) {
            delays.evict_at = None;
            return Some(Due::Evict);
        }
        delays.infos.pop_first().map(|(_, info)| Due::Info(info))
    }
}

impl Delays {
    /// Returns the earliest time.
    fn first(&self) -> Option<Instant> {
        let info_at = self.infos.first_key_value().map(|(&(at, _), _)| at);
        let delays = [self.wake_at, self.demand_at, self.evict_at, info_at];
        delays.into_iter().flatten().min()
    }

    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(next) = self.first() else {
            return Poll::Pending;
        };
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(next)));
        if sleep.deadline() > next {
            sleep.as_mut().reset(next);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= next {
                return Poll::Ready(());
            }
            // A stage that puts its delay off with each batch arms the timer only
            // here, when the old time has come.
            sleep.as_mut().reset(next);
        }
    }
}

/// The longest delay: a longer one could overflow `Instant`. Source: tokio's timer,
/// which takes 30 years for "never".
const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// Returns the time `delay` from now.
fn after(delay: Duration) -> Instant {
    Instant::now() + delay.min(FOREVER)
}
