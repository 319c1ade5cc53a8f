//! When records are due, where a rate was asked for.
//!
//! Due times depend on the rate alone, never on what has become of the records before: a cluster
//! that stalls is charged for all that it kept waiting. (Where the next record waits for the last
//! one, a stall is one bad sample instead of a thousand: "coordinated omission".)
//!
//! Must always hold: no record is left out, however late it is; it knows no clock but the one that
//! it is given.

use std::fmt;
use std::ops::Range;

use clap::ValueEnum;

use crate::numbers::{nanos, real, seconds, whole};
use crate::random::Random;

/// How due times are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Arrivals {
    /// One after the other, at equal distances.
    Constant,
    /// At random, as from very many independent sources.
    Poisson,
}

impl fmt::Display for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Constant => "constant",
            Self::Poisson => "poisson",
        })
    }
}

/// The due times of one client's records, nanoseconds.
#[derive(Debug)]
pub(crate) struct Pace {
    start: u64,
    per_second: f64,
    /// What comes before the first record, in distances between records.
    phase: f64,
    /// `Some`: distances are drawn.
    random: Option<Random>,
    count: u64,
    /// Seconds from the start to the next record, where distances are drawn.
    drawn: f64,
}

impl Pace {
    /// - `per_second`: records a second of all clients together, greater than 0.
    /// - `client`, `clients`: whose records they are, of how many; clients take turns.
    pub(crate) fn new(
        start: u64,
        per_second: f64,
        (client, clients): (u64, u64),
        arrivals: Arrivals,
        seed: u64,
    ) -> Self {
        let mut pace = Self {
            start,
            per_second: per_second / real(clients),
            phase: real(client) / real(clients),
            random: None,
            count: 0,
            drawn: 0.0,
        };
        if arrivals == Arrivals::Poisson {
            pace.random = Some(Random::new(seed, !client));
            pace.drawn = pace.draw();
        }
        pace
    }

    /// When the next record is due.
    pub(crate) fn due(&self) -> u64 {
        let after = match self.random {
            Some(_) => self.drawn,
            None => (real(self.count) + self.phase) / self.per_second,
        };
        self.start.saturating_add(nanos(after))
    }

    /// The next record is another one.
    pub(crate) fn advance(&mut self) {
        self.count += 1;
        self.drawn += self.draw();
    }

    /// How many records from the next one on are due within a time. Of random ones, which aren't
    /// drawn for that, as many as are to be expected.
    pub(crate) fn count_within(&self, window: Range<u64>) -> u64 {
        let due = self.due();
        let (from, to) = (window.start.max(due), window.end);
        if from >= to {
            return 0;
        }
        let distances = |nanos: u64| seconds(nanos) * self.per_second;
        match self.random {
            Some(_) => u64::from(from == due) + whole(distances(to - from)),
            None => {
                // Those before a moment that lies `nanos` behind the next one.
                let before = |nanos: u64| ceiling(distances(nanos));
                before(to - due).saturating_sub(before(from - due))
            }
        }
    }

    fn draw(&mut self) -> f64 {
        let Some(random) = &mut self.random else { return 0.0 };
        -(1.0 - random.unit()).ln() / self.per_second
    }
}

/// The next whole number; one that rounding has made a little more is taken for itself.
fn ceiling(number: f64) -> u64 {
    whole((number - 1e-6).ceil())
}

/// What tells the time and lets it pass.
pub(crate) trait Clock {
    /// Nanoseconds since some moment.
    fn now(&self) -> u64;
    /// Returns at that time or later; or earlier, where there is something else to look at.
    fn wait_until(&self, time: u64);
}

