//! From one kind of number to another, where the last digits don't count.

use std::time::Duration;

/// A count as a real number.
pub(crate) fn real(count: u64) -> f64 {
    count as f64
}

/// How often `divisor` goes into `count`; 0 where it is 0.
pub(crate) fn ratio(count: u64, divisor: u64) -> f64 {
    if divisor == 0 { 0.0 } else { real(count) / real(divisor) }
}

/// A rate; 0 where no time has passed.
pub(crate) fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { real(count) / seconds } else { 0.0 }
}

/// The nearest count; what is less than 0 is 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from a real number ends at the limits"
)]
pub(crate) fn whole(number: f64) -> u64 {
    number.round() as u64
}

/// Nanoseconds of so many seconds.
pub(crate) fn nanos(seconds: f64) -> u64 {
    whole(seconds * 1e9)
}

/// The nanoseconds of a time, as many as there can be.
pub(crate) fn duration_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Seconds of so many nanoseconds.
pub(crate) fn seconds(nanos: u64) -> f64 {
    real(nanos) / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beyond_the_limits_ends_at_them() {
        assert_eq!([whole(-1.0), whole(1e30), whole(f64::NAN), whole(2.5)], [0, u64::MAX, 0, 3]);
        assert_eq!([ratio(3, 0), ratio(3, 2), per_second(3, 0.0)], [0.0, 1.5, 0.0]);
        assert_eq!(duration_nanos(Duration::MAX), u64::MAX);
        assert_eq!(nanos(seconds(1_500_000_001)), 1_500_000_001);
    }
}
