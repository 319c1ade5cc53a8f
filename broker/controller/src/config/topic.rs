//! The configurations of topics.

use super::ConfigType::{self, Boolean, Double, Int, List, Long, String};
use super::Rule::{
    self, Any, AtLeast, Between, GzipLevel, ListOf, OneOf, Ratio, ThrottledReplicas,
};
use super::{Definition, Layered, Synonym};

const MIB: i64 = 1 << 20;
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// What stands for "never" and "no limit".
const LONG_MAX: &str = "9223372036854775807";

/// How brokers are chosen for new partitions.
const STRATEGIES: [&str; 5] =
    ["weighted", "round-robin", "weighted-round-robin", "least-loaded", "random"];

const fn topic(
    name: &'static str,
    config_type: ConfigType,
    default: &'static str,
    rule: Rule,
    synonyms: &'static [Synonym],
    documentation: &'static str,
) -> Layered {
    let default = Some(default);
    Layered { definition: Definition { name, config_type, default, rule, documentation }, synonyms }
}

const fn same(name: &'static str) -> Synonym {
    Synonym { name, factor: 1 }
}

/// The configuration of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Layered> {
    TABLE.iter().find(|layered| layered.definition.name == name)
}

/// All of them, by theme.
pub static TABLE: [Layered; 36] = [
    // Segments and time.
    topic(
        "segment.bytes",
        Int,
        "1073741824",
        AtLeast(MIB),
        &[same("log.segment.bytes")],
        "Size in bytes at which a segment is sealed and the next one begun. Retention and \
         compaction work on whole sealed segments.",
    ),
    topic(
        "segment.ms",
        Long,
        "604800000",
        AtLeast(1),
        &[same("log.roll.ms"), Synonym { name: "log.roll.hours", factor: HOUR_MS }],
        "Age in milliseconds at which a segment is sealed though it is not full, so that \
         retention can remove it.",
    ),
    topic(
        "segment.jitter.ms",
        Long,
        "0",
        AtLeast(0),
        &[same("log.roll.jitter.ms"), Synonym { name: "log.roll.jitter.hours", factor: HOUR_MS }],
        "Without effect: segments are sealed when they are old or full.",
    ),
    topic(
        "segment.index.bytes",
        Int,
        "10485760",
        AtLeast(4),
        &[same("log.index.size.max.bytes")],
        "Without effect: an index is as large as its segment makes it.",
    ),
    topic(
        "index.interval.bytes",
        Int,
        "4096",
        AtLeast(0),
        &[same("log.index.interval.bytes")],
        "Without effect: how much lies between two entries of an index is fixed.",
    ),
    topic(
        "preallocate",
        Boolean,
        "false",
        Any,
        &[same("log.preallocate")],
        "Without effect: space of segments is reserved piece by piece.",
    ),
    topic(
        "file.delete.delay.ms",
        Long,
        "60000",
        AtLeast(0),
        &[same("log.segment.delete.delay.ms")],
        "Milliseconds from the removal of a replica until its files go, under another name until \
         then.",
    ),
    // Flushing.
    topic(
        "flush.messages",
        Long,
        LONG_MAX,
        AtLeast(1),
        &[same("log.flush.interval.messages")],
        "After how many records a flush to disk is forced where write.caching is true; the last \
         of them is acknowledged behind it. Otherwise what is acknowledged with acks=all is on \
         disk.",
    ),
    topic(
        "flush.ms",
        Long,
        LONG_MAX,
        AtLeast(0),
        &[same("log.flush.interval.ms"), same("log.flush.scheduler.interval.ms")],
        "After how many milliseconds a flush to disk is forced where write.caching is true: a \
         second in any case. Otherwise what is acknowledged with acks=all is on disk.",
    ),
    topic(
        "write.caching",
        Boolean,
        "false",
        Any,
        &[],
        "Acknowledge records before they are on disk. Faster; a power cut on a majority of \
         the replicas loses what was acknowledged last.",
    ),
    // Retention and compaction.
    topic(
        "cleanup.policy",
        List,
        "delete",
        ListOf(&["compact", "delete"]),
        &[same("log.cleanup.policy")],
        "What happens to old records: delete removes segments by age and size, compact \
         keeps the last record of each key.",
    ),
    topic(
        "retention.ms",
        Long,
        "604800000",
        AtLeast(-1),
        &[
            same("log.retention.ms"),
            Synonym { name: "log.retention.minutes", factor: MINUTE_MS },
            Synonym { name: "log.retention.hours", factor: HOUR_MS },
        ],
        "Age in milliseconds after which segments are deleted; -1 keeps them for ever.",
    ),
    topic(
        "retention.bytes",
        Long,
        "-1",
        Any,
        &[same("log.retention.bytes")],
        "Bytes of a partition beyond which its oldest segments are deleted; -1 is no limit.",
    ),
    topic(
        "delete.retention.ms",
        Long,
        "86400000",
        AtLeast(0),
        &[same("log.cleaner.delete.retention.ms")],
        "Milliseconds for which the tombstones of a compacted topic are kept for readers \
         that are behind.",
    ),
    topic(
        "min.compaction.lag.ms",
        Long,
        "0",
        AtLeast(0),
        &[same("log.cleaner.min.compaction.lag.ms")],
        "Milliseconds for which a record is left alone by compaction.",
    ),
    topic(
        "max.compaction.lag.ms",
        Long,
        LONG_MAX,
        AtLeast(1),
        &[same("log.cleaner.max.compaction.lag.ms")],
        "Milliseconds after which a record must have been looked at by compaction.",
    ),
    topic(
        "min.cleanable.dirty.ratio",
        Double,
        "0.5",
        Ratio,
        &[same("log.cleaner.min.cleanable.ratio")],
        "Which part of a log may be uncompacted before it is compacted again.",
    ),
    // Records.
    topic(
        "max.message.bytes",
        Int,
        "1048588",
        AtLeast(0),
        &[same("message.max.bytes")],
        "The largest record batch in bytes, compressed, that is taken.",
    ),
    topic(
        "compression.type",
        String,
        "producer",
        OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]),
        &[same("compression.type")],
        "The codec of what is stored; producer keeps what was sent.",
    ),
    topic(
        "compression.gzip.level",
        Int,
        "-1",
        GzipLevel,
        &[same("compression.gzip.level")],
        "Without effect: where batches are compressed anew, the level is our own.",
    ),
    topic(
        "compression.lz4.level",
        Int,
        "9",
        Between(1, 17),
        &[same("compression.lz4.level")],
        "Without effect: where batches are compressed anew, the level is our own.",
    ),
    topic(
        "compression.zstd.level",
        Int,
        "3",
        Between(-131_072, 22),
        &[same("compression.zstd.level")],
        "Without effect: where batches are compressed anew, the level is our own.",
    ),
    topic(
        "placement.strategy",
        String,
        "weighted",
        OneOf(&STRATEGIES),
        &[same("default.placement.strategy")],
        "How brokers are chosen for new partitions: as a plan of the balancer would have it, in \
         turns, by chance, or who has the least. Racks and capacities are kept in any case.",
    ),
    topic(
        "message.timestamp.type",
        String,
        "CreateTime",
        OneOf(&["CreateTime", "LogAppendTime"]),
        &[same("log.message.timestamp.type")],
        "Whether a record keeps the producer's timestamp or gets the broker's.",
    ),
    topic(
        "message.timestamp.before.max.ms",
        Long,
        LONG_MAX,
        AtLeast(0),
        &[same("log.message.timestamp.before.max.ms")],
        "How many milliseconds a producer's timestamp may lie before the broker's clock.",
    ),
    topic(
        "message.timestamp.after.max.ms",
        Long,
        "3600000",
        AtLeast(0),
        &[same("log.message.timestamp.after.max.ms")],
        "How many milliseconds a producer's timestamp may lie after the broker's clock.",
    ),
    topic(
        "message.downconversion.enable",
        Boolean,
        "true",
        Any,
        &[],
        "Without effect: no version that is spoken needs another format.",
    ),
    // Replication.
    topic(
        "min.insync.replicas",
        Int,
        "1",
        AtLeast(1),
        &[same("min.insync.replicas")],
        "How many replicas must be in sync for acks=all to be taken.",
    ),
    topic(
        "unclean.leader.election.enable",
        Boolean,
        "false",
        Any,
        &[same("unclean.leader.election.enable")],
        "Without effect: who lacks acknowledged records never leads by itself.",
    ),
    topic(
        "leader.replication.throttled.replicas",
        List,
        "",
        ThrottledReplicas,
        &[],
        "Replicas whose leaders send at a limited rate, as PARTITION:BROKER, or *.",
    ),
    topic(
        "follower.replication.throttled.replicas",
        List,
        "",
        ThrottledReplicas,
        &[],
        "Replicas that receive at a limited rate, as PARTITION:BROKER, or *.",
    ),
    // Tiered storage, which is not offered.
    topic(
        "remote.storage.enable",
        Boolean,
        "false",
        OneOf(&["false"]),
        &[],
        "Tiered storage, which this broker doesn't have.",
    ),
    topic(
        "remote.log.copy.disable",
        Boolean,
        "false",
        Any,
        &[],
        "Without effect: there is no tiered storage.",
    ),
    topic(
        "remote.log.delete.on.disable",
        Boolean,
        "false",
        Any,
        &[],
        "Without effect: there is no tiered storage.",
    ),
    topic(
        "local.retention.ms",
        Long,
        "-2",
        AtLeast(-2),
        &[same("log.local.retention.ms")],
        "Without effect: there is no tiered storage.",
    ),
    topic(
        "local.retention.bytes",
        Long,
        "-2",
        AtLeast(-2),
        &[same("log.local.retention.bytes")],
        "Without effect: there is no tiered storage.",
    ),
];