/// Sends each record when it is due, or as soon after as can be.
///
/// - `is_over`: asked before each record whether that which is due then is sent no more, and now
///   and then while none is due.
/// - `send`: takes the time at which the record was due.
pub(crate) fn drive(
    pace: &mut Pace,
    clock: &impl Clock,
    mut is_over: impl FnMut(u64) -> bool,
    mut send: impl FnMut(u64),
) {
    loop {
        let due = pace.due();
        if is_over(due) {
            return;
        }
        if clock.now() < due {
            clock.wait_until(due);
            continue;
        }
        send(due);
        pace.advance();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const MS: u64 = 1_000_000;

    /// A clock that stands still between calls.
    #[derive(Default)]
    struct Still(Cell<u64>);

    impl Clock for Still {
        fn now(&self) -> u64 {
            self.0.get()
        }

        fn wait_until(&self, time: u64) {
            self.0.set(time);
        }
    }

    fn constant(per_second: f64, who: (u64, u64)) -> Pace {
        Pace::new(0, per_second, who, Arrivals::Constant, 1)
    }

    #[test]
    fn records_that_wait_for_a_stall_are_late_by_as_long_as_they_wait() {
        let clock = Still::default();
        let mut late = Vec::new();
        let is_over = |_| clock.now() >= 200 * MS;
        // A record each ms; the one of 50 ms takes 100 ms to be sent, the others nothing.
        drive(&mut constant(1_000.0, (0, 1)), &clock, is_over, |due| {
            if due == 50 * MS {
                clock.wait_until(due + 100 * MS);
            }
            late.push((clock.now() - due) / MS);
        });
        assert_eq!(late.len(), 200, "none is left out");
        assert_eq!(late[..50], [0; 50]);
        let waited: Vec<u64> = (0..=100).map(|ms| 100 - ms).collect();
        assert_eq!(late[50..=150], waited);
        assert_eq!(late[151..], [0; 49]);
    }

    #[test]
    fn clients_take_turns() {
        let mut dues = Vec::new();
        for client in 0..4 {
            let mut pace = constant(1_000.0, (client, 4));
            for _ in 0..3 {
                dues.push(pace.due() / MS);
                pace.advance();
            }
        }
        dues.sort_unstable();
        assert_eq!(dues, (0..12).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_still_due_is_counted_however_much_it_is() {
        for client in 0..4 {
            let mut pace = constant(1_000.0, (client, 4));
            let count = |pace: &Pace, from: u64, to: u64| pace.count_within(from * MS..to * MS);
            assert_eq!(count(&pace, 0, 1_000), 250, "{client}");
            assert_eq!(count(&pace, 500, 1_000), 125, "what is due before doesn't count");
            (0..50).for_each(|_| pace.advance());
            assert_eq!([count(&pace, 0, 1_000), count(&pace, 0, 100)], [200, 0], "{client}");
            assert_eq!(count(&pace, 1_000, 500), 0);
        }
        let pace = constant(1e7, (0, 1));
        assert_eq!(pace.count_within(0..3_600_000 * MS), 36_000_000_000);
        let mut pace = Pace::new(0, 1_000.0, (0, 1), Arrivals::Poisson, 1);
        let expected = pace.count_within(0..20_000 * MS);
        let mut drawn = 0_u64;
        while pace.due() < 20_000 * MS {
            drawn += 1;
            pace.advance();
        }
        assert!(expected.abs_diff(drawn) < 500, "{expected} {drawn}");
    }

    #[test]
    fn a_rate_is_kept_over_days() {
        let mut pace = constant(30_000.0, (0, 1));
        pace.count = 30_000 * 86_400 * 7;
        assert_eq!(pace.due(), 86_400 * 7 * 1_000_000_000);
    }

    #[test]
    fn random_arrivals_have_the_rate_and_the_spread_of_poisson_s_law() {
        let mut pace = Pace::new(0, 1_000.0, (0, 1), Arrivals::Poisson, 1);
        let mut gaps = Vec::new();
        let mut last = 0;
        for _ in 0..20_000 {
            gaps.push(real(pace.due() - last) / 1e6);
            last = pace.due();
            pace.advance();
        }
        let mean = gaps.iter().sum::<f64>() / 20_000.0;
        let variance = gaps.iter().map(|gap| (gap - mean) * (gap - mean)).sum::<f64>() / 20_000.0;
        assert!((0.97..1.03).contains(&mean), "{mean}");
        // An exponential distance varies as much as it is long.
        assert!((0.94..1.06).contains(&variance), "{variance}");
    }
}
