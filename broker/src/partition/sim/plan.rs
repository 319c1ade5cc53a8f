//! What a seed makes of a run: its size, its network, and how often what goes wrong. Times are
//! virtual microseconds.

use std::sync::Arc;

use logboom_controller::MetadataRecord;
use logboom_controller::config::StaticConfig;
use logboom_controller::record::ConfigResource;

use super::chance::Chance;
use crate::partition::CatchUp;

pub(super) const MILLISECOND: u64 = 1_000;
pub(super) const SECOND: u64 = 1_000 * MILLISECOND;
/// Within which everything is well again when nothing goes wrong any more.
pub(super) const CALM: u64 = 30 * SECOND;

/// What a run is made of.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) brokers: usize,
    /// Of the metadata log.
    pub(super) voters: usize,
    /// Topics that operators want.
    pub(super) topics: usize,
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
    /// Bytes of the metadata log that are worth a checkpoint.
    pub(super) checkpoint_above: usize,
    /// Whether leaders go home by themselves.
    pub(super) goes_home: bool,
    /// Whether something goes wrong from the first moment on.
    pub(super) is_rough: bool,
    /// Of 1000 topics, in how many records count before they are flushed.
    pub(super) caching: u64,
    /// Whether nothing that was read stays in memory.
    pub(super) is_cold: bool,
}

impl Plan {
    /// - `seconds`: until nothing goes wrong any more.
    pub(super) fn of(seed: u64, seconds: u64) -> Self {
        let mut chance = Chance::new(seed ^ 0x0070_6c61_6e00);
        let quiet = chance.pick(&[1, 1, 4]);
        let brokers = chance.count(3, 5);
        Self {
            brokers,
            voters: chance.pick(&[1, 3, 3, 3, 5]).min(brokers),
            topics: chance.count(3, 6),
            clients: chance.count(1, 3),
            time: seconds * SECOND,
            delay: chance.pick(&[100, 1_000, 5_000]),
            loss: chance.pick(&[0, 5, 50]),
            flush: chance.pick(&[100, 1_000, 10_000]),
            faults: chance.between(150, 1_000) * MILLISECOND * quiet,
            requests: chance.between(3_000, 30_000) * quiet,
            wishes: chance.between(100, 1_000) * MILLISECOND * quiet,
            ambush: chance.pick(&[0, 1, 5]),
            cuts: chance.pick(&[200, 500, 900]),
            segment_bytes: chance.pick(&[2_000, 8_000, 64_000]),
            retention_bytes: chance.pick(&[-1, -1, 12_000]),
            min_insync_replicas: chance.pick(&[1, 1, 2]),
            near_bytes: chance.pick(&[500, 8_000, 16 << 20]),
            rate: chance.pick(&[None, Some(100_000)]),
            checkpoint_above: chance.pick(&[2_000, 10_000, 1 << 20]),
            goes_home: true,
            is_rough: chance.permille(250),
            caching: chance.pick(&[0, 0, 300, 1_000]),
            is_cold: chance.permille(500),
        }
    }

    /// What a broker is started with.
    pub(super) fn config(&self, id: i32) -> StaticConfig {
        let settings = [
            ("node.id", id.to_string()),
            ("log.retention.bytes", self.retention_bytes.to_string()),
            ("log.retention.ms", "-1".to_owned()),
            ("min.insync.replicas", self.min_insync_replicas.to_string()),
            ("auto.leader.rebalance.enable", self.goes_home.to_string()),
            ("leader.imbalance.check.interval.seconds", "2".to_owned()),
        ];
        let settings = settings.iter().map(|(name, value)| (*name, value.as_str()));
        StaticConfig::new(settings).expect("settings are right")
    }

    /// What is set with a topic: segments that no operator may have so small, and rates.
    pub(super) fn settings(&self, topic: &str, is_caching: bool) -> Vec<MetadataRecord> {
        let set = |resource, name: &str, value: String| MetadataRecord::Config {
            resource,
            name: name.into(),
            value: Some(value.into()),
        };
        let topic = || ConfigResource::topic(topic);
        let mut records = vec![set(topic(), "segment.bytes", self.segment_bytes.to_string())];
        if is_caching {
            records.push(set(topic(), "write.caching", "true".into()));
        }
        for side in ["leader", "follower"] {
            let Some(rate) = self.rate else { break };
            let (rates, replicas) = ("throttled.rate", "throttled.replicas");
            let all = ConfigResource::all_brokers();
            records.push(set(all, &format!("{side}.replication.{rates}"), rate.to_string()));
            records.push(set(topic(), &format!("{side}.replication.{replicas}"), "*".into()));
        }
        records
    }

    /// What followers that are behind may cost; rates come with the metadata.
    pub(super) fn catch_up(&self) -> Arc<CatchUp> {
        Arc::new(CatchUp::near(self.near_bytes))
    }
}
