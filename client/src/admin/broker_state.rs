//! Whether a broker can keep replicas up to date, as it says itself.

use std::ops::Range;

use logboom_protocol::messages::describe_log_dirs::{
    DamagedPartition, DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeLogDirsResult,
    UnheardBroker,
};

use super::log_dirs::told;
use crate::{ClientError, Cluster};

/// How a broker is. All but the directories is told by brokers of Logboom only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BrokerState {
    /// Its log directories, whatever lies there.
    pub directories: Vec<LogDirState>,
    /// Since when its flushes hang, or did a moment ago, in milliseconds since 1970.
    pub hanging_since_ms: Option<i64>,
    /// The longest time that a flush took lately, in milliseconds, where that was long.
    pub longest_flush_ms: Option<i64>,
    /// The other brokers of which it hears nothing, and since when, in milliseconds since 1970.
    pub unheard: Vec<(i32, i64)>,
    /// Parts of logs that it can't read; not all where they are very many.
    pub damaged: Vec<Damage>,
}

/// Whether a directory in which a broker keeps logs is in service, and has room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDirState {
    /// Its path on the broker's machine.
    pub path: String,
    /// Whether it is out of service.
    pub has_failed: bool,
    /// Free bytes of its file system, where brokers tell it.
    pub usable_bytes: Option<i64>,
}

/// A part of a replica's log that can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The topic's name.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Half-open.
    pub offsets: Range<i64>,
}

impl Cluster {
    /// How a broker is.
    ///
    /// # Errors
    /// The broker's code, or why it can't be asked.
    pub async fn broker_state(&self, broker_id: i32) -> Result<BrokerState, ClientError> {
        // No partition's size is asked for.
        let request = DescribeLogDirsRequest { topics: Some(Vec::new()) };
        self.ask_log_dirs(broker_id, request).await.map(BrokerState::new)
    }
}

impl BrokerState {
    fn new(response: DescribeLogDirsResponse) -> Self {
        let DescribeLogDirsResponse { results, slow_flushes, unheard_brokers, .. } = response;
        let directory = |dir: DescribeLogDirsResult| LogDirState {
            has_failed: !dir.error_code.is_none(),
            usable_bytes: told(dir.usable_bytes),
            path: dir.log_dir.into(),
        };
        let unheard = |it: UnheardBroker| (it.broker_id, it.since_ms);
        let damage = |it: DamagedPartition| Damage {
            topic: it.topic.into(),
            partition: it.partition_index,
            offsets: it.start_offset..it.end_offset,
        };
        Self {
            directories: results.into_iter().map(directory).collect(),
            hanging_since_ms: told(slow_flushes.hanging_since_ms),
            longest_flush_ms: (slow_flushes.longest_ms > 0).then_some(slow_flushes.longest_ms),
            unheard: unheard_brokers.into_iter().map(unheard).collect(),
            damaged: response.damaged_partitions.into_iter().map(damage).collect(),
        }
    }
}
