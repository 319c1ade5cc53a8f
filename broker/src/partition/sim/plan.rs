//! What a seed makes of a run: its size, its network, and how often what goes wrong. Times are
//! virtual microseconds.

use std::sync::Arc;

use super::chance::Chance;
use crate::partition::{CatchUp, ReplicaList, Throttled};

pub(super) const MILLISECOND: u64 = 1_000;
pub(super) const SECOND: u64 = 1_000 * MILLISECOND;
/// Within which everything is well again when nothing goes wrong any more.
pub(super) const CALM: u64 = 30 * SECOND;

/// What a run is made of.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) brokers: usize,
    pub(super) groups: usize,
    pub(super) clients: usize,
    /// Until nothing goes wrong any more.
    pub(super) time: u64,
    /// Of what is on its way, usually.
    pub(super) delay: u64,
    /// Of 1000 messages and beats, how many find no room.
    pub(super) loss: u64,
    /// Of a flush, usually.
    pub(super) flush: u64,
    /// Between two faults, two requests, two wishes, on average.
    pub(super) faults: u64,
    pub(super) requests: u64,
    pub(super) wishes: u64,
    /// Of 1000 turns and flushes that have written something, in the midst of how many the process
    /// or the machine ends.
    pub(super) ambush: u64,
    /// Of 1000 ends, how many are power cuts.
    pub(super) cuts: u64,
    /// Bytes of a segment.
    pub(super) segment_bytes: u32,
    /// Bytes that a log keeps, or −1.
    pub(super) retention_bytes: i64,
    pub(super) min_insync_replicas: usize,
    /// Bytes of the end of a log that are near.
    pub(super) near_bytes: u64,
    /// Bytes a second that a broker sends to those behind and is sent, where that is limited.
    pub(super) rate: Option<i64>,
}

impl Plan {
    /// - `seconds`: until nothing goes wrong any more.
    pub(super) fn of(seed: u64, seconds: u64) -> Self {
        let mut chance = Chance::new(seed ^ 0x0070_6c61_6e00);
        let quiet = chance.pick(&[1, 1, 4]);
        Self {
            brokers: chance.count(3, 5),
            groups: chance.count(3, 6),
            clients: chance.count(1, 3),
            time: seconds * SECOND,
            delay: chance.pick(&[100, 1_000, 5_000]),
            loss: chance.pick(&[0, 5, 50]),
            flush: chance.pick(&[100, 1_000, 10_000]),
            faults: chance.between(150, 1_000) * MILLISECOND * quiet,
            requests: chance.between(3_000, 30_000) * quiet,
            wishes: chance.between(300, 3_000) * MILLISECOND * quiet,
            ambush: chance.pick(&[0, 1, 5]),
            cuts: chance.pick(&[200, 500, 900]),
            segment_bytes: chance.pick(&[2_000, 8_000, 64_000]),
            retention_bytes: chance.pick(&[-1, -1, 12_000]),
            min_insync_replicas: chance.pick(&[1, 1, 2]),
            near_bytes: chance.pick(&[500, 8_000, 16 << 20]),
            rate: chance.pick(&[None, Some(100_000)]),
        }
    }

    /// Which replicas have a limited rate: all, where there is one.
    pub(super) fn throttled(&self) -> Throttled {
        match self.rate {
            Some(_) => Throttled { leader: ReplicaList::All, follower: ReplicaList::All },
            None => Throttled::default(),
        }
    }

    /// What followers that are behind may cost on a broker of so many.
    pub(super) fn catch_up(&self) -> Arc<CatchUp> {
        let catch_up = CatchUp::near(self.near_bytes);
        if let Some(rate) = self.rate {
            let brokers = i32::try_from(self.brokers).unwrap();
            let followers = (1..=brokers).map(|broker| (broker, rate / i64::from(brokers)));
            catch_up.set_rates(Some(rate), &followers.collect());
        }
        Arc::new(catch_up)
    }
}
