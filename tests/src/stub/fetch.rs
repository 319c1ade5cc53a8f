//! Fetching from the stub, through the fetch response that a broker would use.

use std::time::Duration;

use bytes::Bytes;

use logboom_protocol::header::RequestHeader;
use logboom_protocol::hot::{FetchResponseHead, FetchResponseWriter, PartitionHead, TopicRef};
use logboom_protocol::messages::fetch::{FetchPartition, FetchRequest};
use logboom_protocol::records::RawBatches;
use logboom_protocol::{ErrorCode, Message as _};

use super::answers::{Response, TOPIC_ID};
use super::{Partition, Shared, State, TOPIC};

const READ_COMMITTED: i8 = 1;
/// A consumer that reached the end asks again and again; nothing ever comes, so it may wait.
const WAIT_MAX: Duration = Duration::from_millis(500);

impl Partition {
    /// The offset behind the last record, exclusive.
    pub(super) fn end_offset(&self) -> i64 {
        self.batches.last().map_or(self.start_offset, next_offset)
    }

    /// The batches from the one that holds `offset` on, as many as `bytes_max` allows.
    fn from(&self, offset: i64, bytes_max: usize) -> Vec<Bytes> {
        let wanted = self.batches.iter().skip_while(|batch| next_offset(batch) <= offset);
        let mut bytes = 0;
        let fitting = wanted.take_while(|batch| {
            bytes += batch.len();
            bytes <= bytes_max
        });
        fitting.cloned().collect()
    }
}

fn next_offset(batch: &Bytes) -> i64 {
    let first = RawBatches::new(batch).next().expect("a test serves batches");
    let header = *first.expect("a test serves batches").header();
    header.base_offset + i64::from(header.last_offset_delta) + 1
}

/// What is answered for one partition.
struct Found {
    index: i32,
    error_code: ErrorCode,
    records: Vec<Bytes>,
}

pub(super) fn fetch(
    header: &RequestHeader<'_>,
    body: &Bytes,
    shared: &Shared,
) -> Result<Response, String> {
    let request = FetchRequest::decode(body, header.version).map_err(|e| e.to_string())?;
    let mut bytes_left = usize::try_from(request.max_bytes).unwrap_or(0);
    let state = shared.lock();
    let mut found = Vec::new();
    for topic in &request.topics {
        let ours = topic.topic == TOPIC || topic.topic_id == TOPIC_ID;
        for asked in &topic.partitions {
            found.push(find(&state, asked, ours, &mut bytes_left));
        }
    }
    let waits = found.iter().all(|one| one.records.is_empty() && one.error_code.is_none());
    let rope = respond(header, &request, &state, found).map_err(|error| error.to_string());
    drop(state);
    if waits {
        let asked = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
        shared.wait(asked.min(WAIT_MAX));
    }
    rope
}

fn find(state: &State, asked: &FetchPartition, ours: bool, bytes_left: &mut usize) -> Found {
    let index = asked.partition;
    let refused = |error_code| Found { index, error_code, records: Vec::new() };
    let place = usize::try_from(index).ok().filter(|_| ours);
    let Some(partition) = place.and_then(|place| state.partitions.get(place)) else {
        return refused(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    };
    let held = partition.start_offset..=partition.end_offset();
    if !held.contains(&asked.fetch_offset) {
        return refused(ErrorCode::OFFSET_OUT_OF_RANGE);
    }
    let bytes_max = usize::try_from(asked.partition_max_bytes).unwrap_or(0).min(*bytes_left);
    let records = partition.from(asked.fetch_offset, bytes_max);
    *bytes_left -= records.iter().map(Bytes::len).sum::<usize>();
    Found { index, error_code: ErrorCode::NONE, records }
}

fn respond(
    header: &RequestHeader<'_>,
    request: &FetchRequest,
    state: &State,
    found: Vec<Found>,
) -> Result<Response, logboom_protocol::EncodeError> {
    let head =
        FetchResponseHead { throttle_time_ms: 0, error_code: ErrorCode::NONE, session_id: 0 };
    let (version, topics) = (header.version, &request.topics);
    let mut writer = FetchResponseWriter::new(version, header.correlation_id, &head, topics.len())?;
    let mut found = found.into_iter();
    for topic in topics {
        let by_id = !topic.topic_id.is_zero();
        let name = if by_id { TopicRef::Id(topic.topic_id) } else { TopicRef::Name(&topic.topic) };
        writer.topic(name, topic.partitions.len())?;
        for one in found.by_ref().take(topic.partitions.len()) {
            let partition = usize::try_from(one.index).ok().and_then(|p| state.partitions.get(p));
            let end = partition.map_or(-1, Partition::end_offset);
            let aborted = partition.map_or(&[][..], |partition| &partition.aborted);
            let head = PartitionHead {
                partition: one.index,
                error_code: one.error_code,
                high_watermark: end,
                last_stable_offset: end,
                log_start_offset: partition.map_or(-1, |partition| partition.start_offset),
                diverging_epoch: None,
                current_leader: None,
                aborted_transactions: (request.isolation_level == READ_COMMITTED)
                    .then_some(aborted),
                preferred_read_replica: -1,
            };
            writer.partition(&head, one.records)?;
        }
    }
    Ok(Box::new(writer.finish(&[])?))
}
