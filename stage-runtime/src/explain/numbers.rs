//! `Display` of numbers and times in explanations.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// Writes a number such as `10,000`.
pub(super) struct Grouped(pub(super) u64);

impl Display for Grouped {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                write!(f, ",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// The least demand that is written as unlimited: no stage will ever emit as many events.
const WITHOUT_LIMIT: u64 = u64::MAX / 2;

/// Writes a demand such as `10,000`, or `any number`.
pub(super) struct Amount(pub(super) u64);

impl Display for Amount {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            WITHOUT_LIMIT.. => write!(f, "any number"),
            amount => Grouped(amount).fmt(f),
        }
    }
}

/// Writes a number such as `1 event`, `10,000 events`, `any number of events`.
pub(super) struct Events(pub(super) u64);

impl Display for Events {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => write!(f, "1 event"),
            WITHOUT_LIMIT.. => write!(f, "any number of events"),
            events => write!(f, "{} events", Grouped(events)),
        }
    }
}

/// Writes a duration such as `12.1 s`, `340 ms`, `25 µs`. It is truncated and not rounded,
/// so that no text claims more time than has passed.
pub(super) struct Lasting(pub(super) Duration);

impl Display for Lasting {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.0.as_secs(), self.0.subsec_nanos());
        match (seconds, nanos) {
            (0, 0) => write!(f, "0 s"),
            (0, 0..1_000) => write!(f, "{nanos} ns"),
            (0, 0..1_000_000) => write!(f, "{} µs", nanos / 1_000),
            (0, _) => write!(f, "{} ms", nanos / 1_000_000),
            (0..1_000, _) => write!(f, "{seconds}.{} s", nanos / 100_000_000),
            _ => write!(f, "{} s", Grouped(seconds)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let texts = [0, 7, 999, 1_000, 10_000, 1_234_567, u64::MAX].map(|n| Grouped(n).to_string());
        let expected = [
            "0",
            "7",
            "999",
            "1,000",
            "10,000",
            "1,234,567",
            "18,446,744,073,709,551,615",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn times_have_the_unit_that_suits_them() {
        let text = |time| Lasting(time).to_string();
        assert_eq!(text(Duration::ZERO), "0 s");
        assert_eq!(text(Duration::from_nanos(999)), "999 ns");
        assert_eq!(text(Duration::from_micros(25)), "25 µs");
        assert_eq!(text(Duration::from_millis(340)), "340 ms");
        assert_eq!(text(Duration::from_micros(999_999)), "999 ms");
        assert_eq!(text(Duration::from_millis(1_000)), "1.0 s");
        assert_eq!(text(Duration::from_millis(12_199)), "12.1 s");
        assert_eq!(text(Duration::from_secs(3_600)), "3,600 s");
    }
}
