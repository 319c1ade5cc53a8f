//! What a topic's configuration means to its partitions, read once for each change.

use logboom_controller::config::Effective;
use logboom_protocol::records::Codec;
use logboom_storage::{CompactionOptions, LogOptions};

use super::throttled::{ReplicaList, Throttled};

/// The settings of a topic that its partitions look at.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TopicSettings {
    /// Sizes and times of the log.
    pub(crate) log: LogOptions,
    /// The most bytes of a batch (`max.message.bytes`).
    pub(crate) max_message_bytes: usize,
    /// Whose time a batch carries (`message.timestamp.type`).
    pub(crate) timestamp_type: TimestampType,
    /// Milliseconds by which a timestamp may lie before the broker's time.
    pub(crate) timestamp_before_max_ms: i64,
    /// Milliseconds by which it may lie behind it.
    pub(crate) timestamp_after_max_ms: i64,
    /// The codec of stored batches; `None` keeps the producer's (`compression.type`).
    pub(crate) compression: Option<Codec>,
    /// Whether only the last record of each key is kept (`cleanup.policy`).
    pub(crate) is_compacted: bool,
    /// How and when it is compacted, if it is.
    pub(crate) compaction: CompactionOptions,
    /// Whether old records are deleted (`cleanup.policy`).
    pub(crate) is_deleted: bool,
    /// Whether a record counts before it is flushed (`write.caching`).
    pub(crate) write_caching: bool,
    /// How many records may wait for a flush then, exclusive (`flush.messages`).
    pub(crate) flush_messages: i64,
    /// How many milliseconds they may (`flush.ms`).
    pub(crate) flush_ms: u64,
    /// How many replicas have to have a record before it is acknowledged (`min.insync.replicas`).
    pub(crate) min_insync_replicas: usize,
    /// For how many milliseconds a removed replica's files are kept (`file.delete.delay.ms`).
    pub(crate) delete_delay_ms: u64,
    /// Which replicas are sent what they lack at a limited rate.
    pub(crate) throttled: Throttled,
}

/// Whose time a batch carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's.
    LogAppendTime,
}

impl TopicSettings {
    /// The settings that are in force for a topic.
    pub(crate) fn new(effective: &Effective<'_>, topic: &str) -> Self {
        let integer = |name| effective.topic_integer(topic, name);
        let text = |name| effective.topic_text(topic, name);
        let narrow = |value: i64| u32::try_from(value).unwrap_or(u32::MAX);
        let policy = text("cleanup.policy");
        let has = |wanted: &str| policy.split(',').any(|one| one.trim() == wanted);
        let compression = match text("compression.type").as_str() {
            "uncompressed" => Some(Codec::None),
            "gzip" => Some(Codec::Gzip),
            "snappy" => Some(Codec::Snappy),
            "lz4" => Some(Codec::Lz4),
            "zstd" => Some(Codec::Zstd),
            _ => None,
        };
        let timestamp_type = match text("message.timestamp.type").as_str() {
            "LogAppendTime" => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        };
        let (is_compacted, max_lag_ms) = (has("compact"), integer("max.compaction.lag.ms"));
        let segment_bytes = narrow(integer("segment.bytes"));
        // Only a sealed segment is compacted, so that it must be in time (KIP-354).
        let segment_ms_max = if is_compacted && max_lag_ms > 0 { max_lag_ms } else { i64::MAX };
        Self {
            log: LogOptions {
                segment_bytes,
                segment_ms: integer("segment.ms").min(segment_ms_max),
                retention_bytes: integer("retention.bytes"),
                retention_ms: integer("retention.ms"),
            },
            max_message_bytes: usize::try_from(integer("max.message.bytes")).unwrap_or(0),
            timestamp_type,
            timestamp_before_max_ms: integer("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: integer("message.timestamp.after.max.ms"),
            compression,
            is_compacted,
            compaction: CompactionOptions {
                segment_bytes,
                min_dirty_ratio: effective.topic_double(topic, "min.cleanable.dirty.ratio"),
                min_lag_ms: integer("min.compaction.lag.ms"),
                max_lag_ms,
                delete_retention_ms: integer("delete.retention.ms"),
            },
            is_deleted: has("delete"),
            min_insync_replicas: usize::try_from(integer("min.insync.replicas")).unwrap_or(1),
            delete_delay_ms: u64::try_from(integer("file.delete.delay.ms")).unwrap_or(0),
            throttled: Throttled {
                leader: ReplicaList::new(&text("leader.replication.throttled.replicas")),
                follower: ReplicaList::new(&text("follower.replication.throttled.replicas")),
            },
            write_caching: text("write.caching").eq_ignore_ascii_case("true"),
            flush_messages: integer("flush.messages"),
            flush_ms: u64::try_from(integer("flush.ms")).unwrap_or(0),
        }
    }
}
