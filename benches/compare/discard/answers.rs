//! What the discard broker answers, an API a function.

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;

use logboom_protocol::header::{HeaderError, RequestHeader, unsupported_api_versions_response};
use logboom_protocol::hot::{
    FetchResponseHead, FetchResponseWriter, PartitionHead, ProduceVisit, Rope, TopicRef,
};
use logboom_protocol::messages::api_versions::{ApiVersion, ApiVersionsResponse};
use logboom_protocol::messages::create_topics::{
    CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use logboom_protocol::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse,
};
use logboom_protocol::messages::fetch::FetchRequest;
use logboom_protocol::messages::init_producer_id::InitProducerIdResponse;
use logboom_protocol::messages::list_offsets::{
    ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopicResponse,
};
use logboom_protocol::messages::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
    MetadataResponseTopic,
};
use logboom_protocol::messages::produce::{
    PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use logboom_protocol::{ApiKey, ErrorCode, Message, VersionRange, frame};

use crate::topics::{Topic, Topics};

/// The only broker.
const NODE: i32 = 1;
/// Fetches of an endless source never reach its end.
const ENDLESS: i64 = i64::MAX / 2;
/// The longest that a fetch waits where nothing was produced.
const WAIT_MAX: Duration = Duration::from_millis(100);
/// ListOffsets asks so for the first offset; anything else asks for the end.
const EARLIEST: i64 = -2;

/// The broker.
#[derive(Debug)]
pub(crate) struct Discard {
    address: SocketAddr,
    topics: Topics,
    producer_ids: AtomicI64,
}

/// What goes back.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Nothing: the producer wants no acknowledgement.
    Nothing,
    /// A whole frame.
    Frame(Bytes),
    /// A whole frame in pieces.
    Rope(Rope),
}

/// The versions that are served. Those that name topics by id are left out.
fn served(api: ApiKey) -> Option<VersionRange> {
    let newest = match api {
        ApiKey::Produce | ApiKey::Fetch => 12,
        ApiKey::DeleteTopics => 5,
        ApiKey::ApiVersions
        | ApiKey::CreateTopics
        | ApiKey::InitProducerId
        | ApiKey::ListOffsets
        | ApiKey::Metadata => i16::MAX,
        _ => return None,
    };
    let VersionRange { min, max } = api.versions();
    Some(VersionRange { min, max: max.min(newest) })
}

