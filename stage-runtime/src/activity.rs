//! What a stage is doing and since when, and the sampled clock that measures it.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use crate::snapshot::Activity;

/// What a stage is doing, in one byte; [`Activity`] is the public form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Doing {
    Starting,
    HandleStart,
    HandleDemand,
    HandleEvents,
    HandleSubscribe,
    HandleCancel,
    HandleComplete,
    HandleDrain,
    HandleInfo,
    HandleReturned,
    HandleWake,
    HandleMessage,
    Terminate,
    WaitingForEvents,
    WaitingForDemand,
    Restarting,
    Ended,
}

impl Doing {
    /// All variants, by their number.
    const ALL: [Self; 17] = [
        Self::Starting,
        Self::HandleStart,
        Self::HandleDemand,
        Self::HandleEvents,
        Self::HandleSubscribe,
        Self::HandleCancel,
        Self::HandleComplete,
        Self::HandleDrain,
        Self::HandleInfo,
        Self::HandleReturned,
        Self::HandleWake,
        Self::HandleMessage,
        Self::Terminate,
        Self::WaitingForEvents,
        Self::WaitingForDemand,
        Self::Restarting,
        Self::Ended,
    ];

    /// Returns the name of the handler that the stage is in, if it is in one.
    pub(crate) const fn handler(self) -> Option<&'static str> {
        Some(match self {
            Self::HandleStart => "handle_start",
            Self::HandleDemand => "handle_demand",
            Self::HandleEvents => "handle_events",
            Self::HandleSubscribe => "handle_subscribe",
            Self::HandleDrain => "handle_drain",
            Self::HandleCancel => "handle_cancel",
            Self::HandleComplete => "handle_complete",
            Self::HandleInfo => "handle_info",
            Self::HandleReturned => "handle_returned",
            Self::HandleWake => "handle_wake",
            Self::HandleMessage => "handle",
            Self::Terminate => "terminate",
            Self::Starting
            | Self::WaitingForEvents
            | Self::WaitingForDemand
            | Self::Restarting
            | Self::Ended => return None,
        })
    }

    /// Returns the public form.
    fn activity(self) -> Activity {
        match (self.handler(), self) {
            (Some(handler), _) => Activity::Handler(handler),
            (None, Self::WaitingForDemand) => Activity::WaitingForDemand,
            (None, Self::Restarting) => Activity::Restarting,
            (None, Self::Ended) => Activity::Ended,
            (None, Self::Starting) => Activity::Starting,
            (None, _) => Activity::WaitingForEvents,
        }
    }
}

/// What a stage is doing, and since when. Only its task writes it; snapshots read it.
#[derive(Debug)]
pub(crate) struct ActivityCell {
    /// When the stage was spawned.
    born: Instant,
    /// A [`Doing`].
    doing: AtomicU8,
    /// When the stage began to do it, in [`Nanos`].
    since: AtomicU64,
    /// The last reading of the clock, in [`Nanos`].
    now: AtomicU64,
    /// The tick of the coarse clock at the last reading.
    coarse: AtomicU64,
    /// How many readings are left within that tick.
    readings: AtomicU32,
}

/// The most readings of the clock within one tick of the coarse clock.
///
/// The coarse clock ticks every few milliseconds. Reading the exact clock costs several
/// times as much, about as much as a short handler. So a stage with more turns than this
/// is sampled: the rest of the tick counts as what the stage is doing when the next tick
/// begins. A stage with fewer turns is measured exactly.
const READINGS: u32 = 64;

/// Nanoseconds since a stage was spawned.
pub(crate) type Nanos = u64;

impl ActivityCell {
    /// Makes the cell of a stage that is [`Doing::Starting`].
    pub(crate) fn new() -> Self {
        Self {
            born: Instant::now(),
            doing: AtomicU8::new(Doing::Starting as u8),
            since: AtomicU64::new(0),
            now: AtomicU64::new(0),
            coarse: AtomicU64::new(0),
            readings: AtomicU32::new(READINGS),
        }
    }

    /// Reads the clock and returns the time. Within a tick that has used up its
    /// [`READINGS`], returns the last reading instead.
    #[inline]
    pub(crate) fn tick(&self) -> Nanos {
        let coarse = coarsetime::Instant::now_without_cache_update().as_ticks();
        if self.coarse.load(Relaxed) != coarse {
            self.coarse.store(coarse, Relaxed);
            self.readings.store(READINGS, Relaxed);
        }
        match self.readings.load(Relaxed) {
            0 => self.now(),
            left => {
                self.readings.store(left - 1, Relaxed);
                self.read()
            }
        }
    }

    /// Reads the exact clock.
    #[inline(never)]
    pub(crate) fn read(&self) -> Nanos {
        let now = Instant::now().saturating_duration_since(self.born);
        // Nanoseconds of 584 years fit into 64 bits; `Duration::as_nanos` would multiply
        // with 128.
        let now = now.as_secs() * 1_000_000_000 + u64::from(now.subsec_nanos());
        self.now.store(now, Relaxed);
        now
    }

    /// Returns the last reading as an instant.
    #[inline]
    pub(crate) fn instant(&self) -> Instant {
        self.born + Duration::from_nanos(self.now())
    }

    /// Returns the last reading. Where one activity ends and the next begins, one
    /// reading serves both.
    #[inline]
    pub(crate) fn now(&self) -> Nanos {
        self.now.load(Relaxed)
    }

    /// Sets what the stage is doing, since the last reading of the clock.
    #[inline]
    pub(crate) fn set(&self, doing: Doing) {
        self.since.store(self.now(), Relaxed);
        self.doing.store(doing as u8, Relaxed);
    }

    /// Returns what the stage is doing, and for how long.
    pub(crate) fn get(&self) -> (Activity, Duration) {
        let doing = Doing::ALL[usize::from(self.doing.load(Relaxed)) % Doing::ALL.len()];
        let since = self.born + Duration::from_nanos(self.since.load(Relaxed));
        (
            doing.activity(),
            Instant::now().saturating_duration_since(since),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ActivityCell, Doing, READINGS};

    #[test]
    fn a_busy_stage_reads_the_clock_seldom_and_loses_no_time() {
        let cell = ActivityCell::new();
        let readings = (0..1_000 * READINGS).map(|_| cell.tick());
        let mut distinct: Vec<_> = readings.collect();
        assert!(distinct.is_sorted());
        distinct.dedup();
        assert!(distinct.len() < 1_000 * READINGS as usize);
        let (before, pause) = (cell.now(), Duration::from_millis(50));
        std::thread::sleep(pause);
        assert!(u128::from(cell.tick() - before) >= pause.as_nanos());
    }

    #[test]
    fn every_activity_is_where_its_number_says() {
        for (index, doing) in Doing::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(doing as u8), index);
        }
    }
}
