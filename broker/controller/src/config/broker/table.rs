//! What a broker has for itself.

use super::super::ConfigType::{self, Boolean, Double, Int, List, Long, Short, String};
use super::super::Definition;
use super::super::Rule::{self, Any, AtLeast, Between, ListOf, OneOf};
use super::{BrokerDefinition, Update};

/// The values of `replica.selector.class`: the reference's names of its own classes.
const LEADER_SELECTOR: &str = "org.apache.kafka.common.replica.LeaderSelector";
/// Consumers are sent to a replica in their rack.
pub const RACK_AWARE_SELECTOR: &str = "org.apache.kafka.common.replica.RackAwareReplicaSelector";

const INT_MAX: &str = "2147483647";
const LONG_MAX: &str = "9223372036854775807";

const fn read_only(
    name: &'static str,
    config_type: ConfigType,
    default: Option<&'static str>,
    rule: Rule,
    documentation: &'static str,
) -> BrokerDefinition {
    let definition = Definition { name, config_type, default, rule, documentation };
    BrokerDefinition { definition, update: Update::ReadOnly }
}

pub(super) const fn cluster_wide(
    name: &'static str,
    config_type: ConfigType,
    default: Option<&'static str>,
    rule: Rule,
    documentation: &'static str,
) -> BrokerDefinition {
    let definition = Definition { name, config_type, default, rule, documentation };
    BrokerDefinition { definition, update: Update::ClusterWide }
}

/// One that has no effect in a file: `update` says for whom it is set.
pub(super) const fn live(
    name: &'static str,
    default: &'static str,
    update: Update,
    documentation: &'static str,
) -> BrokerDefinition {
    let (config_type, default, rule) = (Boolean, Some(default), Any);
    let definition = Definition { name, config_type, default, rule, documentation };
    BrokerDefinition { definition, update }
}

