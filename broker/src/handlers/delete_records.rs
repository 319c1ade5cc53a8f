//! DeleteRecords: moves the log start of partitions forward.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use logboom_controller::MetadataImage;
use logboom_protocol::ErrorCode;
use logboom_protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest,
    DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use logboom_storage::StorageError;

use super::errors::storage_code;
use super::{RequestContext, metadata};
use crate::node::Node;
use crate::partition::{Command, Partition, Standing};

/// Stands for the high watermark.
const HIGH_WATERMARK: i64 = -1;

/// The new log start of a partition, when it is known.
type Moving = oneshot::Receiver<Result<i64, StorageError>>;

pub(super) async fn handle(
    context: RequestContext,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let wait = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let deadline = Instant::now() + wait;
    let image = context.node.image();
    // All of them are on their way before the first is waited for.
    let mut started = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let start = |one| start(&context.node, &image, &topic.name, one);
        let partitions: Vec<_> = topic.partitions.iter().map(start).collect();
        started.push((topic.name, partitions));
    }
    let mut topics = Vec::with_capacity(started.len());
    for (name, started) in started {
        let mut partitions = Vec::with_capacity(started.len());
        for (partition_index, moving) in started {
            partitions.push(finish(partition_index, moving, deadline).await);
        }
        topics.push(DeleteRecordsTopicResult { name, partitions });
    }
    DeleteRecordsResponse { throttle_time_ms: 0, topics }
}

fn start(
    node: &Node,
    image: &MetadataImage,
    topic: &str,
    asked: &DeleteRecordsPartition,
) -> (i32, Result<Moving, ErrorCode>) {
    (asked.partition_index, try_start(node, image, topic, asked))
}

/// Asks the shard of a partition to move its log start.
fn try_start(
    node: &Node,
    image: &MetadataImage,
    name: &str,
    asked: &DeleteRecordsPartition,
) -> Result<Moving, ErrorCode> {
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let topic = image.topic_named(name).ok_or(unknown)?;
    topic.partition(asked.partition_index).ok_or(unknown)?;
    if metadata::is_internal(name) {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    let partition = node.registry.get(topic.id(), asked.partition_index);
    let leads = |partition: &Arc<Partition>| partition.role().1 == Standing::Leads;
    let partition = partition.filter(leads).ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER)?;
    let settings = partition.settings();
    if settings.is_compacted && !settings.is_deleted {
        return Err(ErrorCode::POLICY_VIOLATION);
    }
    let offset = match asked.offset {
        HIGH_WATERMARK => partition.view.high_watermark(),
        offset if offset < 0 => return Err(ErrorCode::OFFSET_OUT_OF_RANGE),
        offset => offset,
    };
    let (reply, moving) = oneshot::channel();
    node.shards[partition.shard].send(Command::DeleteRecords(partition.key, offset, reply));
    Ok(moving)
}

async fn finish(
    partition_index: i32,
    moving: Result<Moving, ErrorCode>,
    deadline: Instant,
) -> DeleteRecordsPartitionResult {
    let moved = match moving {
        Ok(moving) => match timeout_at(deadline, moving).await {
            Ok(Ok(moved)) => moved.map_err(|error| storage_code(&error)),
            // The partition has gone meanwhile.
            Ok(Err(_)) => Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
            Err(_) => Err(ErrorCode::REQUEST_TIMED_OUT),
        },
        Err(error_code) => Err(error_code),
    };
    DeleteRecordsPartitionResult {
        partition_index,
        low_watermark: moved.unwrap_or(-1),
        error_code: moved.err().unwrap_or(ErrorCode::NONE),
    }
}
