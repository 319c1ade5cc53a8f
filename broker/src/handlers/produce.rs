//! Produce, in two stages: the records are checked and sent to their shards in the order of the
//! requests; the answer waits for them. With `acks` 0 there is none, but it waits as well: until
//! the records are written, so that a failure can close the connection.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use logboom_controller::MetadataImage;
use logboom_controller::image::Topic;
use logboom_protocol::hot::{PartitionRecords, ProduceVisit, TopicRef};
use logboom_protocol::messages::metadata::MetadataResponseBroker;
use logboom_protocol::messages::produce::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse,
    ProduceResponse, TopicProduceResponse,
};
use logboom_protocol::records::{BatchError, Codec, Inflater, ProducedBatch, RawBatch};
use logboom_protocol::units::Uuid;
use logboom_protocol::{CompactString, ErrorCode};

use super::errors::append_code;
use super::leader::Leaders;
use super::{Pending, Reply, RequestContext, Unanswerable, close, leader, metadata, respond};
use crate::clock::now_ms;
use crate::metrics::Metrics;
use crate::partition::{
    Append, AppendError, Appended, Command, Partition, TimestampType, TopicSettings, Until,
};

/// The version from which on producers may use zstd.
const ZSTD_FROM: i16 = 7;
/// The version from which on an answer says who leads where this broker doesn't.
const LEADERS_FROM: i16 = 10;
/// The most bytes that the batches of a request may inflate to together: ten times the greatest
/// request, and four times what one batch may. It bounds for how long a request keeps others of
/// its thread waiting.
const INFLATED_BYTES_MAX: usize = 1 << 30;

thread_local! {
    /// What inflates the batches of this thread: its windows are large.
    static INFLATER: RefCell<Inflater> = RefCell::default();
}

/// What is to be answered for one partition.
struct Outcome {
    name: CompactString,
    topic_id: Uuid,
    partition: i32,
    state: State,
}

enum State {
    /// Known already.
    Refused(Refusal),
    /// On its way.
    Sent(oneshot::Receiver<Result<Appended, AppendError>>),
}

/// Why records are not taken.
struct Refusal {
    code: ErrorCode,
    message: Option<CompactString>,
    record_errors: Vec<BatchIndexAndErrorMessage>,
}

impl Refusal {
    fn new(code: ErrorCode) -> Self {
        Self { code, message: None, record_errors: Vec::new() }
    }

    fn because(code: ErrorCode, message: impl ToString) -> Self {
        let message = Some(message.to_string().into());
        Self { code, message, record_errors: Vec::new() }
    }
}

impl From<BatchError> for Refusal {
    fn from(error: BatchError) -> Self {
        Self::because(error.error_code(), error)
    }
}

/// Sends what a request holds to its shards, and returns what becomes its answer.
pub(super) fn dispatch(context: RequestContext, body: &Bytes) -> Pending {
    let visit = match ProduceVisit::decode(body, context.version) {
        Ok(visit) => visit,
        Err(error) => {
            let reply = close(&context, &error.into());
            return Box::pin(async { reply });
        }
    };
    let (acks, timeout_ms) = (visit.acks, visit.timeout_ms);
    let refusal = whole_refusal(&visit);
    let image = context.node.image();
    let until = match acks {
        0 => Until::Written,
        1 => Until::Kept,
        _ => Until::Committed,
    };
    let mut outcomes = Vec::with_capacity(visit.partition_count);
    let mut appends: BTreeMap<usize, Vec<Append>> = BTreeMap::new();
    INFLATER.with_borrow_mut(|inflater| inflater.begin_request(INFLATED_BYTES_MAX));
    for records in visit.partitions() {
        let (name, topic_id, partition) = named(&image, &records);
        let taken = match refusal {
            None => take(&context, &image, records),
            Some(code) => Err(Refusal::new(code)),
        };
        let state = match taken {
            Ok((shard, batch, partition)) => {
                let (reply, receiver) = oneshot::channel();
                let permit = context.permit.clone();
                let append = Append { partition, batch, until, epoch: None, reply, permit };
                appends.entry(shard).or_default().push(append);
                State::Sent(receiver)
            }
            Err(refusal) => State::Refused(refusal),
        };
        outcomes.push(Outcome { name, topic_id, partition, state });
    }
    for (shard, appends) in appends {
        context.node.shards[shard].send(Command::Append(appends));
    }
    let wait = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
    // Nobody else's acknowledgement is waited for without one.
    let deadline = (until != Until::Written).then(|| Instant::now() + wait);
    Box::pin(async move {
        let mut response = collect(&context.node.metrics, outcomes, deadline).await;
        tell_leaders(&context, &mut response);
        match until {
            Until::Kept | Until::Committed => respond(&context, &response),
            Until::Written => match first_error(&response) {
                // The producer asked for no answer, and learns of it by the closed connection.
                Some(code) => close(&context, &Unanswerable::Unacknowledged(code)),
                None => Reply::Nothing,
            },
        }
    })
}

