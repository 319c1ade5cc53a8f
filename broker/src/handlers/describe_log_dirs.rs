//! DescribeLogDirs: how much the partitions take up on the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use logboom_protocol::messages::describe_log_dirs::{
    DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse,
    DescribeLogDirsResult, DescribeLogDirsTopic,
};
use logboom_protocol::{CompactString, ErrorCode};

use super::RequestContext;
use crate::node::Node;

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
    let results = vec![describe(&context.node, &asked)];
    DescribeLogDirsResponse { results, ..DescribeLogDirsResponse::default() }
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