/// A broker's own.
pub(super) static TABLE: [BrokerDefinition; 77] = [
    // Who and where it is.
    read_only(
        "node.id",
        Int,
        Some("1"),
        AtLeast(0),
        "The broker's number in its cluster. It must not change.",
    ),
    read_only(
        "broker.rack",
        String,
        None,
        Any,
        "Where the broker stands. Replicas of a partition are spread over racks.",
    ),
    read_only(
        "listeners",
        String,
        Some("PLAINTEXT://127.0.0.1:9092"),
        Any,
        "The addresses on which clients are awaited, as NAME://HOST:PORT.",
    ),
    read_only(
        "advertised.listeners",
        String,
        None,
        Any,
        "The addresses that clients are told, where they differ from listeners.",
    ),
    read_only(
        "listener.security.protocol.map",
        String,
        Some("PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL"),
        Any,
        "Which security protocol each listener speaks, as NAME:PROTOCOL.",
    ),
    read_only(
        "listener.congestion.control.map",
        String,
        Some(""),
        Any,
        "How the system paces what a listener sends, as NAME:ALGORITHM (Logboom's own).",
    ),
    read_only("log.dir", String, Some("./logboom-data"), Any, "The data directory."),
    read_only(
        "admin.listener",
        String,
        Some("127.0.0.1:9644"),
        Any,
        "Where metrics and health are served by HTTP, as HOST:PORT; empty is nowhere.",
    ),
    read_only(
        "process.roles",
        List,
        Some("broker,controller"),
        ListOf(&["broker", "controller"]),
        "Whether it serves clients (broker), may decide for the cluster (controller), or both.",
    ),
    read_only(
        "controller.quorum.voters",
        String,
        Some(""),
        Any,
        "The brokers that decide together, as ID@HOST:PORT of their peer.listener; empty: itself.",
    ),
    read_only(
        "peer.listener",
        String,
        Some(""),
        Any,
        "Where other brokers are awaited, as HOST:PORT; empty: as controller.quorum.voters says.",
    ),
    read_only(
        "num.io.threads",
        Int,
        None,
        AtLeast(1),
        "Threads that serve requests and own partitions; unset is one a processor.",
    ),
    // Topics.
    read_only(
        "auto.create.topics.enable",
        Boolean,
        Some("true"),
        Any,
        "Whether a topic that a client asks for is created.",
    ),
    read_only("delete.topic.enable", Boolean, Some("true"), Any, "Whether topics may be deleted."),
    read_only(
        "num.partitions",
        Int,
        Some("1"),
        AtLeast(1),
        "Partitions of a topic that is created without their number.",
    ),
    read_only(
        "default.replication.factor",
        Int,
        Some("1"),
        Between(1, 32_767),
        "Replicas of a topic that is created without their number.",
    ),
    // Leaders.
    read_only(
        "auto.leader.rebalance.enable",
        Boolean,
        Some("true"),
        Any,
        "Whether leaders go back by themselves to the brokers that are preferred for them.",
    ),
    read_only(
        "leader.imbalance.check.interval.seconds",
        Long,
        Some("300"),
        AtLeast(1),
        "How often, in seconds, it is looked for leaders to go back.",
    ),
    read_only(
        "leader.imbalance.per.broker.percentage",
        Int,
        Some("10"),
        AtLeast(0),
        "How much of what a broker is preferred for others may lead, in a hundred.",
    ),
    read_only(
        "replica.selector.class",
        String,
        None,
        OneOf(&[LEADER_SELECTOR, RACK_AWARE_SELECTOR]),
        "Where consumers read: at the leader, as where it is unset, or at a replica in the rack \
         that they name.",
    ),
    // Logs.
    read_only(
        "log.roll.hours",
        Int,
        Some("168"),
        AtLeast(1),
        "Age in hours at which a segment is sealed; log.roll.ms goes before.",
    ),
    read_only(
        "log.roll.jitter.hours",
        Int,
        Some("0"),
        AtLeast(0),
        "Without effect: segments are sealed when they are old or full.",
    ),
    read_only(
        "log.retention.minutes",
        Int,
        None,
        Any,
        "Age in minutes after which segments are deleted; log.retention.ms goes before.",
    ),
    read_only(
        "log.retention.hours",
        Int,
        Some("168"),
        Any,
        "Age in hours after which segments are deleted; log.retention.minutes goes before.",
    ),
    read_only(
        "log.retention.check.interval.ms",
        Long,
        Some("300000"),
        AtLeast(1),
        "How often, in milliseconds, it is looked for segments to delete.",
    ),
    read_only(
        "log.initial.task.delay.ms",
        Long,
        Some("30000"),
        AtLeast(0),
        "Milliseconds from the start until it is first looked for segments to delete and for \
         producers to forget.",
    ),
    read_only(
        "log.flush.scheduler.interval.ms",
        Long,
        Some(LONG_MAX),
        Any,
        "As log.flush.interval.ms, which goes before.",
    ),
    cluster_wide(
        "num.recovery.threads.per.data.dir",
        Int,
        Some("2"),
        AtLeast(1),
        "Without effect: eight threads for each of num.io.threads open the logs.",
    ),
    read_only("log.cleaner.enable", Boolean, Some("true"), Any, "Whether topics are compacted."),
    cluster_wide("log.cleaner.threads", Int, Some("1"), AtLeast(0), "Threads that compact."),
    cluster_wide(
        "log.cleaner.dedupe.buffer.size",
        Long,
        Some("134217728"),
        Any,
        "Bytes of memory for the keys of all compacting threads.",
    ),
    cluster_wide(
        "log.cleaner.io.max.bytes.per.second",
        Double,
        Some("1.7976931348623157E308"),
        Any,
        "Bytes that compaction reads and writes in a second, at most.",
    ),
    cluster_wide(
        "log.cleaner.backoff.ms",
        Long,
        Some("15000"),
        AtLeast(0),
        "Milliseconds to rest when there is nothing to compact.",
    ),
    cluster_wide(
        "leader.replication.throttled.rate",
        Long,
        Some(LONG_MAX),
        AtLeast(0),
        "Bytes that it sends in a second to replicas that are behind, at most, as \
         leader.replication.throttled.replicas of topics names it. In a file it has no effect.",
    ),
    cluster_wide(
        "follower.replication.throttled.rate",
        Long,
        Some(LONG_MAX),
        AtLeast(0),
        "Bytes that it is sent in a second while it is behind, at most, as \
         follower.replication.throttled.replicas of topics names it. In a file it has no effect.",
    ),
    cluster_wide(
        "replica.alter.log.dirs.io.max.bytes.per.second",
        Long,
        Some(LONG_MAX),
        AtLeast(0),
        "Bytes that replicas copy in a second between directories. A broker has one, and copies \
         none.",
    ),
    cluster_wide(
        "log.scrub.bytes.per.second",
        Long,
        Some("10485760"),
        AtLeast(0),
        "Bytes of logs that are read in a second to find damage, at most; 0 reads none.",
    ),
    cluster_wide(
        "log.repair.bytes.per.second",
        Long,
        Some("104857600"),
        AtLeast(1),
        "Bytes that a repair of damaged logs reads and writes in a second, at most.",
    ),
    // Connections and requests.
    read_only(
        "socket.send.buffer.bytes",
        Int,
        Some("-1"),
        AtLeast(-1),
        "The send buffer of a connection; -1 leaves it to the system.",
    ),
    read_only(
        "socket.receive.buffer.bytes",
        Int,
        Some("-1"),
        AtLeast(-1),
        "The receive buffer of a connection; -1 leaves it to the system.",
    ),
    read_only(
        "socket.request.max.bytes",
        Int,
        Some("104857600"),
        AtLeast(1),
        "The largest request in bytes.",
    ),
    read_only(
        "queued.max.request.bytes",
        Long,
        Some("134217728"),
        AtLeast(1),
        "Bytes of requests that are arriving or not answered, at most.",
    ),
    read_only(
        "queued.max.response.bytes",
        Long,
        Some("134217728"),
        AtLeast(1),
        "Memory of answers that are made and not sent, at most (Logboom's own).",
    ),
    read_only(
        "socket.listen.backlog.size",
        Int,
        Some("1024"),
        AtLeast(1),
        "Connections that wait to be accepted.",
    ),
    cluster_wide(
        "max.connections",
        Int,
        Some(INT_MAX),
        AtLeast(0),
        "Connections at a time, on all listeners.",
    ),
    cluster_wide(
        "max.connections.per.ip",
        Int,
        Some(INT_MAX),
        AtLeast(0),
        "Connections at a time from one address.",
    ),
    cluster_wide(
        "max.connections.per.ip.overrides",
        String,
        Some(""),
        Any,
        "Without effect: max.connections.per.ip holds for all addresses.",
    ),
    cluster_wide(
        "max.connection.creation.rate",
        Int,
        Some(INT_MAX),
        AtLeast(0),
        "Without effect: connections are limited in number alone.",
    ),
    read_only(
        "connections.max.idle.ms",
        Long,
        Some("600000"),
        Any,
        "Milliseconds after which a silent connection is closed.",
    ),
    read_only(
        "fetch.max.bytes",
        Int,
        Some("57671680"),
        AtLeast(1024),
        "The most bytes of a fetch response.",
    ),
    read_only(
        "max.incremental.fetch.session.cache.slots",
        Int,
        Some("1000"),
        AtLeast(0),
        "Fetch sessions at a time.",
    ),
    read_only(
        "max.request.partition.size.limit",
        Int,
        Some("2000"),
        AtLeast(1),
        "Partitions in a DescribeTopicPartitions response.",
    ),
    read_only(
        "request.timeout.ms",
        Int,
        Some("30000"),
        Any,
        "Without effect: for how long another broker is waited for depends on the question.",
    ),
    read_only(
        "replica.lag.time.max.ms",
        Long,
        Some("30000"),
        Any,
        "Without effect: a replica that lacks what was there a second ago is not in sync.",
    ),
    // Groups.
    read_only(
        "group.min.session.timeout.ms",
        Int,
        Some("6000"),
        Any,
        "The shortest session timeout of a member, in milliseconds.",
    ),
    read_only(
        "group.max.session.timeout.ms",
        Int,
        Some("1800000"),
        Any,
        "The longest session timeout of a member, in milliseconds.",
    ),
    read_only(
        "group.initial.rebalance.delay.ms",
        Int,
        Some("3000"),
        Any,
        "Milliseconds for which an empty group waits for more members.",
    ),
    read_only("group.max.size", Int, Some(INT_MAX), AtLeast(1), "Members of a group, at most."),
    read_only(
        "group.consumer.min.session.timeout.ms",
        Int,
        Some("45000"),
        AtLeast(1),
        "The shortest session timeout of a consumer group (KIP-848).",
    ),
    read_only(
        "group.consumer.max.session.timeout.ms",
        Int,
        Some("60000"),
        AtLeast(1),
        "The longest session timeout of a consumer group (KIP-848).",
    ),
    read_only(
        "group.consumer.min.heartbeat.interval.ms",
        Int,
        Some("5000"),
        AtLeast(1),
        "The shortest heartbeat interval of a consumer group (KIP-848).",
    ),
    read_only(
        "group.consumer.max.heartbeat.interval.ms",
        Int,
        Some("15000"),
        AtLeast(1),
        "The longest heartbeat interval of a consumer group (KIP-848).",
    ),
    read_only(
        "group.consumer.max.size",
        Int,
        Some(INT_MAX),
        AtLeast(1),
        "Without effect: there are no groups of KIP-848.",
    ),
    read_only(
        "group.consumer.assignors",
        List,
        Some("uniform,range"),
        ListOf(&["uniform", "range"]),
        "Without effect: there are no groups of KIP-848.",
    ),
    read_only(
        "offset.metadata.max.bytes",
        Int,
        Some("4096"),
        Any,
        "Bytes of the metadata of a committed offset.",
    ),
    read_only(
        "offsets.retention.minutes",
        Int,
        Some("10080"),
        AtLeast(1),
        "Minutes for which the offsets of a group without members are kept.",
    ),
    read_only(
        "offsets.retention.check.interval.ms",
        Long,
        Some("600000"),
        AtLeast(1),
        "How often, in milliseconds, it is looked for offsets to forget.",
    ),
    read_only(
        "offsets.topic.num.partitions",
        Int,
        Some("50"),
        AtLeast(1),
        "Partitions of the topic of committed offsets.",
    ),
    read_only(
        "offsets.topic.segment.bytes",
        Int,
        Some("104857600"),
        AtLeast(1),
        "Segment size of the topic of committed offsets.",
    ),
    read_only(
        "offsets.topic.replication.factor",
        Short,
        Some("3"),
        AtLeast(1),
        "Replicas of the topic of committed offsets, once there are as many brokers.",
    ),
    // Producers and transactions.
    cluster_wide(
        "producer.id.expiration.ms",
        Int,
        Some("86400000"),
        AtLeast(1),
        "Milliseconds of silence after which a partition forgets a producer.",
    ),
    read_only(
        "transactional.id.expiration.ms",
        Int,
        Some("604800000"),
        AtLeast(1),
        "Without effect: there are no transactions.",
    ),
    read_only(
        "transaction.max.timeout.ms",
        Int,
        Some("900000"),
        AtLeast(1),
        "The longest transaction that a producer may ask for, in milliseconds.",
    ),
    read_only(
        "transaction.state.log.num.partitions",
        Int,
        Some("50"),
        AtLeast(1),
        "Without effect: there are no transactions.",
    ),
    read_only(
        "transaction.state.log.segment.bytes",
        Int,
        Some("104857600"),
        AtLeast(1),
        "Without effect: there are no transactions.",
    ),
    read_only(
        "transaction.state.log.replication.factor",
        Short,
        Some("3"),
        AtLeast(1),
        "Without effect: there are no transactions.",
    ),
    read_only(
        "transaction.state.log.min.isr",
        Int,
        Some("2"),
        AtLeast(1),
        "Without effect: there are no transactions.",
    ),
];