/// Says who leads where this broker doesn't (KIP-951).
fn tell_leaders(context: &RequestContext, response: &mut ProduceResponse) {
    if context.version < LEADERS_FROM {
        return;
    }
    let image = context.node.image();
    let mut leaders = Leaders::new(&context.node, &image);
    for topic in &mut response.responses {
        let name = if topic.topic_id.is_zero() {
            TopicRef::Name(&topic.name)
        } else {
            TopicRef::Id(topic.topic_id)
        };
        let refused = topic.partition_responses.iter_mut();
        for answer in refused.filter(|it| it.error_code == ErrorCode::NOT_LEADER_OR_FOLLOWER) {
            if let Some((leader_id, leader_epoch)) = leaders.look_up(name, answer.index) {
                answer.current_leader = LeaderIdAndEpoch { leader_id, leader_epoch };
            }
        }
    }
    let endpoint = |broker: MetadataResponseBroker| {
        let MetadataResponseBroker { node_id, host, port, rack } = broker;
        NodeEndpoint { node_id, host, port, rack }
    };
    response.node_endpoints = leaders.endpoints(&context.client.listener).map(endpoint).collect();
}

fn first_error(response: &ProduceResponse) -> Option<ErrorCode> {
    let mut partitions = response.responses.iter().flat_map(|topic| &topic.partition_responses);
    partitions.find(|one| one.error_code != ErrorCode::NONE).map(|one| one.error_code)
}

/// Why nothing that a request holds is taken.
fn whole_refusal(visit: &ProduceVisit<'_>) -> Option<ErrorCode> {
    let is_transactional = |one: PartitionRecords<'_>| {
        let bytes = one.records.unwrap_or_default();
        let first = RawBatch::split_first(&bytes);
        first.is_ok_and(|(batch, _)| batch.header().attributes.is_transactional())
    };
    if !(-1..=1).contains(&visit.acks) {
        return Some(ErrorCode::INVALID_REQUIRED_ACKS);
    }
    // One batch of a transaction that isn't named spoils all.
    let is_nameless = visit.transactional_id.is_none();
    (is_nameless && visit.partitions().any(is_transactional))
        .then_some(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
}

/// How the topic is called in the answer, by name and by id.
fn named(image: &MetadataImage, records: &PartitionRecords<'_>) -> (CompactString, Uuid, i32) {
    let (name, id) = match records.topic {
        TopicRef::Name(name) => (name.into(), Uuid::ZERO),
        TopicRef::Id(id) => (image.topic(id).map_or("", Topic::name).into(), id),
    };
    (name, id, records.partition)
}

type Taken = (usize, ProducedBatch, Arc<Partition>);

/// Checks the records for one partition.
fn take(
    context: &RequestContext,
    image: &MetadataImage,
    records: PartitionRecords<'_>,
) -> Result<Taken, Refusal> {
    let PartitionRecords { topic, partition, records } = records;
    let partition = leader::find(&context.node, image, topic, partition).map_err(Refusal::new)?;
    if metadata::is_internal(&partition.topic) {
        let message = "only the broker itself writes to an internal topic";
        return Err(Refusal::because(ErrorCode::INVALID_TOPIC_EXCEPTION, message));
    }
    let settings = partition.settings();
    let batch = check(context, &settings, records)?;
    Ok((partition.shard, batch, partition))
}

/// Checks a batch by itself and by what its topic is configured to.
fn check(
    context: &RequestContext,
    settings: &TopicSettings,
    records: Option<Bytes>,
) -> Result<ProducedBatch, Refusal> {
    let records = records.unwrap_or_default();
    if records.is_empty() {
        let message = "a produce request must hold one batch for each partition";
        return Err(Refusal::because(ErrorCode::INVALID_RECORD, message));
    }
    check_size(settings, records.len())?;
    let batch = INFLATER.with_borrow_mut(|inflater| ProducedBatch::check(records, inflater))?;
    if context.version < ZSTD_FROM && batch.batch().codec()? == Codec::Zstd {
        let message = "zstd needs version 7 of Produce";
        return Err(Refusal::because(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE, message));
    }
    check_keys(settings, &batch)?;
    check_timestamps(settings, &batch, now_ms())?;
    let codec = batch.batch().codec()?;
    let Some(wanted) = settings.compression.filter(|wanted| *wanted != codec) else {
        return Ok(batch);
    };
    let batch = INFLATER.with_borrow_mut(|inflater| batch.recompress(wanted, inflater))?;
    check_size(settings, batch.batch().bytes().len())?;
    Ok(batch)
}