impl Discard {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, topics: Topics::default(), producer_ids: AtomicI64::new(0) }
    }

    /// Answers a request.
    ///
    /// # Errors
    /// A request that can't be understood; the connection is to be closed.
    pub(crate) async fn answer(&self, request: &Bytes) -> Result<Answer, String> {
        let (header, body) = match RequestHeader::decode(request, served) {
            Ok(parts) => parts,
            Err(HeaderError::UnsupportedVersion {
                api: ApiKey::ApiVersions,
                served,
                correlation_id,
                ..
            }) => {
                return Ok(Answer::Frame(unsupported_api_versions_response(
                    served,
                    correlation_id,
                )));
            }
            Err(error) => return Err(error.to_string()),
        };
        let version = header.version;
        let call = Call { version, correlation_id: header.correlation_id, body };
        match header.api {
            ApiKey::Produce => self.produce(&call),
            ApiKey::Fetch => self.fetch(&call).await,
            ApiKey::ApiVersions => call.reply(&api_versions()),
            ApiKey::Metadata => call.reply(&self.metadata(&call.read()?)),
            ApiKey::ListOffsets => call.reply(&self.list_offsets(call.read()?)),
            ApiKey::CreateTopics => call.reply(&self.create_topics(call.read()?)),
            ApiKey::DeleteTopics => call.reply(&self.delete_topics(call.read()?)),
            ApiKey::InitProducerId => call.reply(&InitProducerIdResponse {
                producer_id: self.producer_ids.fetch_add(1, Ordering::Relaxed),
                producer_epoch: 0,
                ..InitProducerIdResponse::default()
            }),
            other => Err(format!("{other} isn't served")),
        }
    }

    fn produce(&self, call: &Call) -> Result<Answer, String> {
        let visit = ProduceVisit::decode(&call.body, call.version).map_err(said)?;
        let mut responses: Vec<TopicProduceResponse> = Vec::with_capacity(1);
        let mut topic: Option<(&str, std::sync::Arc<Topic>)> = None;
        for records in visit.partitions() {
            let TopicRef::Name(name) = records.topic else { return Err("a topic's id".into()) };
            if topic.as_ref().is_none_or(|(last, _)| *last != name) {
                topic = Some((name, self.topics.get_or_create(name)));
                responses.push(TopicProduceResponse { name: name.into(), ..Default::default() });
            }
            let partition = topic.as_ref().and_then(|(_, t)| t.partition(records.partition));
            let base = partition.zip(records.records).and_then(|(p, batch)| p.take(&batch));
            let response = PartitionProduceResponse {
                index: records.partition,
                error_code: error_unless(base.is_some()),
                base_offset: base.unwrap_or(-1),
                log_append_time_ms: -1,
                log_start_offset: 0,
                ..PartitionProduceResponse::default()
            };
            if let Some(last) = responses.last_mut() {
                last.partition_responses.push(response);
            }
        }
        if visit.acks == 0 {
            return Ok(Answer::Nothing);
        }
        call.reply(&ProduceResponse { responses, ..ProduceResponse::default() })
    }

    async fn fetch(&self, call: &Call) -> Result<Answer, String> {
        let request: FetchRequest = call.read()?;
        let (rope, has_records) = self.fetched(call, &request)?;
        if !has_records {
            let wait = u64::try_from(request.max_wait_ms).unwrap_or_default();
            tokio::time::sleep(Duration::from_millis(wait).min(WAIT_MAX)).await;
        }
        Ok(Answer::Rope(rope))
    }

    /// The answer to a fetch, and whether there is a record in it.
    fn fetched(&self, call: &Call, request: &FetchRequest) -> Result<(Rope, bool), String> {
        let head =
            FetchResponseHead { throttle_time_ms: 0, error_code: ErrorCode::NONE, session_id: 0 };
        let mut writer = FetchResponseWriter::new(
            call.version,
            call.correlation_id,
            &head,
            request.topics.len(),
        )
        .map_err(said)?;
        let mut bytes_left = usize::try_from(request.max_bytes).unwrap_or_default();
        let mut has_records = false;
        for wanted in &request.topics {
            let topic = self.topics.get(&wanted.topic);
            writer.topic(TopicRef::Name(&wanted.topic), wanted.partitions.len()).map_err(said)?;
            for wanted in &wanted.partitions {
                let partition = topic.as_ref().and_then(|topic| topic.partition(wanted.partition));
                let bytes_max = usize::try_from(wanted.partition_max_bytes).unwrap_or_default();
                let batches = match partition {
                    Some(partition) if bytes_left > 0 => {
                        partition.batches(wanted.fetch_offset, bytes_max.min(bytes_left))
                    }
                    _ => Vec::new(),
                };
                has_records |= !batches.is_empty();
                let bytes: usize = batches.iter().map(Bytes::len).sum();
                bytes_left = bytes_left.saturating_sub(bytes);
                let head = partition_head(wanted.partition, partition.is_some());
                writer.partition(&head, batches).map_err(said)?;
            }
        }
        Ok((writer.finish(&[]).map_err(said)?, has_records))
    }

    fn metadata(&self, request: &MetadataRequest) -> MetadataResponse {
        let names = match &request.topics {
            None => self.topics.names(),
            Some(topics) => {
                topics.iter().filter_map(|topic| topic.name.as_deref().map(str::to_owned)).collect()
            }
        };
        let topics = names.into_iter().map(|name| {
            let topic = self.topics.get_or_create(&name);
            let partitions = (0..).zip(&topic.partitions).map(|(partition_index, _)| {
                MetadataResponsePartition {
                    partition_index,
                    leader_id: NODE,
                    leader_epoch: 0,
                    replica_nodes: vec![NODE],
                    isr_nodes: vec![NODE],
                    ..MetadataResponsePartition::default()
                }
            });
            MetadataResponseTopic {
                name: Some(name.as_str().into()),
                partitions: partitions.collect(),
                ..MetadataResponseTopic::default()
            }
        });
        let broker = MetadataResponseBroker {
            node_id: NODE,
            host: self.address.ip().to_string().as_str().into(),
            port: self.address.port().into(),
            ..MetadataResponseBroker::default()
        };
        MetadataResponse {
            topics: topics.collect(),
            brokers: vec![broker],
            controller_id: NODE,
            cluster_id: Some("discard".into()),
            ..MetadataResponse::default()
        }
    }

    fn list_offsets(&self, request: ListOffsetsRequest) -> ListOffsetsResponse {
        let topics = request.topics.into_iter().map(|wanted| {
            let topic = self.topics.get_or_create(&wanted.name);
            let partitions = wanted.partitions.into_iter().map(|wanted| {
                let partition = topic.partition(wanted.partition_index);
                let is_first = wanted.timestamp == EARLIEST;
                ListOffsetsPartitionResponse {
                    partition_index: wanted.partition_index,
                    error_code: error_unless(partition.is_some()),
                    timestamp: -1,
                    offset: partition.filter(|_| !is_first).map_or(0, |found| found.end()),
                    leader_epoch: 0,
                }
            });
            ListOffsetsTopicResponse { partitions: partitions.collect(), name: wanted.name }
        });
        ListOffsetsResponse { topics: topics.collect(), ..ListOffsetsResponse::default() }
    }

    fn create_topics(&self, request: CreateTopicsRequest) -> CreateTopicsResponse {
        let topics = request.topics.into_iter().map(|topic| {
            let count = usize::try_from(topic.num_partitions).unwrap_or(1);
            self.topics.create(&topic.name, count);
            CreatableTopicResult {
                name: topic.name,
                num_partitions: topic.num_partitions,
                replication_factor: 1,
                ..CreatableTopicResult::default()
            }
        });
        CreateTopicsResponse { topics: topics.collect(), ..CreateTopicsResponse::default() }
    }

    fn delete_topics(&self, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
        let responses = request.topic_names.into_iter().map(|name| {
            self.topics.delete(&name);
            DeletableTopicResult { name: Some(name), ..DeletableTopicResult::default() }
        });
        DeleteTopicsResponse { responses: responses.collect(), ..DeleteTopicsResponse::default() }
    }
}

