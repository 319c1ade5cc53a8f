//! What operators say of balancing.

use super::super::ConfigType::{Int, List, Long};
use super::super::Rule::{AtLeast, Between, ListOf};
use super::table::{cluster_wide, live};
use super::{BrokerDefinition, Update};

/// The reasons for which something is moved: the rules of the balancer, but for what operators move
/// themselves.
const TRIGGERS: [&str; 8] = [
    "lost-broker",
    "rack",
    "capacity",
    "drain",
    "disk-pressure",
    "new-broker",
    "skew",
    "leader-skew",
];
/// The most of anything that a broker may have room for.
const AMOUNT_MAX: i64 = 1 << 50;

/// They are a broker's own.
pub(super) static TABLE: [BrokerDefinition; 13] = [
    cluster_wide(
        "balance.triggers",
        List,
        Some("lost-broker,capacity,drain,disk-pressure"),
        ListOf(&TRIGGERS),
        "For which reasons replicas and leaders are moved without being asked.",
    ),
    live(
        "balance.once",
        "false",
        Update::AllBrokers { by: "logboom cluster balance" },
        "Whether plans for all reasons are carried out, until nothing is left to move, or ten of \
         them are; then it is removed. For all brokers.",
    ),
    live(
        "balance.drain",
        "false",
        Update::OneBroker { by: "logboom cluster drain ID" },
        "Whether a broker is to be emptied. For one broker.",
    ),
    cluster_wide(
        "balance.weight",
        Int,
        Some("100"),
        Between(1, 10_000),
        "How much of everything a broker is to have beside others, whose weight is 100.",
    ),
    cluster_wide(
        "balance.capacity.partitions",
        Long,
        Some("-1"),
        Between(-1, AMOUNT_MAX),
        "The most replicas of a broker; -1 and 0 are no limit.",
    ),
    cluster_wide(
        "balance.capacity.disk.bytes",
        Long,
        Some("-1"),
        Between(-1, AMOUNT_MAX),
        "The most bytes of a broker's logs; -1 and 0 are what they have and its file system has \
         free, which is the most in any case.",
    ),
    cluster_wide(
        "balance.capacity.in.bytes.per.second",
        Long,
        Some("-1"),
        Between(-1, AMOUNT_MAX),
        "The most bytes of records that arrive at a broker in a second; -1 and 0 are no limit.",
    ),
    cluster_wide(
        "balance.capacity.out.bytes.per.second",
        Long,
        Some("-1"),
        Between(-1, AMOUNT_MAX),
        "The most bytes of records that leave a broker in a second; -1 and 0 are no limit.",
    ),
    cluster_wide(
        "balance.lost.grace.ms",
        Long,
        Some("1800000"),
        AtLeast(0),
        "Milliseconds out of contact after which a broker is lost, and its replicas are made anew.",
    ),
    cluster_wide(
        "balance.report.interval.ms",
        Int,
        Some("10000"),
        Between(100, 3_600_000),
        "How often, in milliseconds, a broker measures its partitions and tells their loads.",
    ),
    cluster_wide(
        "balance.moves",
        Int,
        Some("64"),
        Between(1, 10_000),
        "Replicas that are moved at the same time, in the whole cluster.",
    ),
    cluster_wide(
        "balance.moves.per.broker",
        Int,
        Some("4"),
        Between(1, 10_000),
        "Replicas that are copied to a broker, and sent by it, at the same time.",
    ),
    cluster_wide(
        "balance.move.bytes.per.second",
        Long,
        Some("52428800"),
        AtLeast(1),
        "Bytes that a broker sends in a second to replicas that are new to their partition, where \
         no throttle of the topic says otherwise.",
    ),
];