/// A batch is no larger than its topic allows.
fn check_size(settings: &TopicSettings, bytes: usize) -> Result<(), Refusal> {
    let limit = settings.max_message_bytes;
    if bytes <= limit {
        return Ok(());
    }
    let message = format!("the batch has {bytes} bytes, max.message.bytes is {limit}");
    Err(Refusal::because(ErrorCode::MESSAGE_TOO_LARGE, message))
}

/// Of a compacted topic every record has a key.
fn check_keys(settings: &TopicSettings, batch: &ProducedBatch) -> Result<(), Refusal> {
    let Some(batch_index) = batch.summary().first_without_key.filter(|_| settings.is_compacted)
    else {
        return Ok(());
    };
    let message: CompactString = "a compacted topic takes no record without key".into();
    let record_error =
        BatchIndexAndErrorMessage { batch_index, batch_index_error_message: Some(message.clone()) };
    let (code, message) = (ErrorCode::INVALID_RECORD, Some(message));
    Err(Refusal { code, message, record_errors: vec![record_error] })
}

/// Timestamps of producers are not too far from ours.
fn check_timestamps(
    settings: &TopicSettings,
    batch: &ProducedBatch,
    now_ms: i64,
) -> Result<(), Refusal> {
    if settings.timestamp_type == TimestampType::LogAppendTime {
        return Ok(());
    }
    let summary = batch.summary();
    let (oldest, newest) = (summary.min_timestamp, summary.max_timestamp);
    let is_old = now_ms.saturating_sub(oldest) > settings.timestamp_before_max_ms;
    let is_new = newest.saturating_sub(now_ms) > settings.timestamp_after_max_ms;
    if !is_old && !is_new {
        return Ok(());
    }
    let timestamp = if is_old { oldest } else { newest };
    let message = format!("timestamp {timestamp} is out of range at {now_ms}");
    Err(Refusal::because(ErrorCode::INVALID_TIMESTAMP, message))
}

/// Waits for what was sent, until the deadline if there is one, and puts the answer together.
async fn collect(
    metrics: &Metrics,
    outcomes: Vec<Outcome>,
    deadline: Option<Instant>,
) -> ProduceResponse {
    let mut responses: Vec<TopicProduceResponse> = Vec::new();
    for Outcome { name, topic_id, partition, state } in outcomes {
        let answer = match state {
            State::Refused(refusal) => refused(partition, refusal),
            State::Sent(receiver) => match before(deadline, receiver).await {
                Some(Ok(Ok(appended))) => accepted(partition, &appended),
                Some(Ok(Err(error))) => refused(partition, Refusal::new(append_code(&error))),
                // The shard has ended: the broker stops.
                Some(Err(_)) => refused(partition, Refusal::new(ErrorCode::NOT_LEADER_OR_FOLLOWER)),
                None => refused(partition, Refusal::new(ErrorCode::REQUEST_TIMED_OUT)),
            },
        };
        metrics.produce_errors.count(answer.error_code);
        match responses.last_mut() {
            Some(last) if last.name == name && last.topic_id == topic_id => {
                last.partition_responses.push(answer);
            }
            _ => {
                let partition_responses = vec![answer];
                responses.push(TopicProduceResponse { name, topic_id, partition_responses });
            }
        }
    }
    ProduceResponse { responses, ..ProduceResponse::default() }
}

/// What comes of it before the deadline.
async fn before<F: Future>(deadline: Option<Instant>, future: F) -> Option<F::Output> {
    match deadline {
        Some(deadline) => timeout_at(deadline, future).await.ok(),
        None => Some(future.await),
    }
}

fn accepted(index: i32, appended: &Appended) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        base_offset: appended.base_offset,
        log_append_time_ms: appended.log_append_time.unwrap_or(-1),
        log_start_offset: appended.log_start_offset,
        ..PartitionProduceResponse::default()
    }
}

fn refused(index: i32, refusal: Refusal) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        error_code: refusal.code,
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset: -1,
        record_errors: refusal.record_errors,
        error_message: refusal.message,
        ..PartitionProduceResponse::default()
    }
}
