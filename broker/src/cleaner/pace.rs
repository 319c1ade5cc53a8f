//! How fast something in the background may read and write; of compaction,
//! `log.cleaner.io.max.bytes.per.second`.

use std::time::{Duration, Instant};

use logboom_storage::Pace;

use super::Shared;

/// What all threads together have moved.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    /// When what was moved so far has had its time.
    paid_until: Option<Instant>,
}

/// No wait is longer; what is left is waited for the next time.
const WAIT_MAX: Duration = Duration::from_secs(10);

impl Throttle {
    /// So many bytes were moved; returns for how long to wait.
    ///
    /// - `rate`: bytes a second.
    pub(crate) fn moved(&mut self, bytes: usize, rate: f64, now: Instant) -> Duration {
        let seconds = bytes as f64 / rate.max(1.0);
        let cost = Duration::try_from_secs_f64(seconds).unwrap_or(WAIT_MAX).min(WAIT_MAX);
        let from = self.paid_until.map_or(now, |until| until.max(now));
        self.paid_until = Some(from + cost);
        (from + cost).duration_since(now).min(WAIT_MAX)
    }
}

/// Slows a thread down as the configuration says at each moment, and ends its work when the broker
/// stops.
pub(super) struct Pacing<'a>(pub(super) &'a Shared);

impl Pace for Pacing<'_> {
    fn moved(&mut self, bytes: usize) -> bool {
        let Self(shared) = self;
        let rate = shared.node.double("log.cleaner.io.max.bytes.per.second");
        let wait = {
            let mut throttle =
                shared.throttle.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            throttle.moved(bytes, rate, Instant::now())
        };
        !shared.rest(wait)
    }
}
