//! How fast somebody goes on who holds what others wait for.

use std::time::Duration;

use tokio::time::Instant;

/// How often the pace is looked at.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(500);
/// For how long it may be any.
const GRACE: Duration = Duration::from_secs(1);
/// Bytes for each second behind that.
const BYTES_PER_SECOND_MIN: u64 = 1 << 20;

/// The pace at which bytes arrive, or are read.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    bytes: u64,
    /// When they became more.
    last: Instant,
}

impl Pace {
    /// Begins with nothing.
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, bytes: 0, last: now }
    }

    /// Takes notice of how many bytes it is in all.
    pub(super) fn note(&mut self, bytes: usize, now: Instant) {
        if bytes as u64 > self.bytes {
            (self.bytes, self.last) = (bytes as u64, now);
        }
    }

    /// For how long nothing came.
    pub(super) fn rests(&self, now: Instant) -> Duration {
        now - self.last
    }

    /// Whether it is too slow for somebody who keeps others out.
    pub(super) fn is_slow(&self, now: Instant) -> bool {
        let elapsed = now - self.since;
        let due = elapsed.saturating_sub(GRACE).as_secs() * BYTES_PER_SECOND_MIN;
        self.rests(now) > GRACE || (elapsed > GRACE && self.bytes <= due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_megabyte_a_second_is_asked_for_behind_the_first_second() {
        let begun = Instant::now();
        let after = |millis| begun + Duration::from_millis(millis);
        let mut pace = Pace::new(begun);
        assert!(!pace.is_slow(after(900)));
        assert!(pace.is_slow(after(1_100)), "nothing came for more than a second");
        pace.note(1, after(1_100));
        assert!(!pace.is_slow(after(1_900)));
        pace.note(2, after(2_000));
        assert!(pace.is_slow(after(2_100)), "a second behind the first, and two bytes");
        pace.note(2 << 20, after(2_100));
        assert!(!pace.is_slow(after(2_100)));
        assert!(pace.rests(after(2_100)).is_zero());
    }
}