/// A request behind its header.
struct Call {
    version: i16,
    correlation_id: i32,
    body: Bytes,
}

impl Call {
    fn read<M: Message>(&self) -> Result<M, String> {
        M::decode(&self.body, self.version).map_err(said)
    }

    fn reply<M: Message>(&self, response: &M) -> Result<Answer, String> {
        let frame = frame::encode_response(response, self.version, self.correlation_id);
        Ok(Answer::Frame(frame.map_err(said)?))
    }
}

fn said(error: impl Display) -> String {
    error.to_string()
}

fn error_unless(is_known: bool) -> ErrorCode {
    if is_known { ErrorCode::NONE } else { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION }
}

fn api_versions() -> ApiVersionsResponse {
    let api_keys = ApiKey::ALL.into_iter().filter_map(|api| {
        let VersionRange { min, max } = served(api)?;
        // As our broker: old librdkafka doesn't compress for a broker without the old versions.
        let min = if api == ApiKey::Produce { 0 } else { min };
        Some(ApiVersion { api_key: api.to_wire(), min_version: min, max_version: max })
    });
    ApiVersionsResponse { api_keys: api_keys.collect(), ..ApiVersionsResponse::default() }
}

fn partition_head(partition: i32, is_known: bool) -> PartitionHead<'static> {
    PartitionHead {
        partition,
        error_code: error_unless(is_known),
        high_watermark: ENDLESS,
        last_stable_offset: ENDLESS,
        log_start_offset: 0,
        diverging_epoch: None,
        current_leader: None,
        aborted_transactions: None,
        preferred_read_replica: -1,
    }
}
