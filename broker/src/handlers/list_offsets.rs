//! ListOffsets: the offset that belongs to a time, or to a name in place of one.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use logboom_controller::MetadataImage;
use logboom_protocol::ErrorCode;
use logboom_protocol::hot::TopicRef;
use logboom_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse,
};
use logboom_protocol::records::Inflater;
use logboom_storage::{LogView, StorageError, TimedOffset};

use super::{RequestContext, errors, leader};
use crate::partition::Partition;

/// What isn't known, or isn't there.
const NONE: i64 = -1;
const EPOCH_NONE: i32 = -1;
/// The version from which on an answer has the epoch.
const EPOCHS_FROM: i16 = 4;
/// The version from which on clients know that an offset may not be available yet (KIP-207).
const NOT_AVAILABLE_FROM: i16 = 5;
/// The version from which on a request says how long it waits.
const TIMEOUT_FROM: i16 = 10;

/// What a negative timestamp stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// The end of what may be read.
    Latest,
    /// The log start; all of the log is local.
    Earliest,
    /// The record with the greatest timestamp, the first of them.
    MaxTimestamp,
    /// Something that only tiered storage has.
    Tiered,
    /// The first record that is not older.
    Time(i64),
}

impl Asked {
    /// What a timestamp asks for; `None` where `version` doesn't know it.
    fn new(timestamp: i64, version: i16) -> Option<Self> {
        let (since, asked) = match timestamp {
            0.. => (1, Self::Time(timestamp)),
            -1 => (1, Self::Latest),
            -2 => (1, Self::Earliest),
            -3 => (7, Self::MaxTimestamp),
            -4 => (8, Self::Earliest),
            -5 => (9, Self::Tiered),
            -6 => (11, Self::Tiered),
            _ => return None,
        };
        (version >= since).then_some(asked)
    }
}

pub(super) async fn handle(
    context: RequestContext,
    request: ListOffsetsRequest,
) -> ListOffsetsResponse {
    let timeout_ms = u64::try_from(request.timeout_ms).unwrap_or(0);
    let deadline = Instant::now() + Duration::from_millis(timeout_ms);
    let deadline = (context.version >= TIMEOUT_FROM).then_some(deadline);
    let (image, repeated) = (context.node.image(), repeated(&request));
    let mut topics = Vec::with_capacity(request.topics.len());
    let mut told = HashSet::new();
    for topic in &request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in &topic.partitions {
            let one = (topic.name.as_str(), asked.partition_index);
            let found = if repeated.contains(&one) {
                // As in the reference, it is told once.
                if !told.insert(one) {
                    continue;
                }
                Err(ErrorCode::INVALID_REQUEST)
            } else {
                list(&context, &image, &topic.name, asked, deadline).await
            };
            partitions.push(answer(context.version, asked.partition_index, found));
        }
        topics.push(ListOffsetsTopicResponse { name: topic.name.clone(), partitions });
    }
    ListOffsetsResponse { topics, ..ListOffsetsResponse::default() }
}

/// Partitions that are there more than once.
fn repeated(request: &ListOffsetsRequest) -> HashSet<(&str, i32)> {
    let all = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|asked| (topic.name.as_str(), asked.partition_index))
    });
    let mut seen = HashSet::new();
    all.filter(|one| !seen.insert(*one)).collect()
}

fn answer(
    version: i16,
    partition_index: i32,
    found: Result<Option<TimedOffset>, ErrorCode>,
) -> ListOffsetsPartitionResponse {
    let nothing = TimedOffset { offset: NONE, timestamp: NONE, leader_epoch: EPOCH_NONE };
    let error_code = found.as_ref().err().copied().unwrap_or(ErrorCode::NONE);
    let TimedOffset { offset, timestamp, leader_epoch } =
        found.unwrap_or_default().unwrap_or(nothing);
    let leader_epoch = if version < EPOCHS_FROM { EPOCH_NONE } else { leader_epoch };
    ListOffsetsPartitionResponse { partition_index, error_code, timestamp, offset, leader_epoch }
}

/// The offset for one partition; `None` where there is no such record.
async fn list(
    context: &RequestContext,
    image: &MetadataImage,
    topic: &str,
    asked: &ListOffsetsPartition,
    deadline: Option<Instant>,
) -> Result<Option<TimedOffset>, ErrorCode> {
    let &ListOffsetsPartition { partition_index, current_leader_epoch, timestamp } = asked;
    let Some(asked) = Asked::new(timestamp, context.version) else {
        return Err(ErrorCode::UNSUPPORTED_VERSION);
    };
    let partition = leader::find(&context.node, image, TopicRef::Name(topic), partition_index)?;
    leader::check_epoch(&partition, current_leader_epoch)?;
    if asked != Asked::Earliest && asked != Asked::Tiered {
        leader::check_latest(&context.node, &partition).await.map_err(|code| match code {
            ErrorCode::OFFSET_NOT_AVAILABLE if context.version < NOT_AVAILABLE_FROM => {
                ErrorCode::LEADER_NOT_AVAILABLE
            }
            code => code,
        })?;
    }
    let at = |offset, leader_epoch| Some(TimedOffset { offset, timestamp: NONE, leader_epoch });
    let view = &partition.view;
    match asked {
        Asked::Latest => Ok(at(view.high_watermark(), partition.leader_epoch())),
        Asked::Earliest => {
            let start = view.log_start_offset();
            Ok(at(start, view.epoch_at(start).unwrap_or(EPOCH_NONE)))
        }
        Asked::Tiered => Ok(None),
        Asked::Time(timestamp) => {
            let find = move |view: &LogView, inflater: &mut Inflater| {
                view.find_timestamp(timestamp, inflater)
            };
            search(&partition, deadline, find).await
        }
        Asked::MaxTimestamp => search(&partition, deadline, LogView::find_max_timestamp).await,
    }
}

/// Looks for a record on a thread that may wait for the device.
async fn search(
    partition: &Arc<Partition>,
    deadline: Option<Instant>,
    find: impl FnOnce(&LogView, &mut Inflater) -> Result<Option<TimedOffset>, StorageError>
    + Send
    + 'static,
) -> Result<Option<TimedOffset>, ErrorCode> {
    let view = Arc::clone(&partition.view);
    let searching = spawn_blocking(move || find(&view, &mut Inflater::default()));
    let found = match deadline {
        Some(deadline) => timeout_at(deadline, searching).await,
        None => Ok(searching.await),
    };
    let found = found.map_err(|_| ErrorCode::REQUEST_TIMED_OUT)?;
    let found = found.map_err(|_| ErrorCode::KAFKA_STORAGE_ERROR)?;
    let found = found.map_err(|error| errors::read_code(partition, &error))?;
    // What isn't committed may still vanish.
    Ok(found.filter(|found| found.offset < partition.view.high_watermark()))
}
