//! What a shard knows to be wrong around it, for whoever asks why replicas lag.
//!
//! Must always hold: asking changes nothing, and a shard with nothing wrong says so.

use std::collections::BTreeMap;

use super::Lanes;

/// How long another broker may be silent until it is told of: longer than a busy machine takes.
const UNHEARD_MS: u64 = 2_000;
/// For so long, to twice as long, it is known how long flushes took.
const WINDOW_MS: u64 = 15_000;

/// What is wrong; times are those of the machine's clock, in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    /// Since when flushes hang, or did a moment ago.
    pub(crate) hanging_since: Option<u64>,
    /// The longest time for which no flush made progress lately, though one was under way.
    pub(crate) longest_flush_ms: u64,
    /// The other brokers with replicas of the same groups that are silent, and when they were heard
    /// last, or met where they weren't.
    pub(crate) unheard: BTreeMap<i32, u64>,
}

impl Troubles {
    /// Adds what another shard knows: a broker that any of them hears is heard.
    pub(crate) fn and(mut self, other: Self) -> Self {
        let both = self.hanging_since.into_iter().chain(other.hanging_since);
        self.hanging_since = both.min();
        self.longest_flush_ms = self.longest_flush_ms.max(other.longest_flush_ms);
        for (broker, heard) in other.unheard {
            let known = self.unheard.entry(broker).or_insert(heard);
            *known = heard.max(*known);
        }
        self
    }

    /// Leaves away who was heard a moment ago.
    pub(crate) fn at(mut self, now: u64) -> Self {
        self.unheard.retain(|_, heard| now > *heard + UNHEARD_MS);
        self
    }
}

/// How long flushes made no progress, at the most.
#[derive(Debug, Default)]
pub(super) struct Stalls {
    began: u64,
    longest: u64,
    /// Of the window before.
    before: u64,
}

impl Stalls {
    pub(super) fn note(&mut self, stall: u64, now: u64) {
        self.turn(now);
        self.longest = self.longest.max(stall);
    }

    fn turn(&mut self, now: u64) {
        if now >= self.began + WINDOW_MS {
            let is_next = now < self.began + 2 * WINDOW_MS;
            self.before = if is_next { self.longest } else { 0 };
            (self.began, self.longest) = (now, 0);
        }
    }

    fn longest(&self, now: u64) -> u64 {
        match now.saturating_sub(self.began) / WINDOW_MS {
            0 => self.longest.max(self.before),
            1 => self.longest,
            _ => 0,
        }
    }
}

impl Lanes {
    /// What is wrong. All other brokers are among the unheard, until [`Troubles::at`].
    pub(in crate::partition) fn troubles(&self, now: u64) -> Troubles {
        let mut unheard = BTreeMap::new();
        for (broker, other) in self.lanes.values().flat_map(|lane| &lane.others) {
            let heard = other.pair.last_heard().unwrap_or(other.met);
            let known = unheard.entry(*broker).or_insert(heard);
            *known = heard.max(*known);
        }
        Troubles {
            hanging_since: self.slow.map(|slow| slow.began()),
            longest_flush_ms: self.stalls.longest(now),
            unheard,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_flushes_took_is_known_for_a_while() {
        let mut stalls = Stalls::default();
        stalls.note(300, 100_000);
        stalls.note(200, 101_000);
        assert_eq!(stalls.longest(101_000), 300);
        assert_eq!(stalls.longest(100_000 + 2 * WINDOW_MS - 1), 300);
        assert_eq!(stalls.longest(100_000 + 2 * WINDOW_MS), 0);
        stalls.note(50, 100_000 + WINDOW_MS);
        assert_eq!(stalls.longest(100_000 + 2 * WINDOW_MS - 1), 300, "of the window before");
        stalls.note(60, 100_000 + 2 * WINDOW_MS);
        assert_eq!(stalls.longest(100_000 + 2 * WINDOW_MS), 60);
    }

    #[test]
    fn a_broker_is_unheard_where_no_shard_hears_it() {
        let one = |unheard: [(i32, u64); 2], hanging_since, longest_flush_ms| Troubles {
            hanging_since,
            longest_flush_ms,
            unheard: unheard.into(),
        };
        let all = one([(2, 1_000), (3, 1_000)], Some(7), 1).and(one([(2, 9_000), (4, 0)], None, 5));
        assert_eq!((all.hanging_since, all.longest_flush_ms), (Some(7), 5));
        let told = all.at(9_000);
        assert_eq!(told.unheard, [(3, 1_000), (4, 0)].into());
        assert_eq!(one([(2, 1), (3, 1)], Some(9), 0).and(told).hanging_since, Some(7));
    }
}
