//! Demand arithmetic that the dispatchers share.
//!
//! One subscriber's demand is a `usize`; sums over subscribers are `u128`, in
//! which they stay exact, and saturate only where they leave the dispatcher.

/// An exact count as one that leaves the dispatcher.
#[inline]
pub(crate) fn saturate(count: u128) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// The demand to ask for so that upstream owes `wanted`, in events.
///
/// It never brings what is owed past `usize::MAX`, where the producer's own
/// count saturates: a dispatcher that wanted more would ask for ever.
#[inline]
pub(crate) fn shortfall(wanted: u128, owed: usize) -> usize {
    saturate(wanted.saturating_sub(owed as u128)).min(usize::MAX - owed)
}

#[cfg(test)]
mod tests {
    use super::shortfall;

    const MAX: u128 = usize::MAX as u128;

    #[test]
    fn it_is_what_is_missing_and_never_overflows_what_is_owed() {
        assert_eq!(shortfall(10, 4), 6);
        assert_eq!(shortfall(4, 10), 0);
        assert_eq!(shortfall(3 * MAX, 0), usize::MAX);
        assert_eq!(shortfall(3 * MAX, usize::MAX - 1), 1);
        assert_eq!(shortfall(3 * MAX, usize::MAX), 0);
    }
}
