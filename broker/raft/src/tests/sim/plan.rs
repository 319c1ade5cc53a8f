//! What a seed makes of a run: its size, its network and how often what goes wrong.

use super::chance::Chance;

pub(crate) const MILLISECOND: u64 = 1_000;
/// The shortest time without a leader after which somebody campaigns, and the longest.
pub(crate) const TIMEOUT: (u64, u64) = (250 * MILLISECOND, 400 * MILLISECOND);
/// How long a leader may rely on an answered beat: less than the shortest silence, by what clocks
/// may differ.
pub(crate) const LEASE: u64 = TIMEOUT.0 * 800 / 1200 - 5 * MILLISECOND;
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
    /// Of 1000 chances to campaign, how many are taken without a question first, and of 1000
    /// requests for votes, how many are answered as if no leader were heard.
    pub(crate) rash: u64,
    /// Of 1000 votes, how many are the last that a process does.
    pub(crate) ambush: u64,
    /// Of 1000 groups, how many have `write.caching`.
    pub(crate) caching: u64,
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
        Self {
            brokers: chance.count(3, 7),
            groups,
            steps,
            delay: [200, 1_000, 5_000][chance.index(3)],
            loss: [0, 5, 50][chance.index(3)],
            repeats: [0, 10, 100][chance.index(3)],
            flush: [100, 1_000, 5_000][chance.index(3)],
            faults: chance.between(60, 500) * MILLISECOND,
            requests: chance.between(500, 10_000),
            wishes: chance.between(100, 1_000) * MILLISECOND,
            rash: [0, 0, 300][chance.index(3)],
            ambush: [0, 50][chance.index(2)],
            caching: [0, 300, 1000][chance.index(3)],
        }
    }
}
