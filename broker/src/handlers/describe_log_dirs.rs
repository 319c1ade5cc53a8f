//! DescribeLogDirs: how much the partitions take up on the disk, and what this broker knows to be
//! wrong with itself. The latter are tagged fields of our own, for who asks for no partition;
//! clients of others skip them.
//!
//! Must always hold: a shard that doesn't answer holds an answer up for [`SHARDS_WAIT`] at the
//! most.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::oneshot;
use tokio::time::timeout;

use logboom_protocol::messages::describe_log_dirs::{
    DamagedPartition, DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse,
    DescribeLogDirsResult, DescribeLogDirsTopic, SlowFlushes, UnheardBroker,
};
use logboom_protocol::{CompactString, ErrorCode};

use super::RequestContext;
use crate::clock::{boot_ms, now_ms};
use crate::node::Node;
use crate::partition::{Command, ShardHandle, Troubles};

/// How long is waited for shards to say what is wrong.
const SHARDS_WAIT: Duration = Duration::from_millis(500);
/// How many damaged partitions are named.
const DAMAGED_MAX: usize = 1_000;
/// Flushes that take so long are told of: a shard that stands still for a moment takes them for
/// longer than they are.
const SLOW_FLUSH_MS: u64 = 750;

/// Partitions by topic; `None` stands for all.
type Asked = Option<BTreeSet<(CompactString, i32)>>;

pub(super) async fn handle(
    context: RequestContext,
    request: DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    let asked: Asked = request.topics.map(|topics| {
        let each = topics.into_iter().flat_map(|topic| {
            let name = topic.topic;
            topic.partitions.into_iter().map(move |partition| (name.clone(), partition))
        });
        each.collect()
    });
    let node = &context.node;
    let response = DescribeLogDirsResponse {
        results: vec![describe(node, &asked)],
        ..DescribeLogDirsResponse::default()
    };
    // Who asks for partitions wants nothing else.
    if asked.is_none_or(|asked| !asked.is_empty()) {
        return response;
    }
    let (troubles, now) = (troubles(node).await, boot_ms());
    let since = |at: u64| now_ms() - i64::try_from(now.saturating_sub(at)).unwrap_or(i64::MAX);
    DescribeLogDirsResponse {
        slow_flushes: slow_flushes(&troubles, since),
        unheard_brokers: unheard(node, troubles.at(now), since),
        damaged_partitions: damaged(node),
        ..response
    }
}

/// What the shards know.
async fn troubles(node: &Node) -> Troubles {
    let ask = |shard: &ShardHandle| {
        let (reply, troubles) = oneshot::channel();
        shard.send(Command::Troubles(reply));
        timeout(SHARDS_WAIT, troubles)
    };
    let answers = join_all(node.shards.iter().map(ask)).await;
    answers.into_iter().flatten().flatten().reduce(Troubles::and).unwrap_or_default()
}

/// - `since`: a time of the machine's clock, as one in milliseconds since 1970.
fn slow_flushes(troubles: &Troubles, since: impl Fn(u64) -> i64) -> SlowFlushes {
    let Troubles { hanging_since, longest_flush_ms, .. } = *troubles;
    if hanging_since.is_none() && longest_flush_ms < SLOW_FLUSH_MS {
        return SlowFlushes::default();
    }
    SlowFlushes {
        hanging_since_ms: hanging_since.map_or(-1, since),
        longest_ms: i64::try_from(longest_flush_ms).unwrap_or(i64::MAX),
    }
}

fn unheard(node: &Node, troubles: Troubles, since: impl Fn(u64) -> i64) -> Vec<UnheardBroker> {
    let image = node.image();
    let known = troubles.unheard.into_iter().filter(|(id, _)| image.broker(*id).is_some());
    known.map(|(broker_id, at)| UnheardBroker { broker_id, since_ms: since(at) }).collect()
}

fn damaged(node: &Node) -> Vec<DamagedPartition> {
    let living = node.registry.all().into_iter().filter(|one| !one.is_deleted());
    let damage = living.filter_map(|one| Some((one.view.damage()?, one)));
    let named = damage.map(|(damage, one)| DamagedPartition {
        topic: one.topic.clone(),
        partition_index: one.key.partition,
        start_offset: damage.start,
        end_offset: damage.end,
    });
    named.take(DAMAGED_MAX).collect()
}

/// What there is to say of the one directory.
fn describe(node: &Node, asked: &Asked) -> DescribeLogDirsResult {
    let root = node.directory.root();
    // What can't be made absolute is still a path.
    let absolute = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    let result = DescribeLogDirsResult {
        log_dir: absolute.to_string_lossy().into(),
        ..DescribeLogDirsResult::default()
    };
    if node.directory.failure().is_some() {
        return DescribeLogDirsResult { error_code: ErrorCode::KAFKA_STORAGE_ERROR, ..result };
    }
    let Some((total_bytes, usable_bytes)) = space(root) else {
        return DescribeLogDirsResult { error_code: ErrorCode::KAFKA_STORAGE_ERROR, ..result };
    };
    DescribeLogDirsResult { topics: topics(node, asked), total_bytes, usable_bytes, ..result }
}

/// The topics with a partition that was asked for, by name.
fn topics(node: &Node, asked: &Asked) -> Vec<DescribeLogDirsTopic> {
    let mut topics: BTreeMap<CompactString, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for partition in node.registry.all() {
        let key = (partition.topic.clone(), partition.key.partition);
        if asked.as_ref().is_some_and(|asked| !asked.contains(&key)) {
            continue;
        }
        topics.entry(key.0).or_default().push(DescribeLogDirsPartition {
            partition_index: key.1,
            partition_size: i64::try_from(partition.view.bytes()).unwrap_or(i64::MAX),
            offset_lag: 0,
            is_future_key: false,
        });
    }
    let sorted = topics.into_iter().map(|(name, mut partitions)| {
        partitions.sort_unstable_by_key(|partition| partition.partition_index);
        DescribeLogDirsTopic { name, partitions }
    });
    sorted.collect()
}

/// Bytes of the file system in all, and those that this process may still take.
fn space(root: &Path) -> Option<(i64, i64)> {
    let stat = rustix::fs::statvfs(root).ok()?;
    let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(stat.f_frsize));
    Some((bytes(stat.f_blocks).unwrap_or(i64::MAX), bytes(stat.f_bavail).unwrap_or(i64::MAX)))
}
