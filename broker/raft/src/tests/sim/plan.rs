//! What a seed makes of a run: its size, its network and how often what goes wrong.

use super::chance::Chance;
use crate::Timing;

pub(crate) const MILLISECOND: u64 = 1_000;
/// The shortest time without a leader after which somebody campaigns, and the longest.
pub(crate) const TIMEOUT: (u64, u64) = (250 * MILLISECOND, 400 * MILLISECOND);
/// Of pairs of brokers. A lease is shorter than the shortest silence by what clocks may differ.
pub(crate) const TIMING: Timing = Timing {
    beat_ms: 2 * TURN / MILLISECOND,
    silence_ms: TIMEOUT.0 / MILLISECOND,
    lease_ms: TIMEOUT.0 * 800 / 1200 / MILLISECOND - 5,
};
/// Between the campaigns of those who lost a leader.
pub(crate) const RANK: u64 = 100 * MILLISECOND;
/// How long a promise from before a start may hold, by any clock.
pub(crate) const PROMISE: u64 = TIMEOUT.0;
/// Between two looks at a broker's timers; every second one beats.
pub(crate) const TURN: u64 = 25 * MILLISECOND;
/// The longest flush.
pub(crate) const FLUSH: u64 = 3_000 * MILLISECOND;
/// Within which everything is well again when nothing goes wrong any more.
pub(crate) const CALM: u64 = 15_000 * MILLISECOND;

/// What a run is made of.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) brokers: usize,
    pub(crate) groups: usize,
    /// Events until nothing goes wrong any more.
    pub(crate) steps: u64,
    /// Of a message, usually.
    pub(crate) delay: u64,
    /// Of 1000 messages, how many are lost, and how many come twice.
    pub(crate) loss: u64,
    pub(crate) repeats: u64,
    /// Of a flush, usually.
    pub(crate) flush: u64,
    /// Between two faults, between two requests, and between two wishes for one group, on average.
    pub(crate) faults: u64,
    pub(crate) requests: u64,
    pub(crate) wishes: u64,
    /// How many groups get requests at a time; the others may sleep.
    pub(crate) busy: usize,
    /// Of 1000 groups, how many are compacted.
    pub(crate) compacted: u64,
    /// Of 1000 chances to campaign, how many are taken without a question first, and of 1000
    /// requests for votes, how many are answered as if no leader were heard.
    pub(crate) rash: u64,
    /// Of 1000 votes, how many are the last that a process does.
    pub(crate) ambush: u64,
    /// Of 1000 groups, how many have `write.caching`.
    pub(crate) caching: u64,
    /// Whether some replicas observe.
    pub(crate) observes: bool,
}

impl Plan {
    /// - `large`: hundreds of groups now and then.
    pub(crate) fn of(seed: u64, steps: u64, large: bool) -> Self {
        let mut chance = Chance::new(seed ^ 0x0070_6c61_6e00);
        let groups = match chance.below(10) {
            0 if large => chance.count(100, 400),
            1..=4 if large => chance.count(20, 60),
            _ => chance.count(4, 14),
        };
        let brokers = chance.count(3, 7);
        // Half of the clusters are calm enough for groups to sleep now and then.
        let is_quiet = chance.permille(500);
        let [wishes, requests, faults] = if is_quiet { [10, 4, 3] } else { [1; 3] };
        Self {
            brokers,
            groups,
            steps,
            delay: [200, 1_000, 5_000][chance.index(3)],
            loss: [0, 5, 50][chance.index(3)],
            repeats: [0, 10, 100][chance.index(3)],
            flush: [100, 1_000, 5_000][chance.index(3)],
            faults: chance.between(60, 500) * MILLISECOND * faults,
            requests: chance.between(500, 10_000) * requests,
            wishes: chance.between(100, 1_000) * MILLISECOND * wishes,
            busy: if is_quiet { chance.count(1, 3) } else { groups },
            compacted: [0, 500][chance.index(2)],
            rash: [0, 0, 300][chance.index(3)],
            ambush: [0, 50][chance.index(2)],
            caching: [0, 300, 1000][chance.index(3)],
            observes: chance.permille(300),
        }
    }
}
