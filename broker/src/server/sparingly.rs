//! What a hostile client could have said as often as it likes is said now and then.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds between two lines of one kind.
const EVERY_SECONDS: u64 = 1;

/// Lets a line pass once a second.
#[derive(Debug)]
pub(crate) struct Sparingly {
    /// The second of the last line.
    last: AtomicU64,
    passed_over: AtomicU64,
}

impl Sparingly {
    pub(crate) const fn new() -> Self {
        Self { last: AtomicU64::new(0), passed_over: AtomicU64::new(0) }
    }

    /// How many lines were passed over since the last, if this one may be written.
    pub(crate) fn allow(&self) -> Option<u64> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.allow_at(now.as_secs())
    }

    fn allow_at(&self, second: u64) -> Option<u64> {
        let last = self.last.load(Ordering::Relaxed);
        // A clock that was set back doesn't keep lines out for longer than it goes on.
        let is_due = second >= last + EVERY_SECONDS || second < last;
        let swap = |from| {
            self.last.compare_exchange(from, second, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        if is_due && swap(last) {
            return Some(self.passed_over.swap(0, Ordering::Relaxed));
        }
        self.passed_over.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Sparingly;

    #[test]
    fn a_line_a_second_says_how_many_were_passed_over() {
        let sparingly = Sparingly::new();
        let seconds = [100, 100, 100, 101, 101, 105, 50];
        let allowed = seconds.map(|second| sparingly.allow_at(second));
        assert_eq!(allowed, [Some(0), None, None, Some(2), None, Some(1), Some(0)]);
    }
}
