//! Saturating demand arithmetic, shared by the dispatchers.
//!
//! The demand of one subscriber is a `usize`. Sums over subscribers are `u128`,
//! so that they stay exact; they saturate only when they leave the dispatcher.

/// Returns an exact count as a `usize`, saturated.
#[inline]
pub(crate) fn saturate(count: u128) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Returns the demand to ask for, in events, so that upstream owes `wanted`.
///
/// The result never raises `owed` beyond `usize::MAX`, where the producer's
/// counter saturates: otherwise a dispatcher would ask for the difference for
/// ever.
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
