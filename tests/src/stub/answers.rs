//! What the stub answers, API by API.

use bytes::{Buf, Bytes};

use logboom_protocol::header::{HeaderError, RequestHeader, unsupported_api_versions_response};
use logboom_protocol::hot::{ProduceVisit, TopicRef};
use logboom_protocol::messages::api_versions::{ApiVersion, ApiVersionsResponse};
use logboom_protocol::messages::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};
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
use logboom_protocol::records::RawBatches;
use logboom_protocol::units::Uuid;
use logboom_protocol::{ApiKey, ErrorCode, Message, frame};

use super::{LEADER_EPOCH, Partition, Shared, TOPIC, fetch};

/// The id of the only topic.
pub(super) const TOPIC_ID: Uuid = Uuid(*b"logboom topic id");

const NODE_ID: i32 = 1;
const PRODUCER_ID: i64 = 4711;
/// `ListOffsets` with this timestamp asks for the end.
const LATEST: i64 = -1;
/// `ListOffsets` with this timestamp asks for the start.
const EARLIEST: i64 = -2;

const SPOKEN: [ApiKey; 7] = [
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::ListOffsets,
    ApiKey::Metadata,
    // Not for its answer: librdkafka compresses with LZ4 only for brokers that list it.
    ApiKey::FindCoordinator,
    ApiKey::ApiVersions,
    ApiKey::InitProducerId,
];

/// A whole frame, in one piece or several.
pub(super) type Response = Box<dyn Buf>;

/// Answers a request; `None` for a produce request that wants no answer.
pub(super) fn answer(request: &Bytes, shared: &Shared) -> Result<Option<Response>, String> {
    let serves = |api: ApiKey| SPOKEN.contains(&api).then(|| api.versions());
    let (header, body) = match RequestHeader::decode(request, serves) {
        Ok(decoded) => decoded,
        Err(HeaderError::UnsupportedVersion {
            api: ApiKey::ApiVersions,
            served,
            correlation_id,
            ..
        }) => {
            let response = unsupported_api_versions_response(served, correlation_id);
            return Ok(Some(Box::new(response)));
        }
        Err(error) => return Err(error.to_string()),
    };
    match header.api {
        ApiKey::Fetch => fetch::fetch(&header, &body, shared).map(Some),
        ApiKey::Produce => produce(&header, &body, shared),
        ApiKey::ApiVersions => framed(&header, &api_versions()),
        ApiKey::Metadata => framed(&header, &metadata(&read(&header, &body)?, shared)),
        ApiKey::ListOffsets => framed(&header, &list_offsets(read(&header, &body)?, shared)),
        ApiKey::FindCoordinator => framed(&header, &find_coordinator(read(&header, &body)?)),
        ApiKey::InitProducerId => {
            let response =
                InitProducerIdResponse { producer_id: PRODUCER_ID, ..Default::default() };
            framed(&header, &response)
        }
        api => Err(format!("{api} was not offered")),
    }
}

fn read<M: Message>(header: &RequestHeader<'_>, body: &Bytes) -> Result<M, String> {
    M::decode(body, header.version).map_err(|error| error.to_string())
}

fn framed<M: Message>(header: &RequestHeader<'_>, message: &M) -> Result<Option<Response>, String> {
    let frame = frame::encode_response(message, header.version, header.correlation_id);
    frame.map(|frame| Some(Box::new(frame) as Response)).map_err(|error| error.to_string())
}

fn api_versions() -> ApiVersionsResponse {
    let api_keys = SPOKEN.map(|api| {
        let versions = api.advertised_versions();
        let (api_key, min_version, max_version) = (api.to_wire(), versions.min, versions.max);
        ApiVersion { api_key, min_version, max_version }
    });
    ApiVersionsResponse { api_keys: api_keys.to_vec(), ..Default::default() }
}

fn metadata(request: &MetadataRequest, shared: &Shared) -> MetadataResponse {
    let count = shared.lock().partitions.len();
    let known = || MetadataResponseTopic {
        name: Some(TOPIC.into()),
        topic_id: TOPIC_ID,
        partitions: (0..count)
            .map(|index| MetadataResponsePartition {
                partition_index: i32::try_from(index).expect("few"),
                leader_id: NODE_ID,
                leader_epoch: LEADER_EPOCH,
                replica_nodes: vec![NODE_ID],
                isr_nodes: vec![NODE_ID],
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    };
    let topics = match &request.topics {
        None => vec![known()],
        Some(asked) => asked
            .iter()
            .map(|one| {
                if one.name.as_deref() == Some(TOPIC) || one.topic_id == TOPIC_ID {
                    return known();
                }
                MetadataResponseTopic {
                    error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                    name: one.name.clone().or(Some("".into())),
                    topic_id: one.topic_id,
                    ..Default::default()
                }
            })
            .collect(),
    };
    let broker = MetadataResponseBroker {
        node_id: NODE_ID,
        host: shared.address.ip().to_string().into(),
        port: shared.address.port().into(),
        ..Default::default()
    };
    MetadataResponse {
        brokers: vec![broker],
        cluster_id: Some("stub".into()),
        controller_id: NODE_ID,
        topics,
        ..Default::default()
    }
}

fn produce(
    header: &RequestHeader<'_>,
    body: &Bytes,
    shared: &Shared,
) -> Result<Option<Response>, String> {
    let visit = ProduceVisit::decode(body, header.version).map_err(|error| error.to_string())?;
    let mut responses = Vec::new();
    let mut state = shared.lock();
    for one in visit.partitions() {
        let ours = matches!(one.topic, TopicRef::Name(TOPIC) | TopicRef::Id(TOPIC_ID));
        let place = usize::try_from(one.partition).ok().filter(|_| ours);
        let partition = place.and_then(|place| state.partitions.get_mut(place));
        let mut response = PartitionProduceResponse { index: one.partition, ..Default::default() };
        if let (Some(partition), Some(records)) = (partition, one.records) {
            response.base_offset = partition.produced.iter().map(record_count).sum();
            response.log_start_offset = 0;
            partition.produced.push(records);
        } else {
            response.error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        }
        responses.push(response);
    }
    drop(state);
    if visit.acks == 0 {
        return Ok(None);
    }
    let topic = TopicProduceResponse {
        name: TOPIC.into(),
        topic_id: TOPIC_ID,
        partition_responses: responses,
    };
    framed(header, &ProduceResponse { responses: vec![topic], ..Default::default() })
}

fn record_count(bytes: &Bytes) -> i64 {
    let batches = RawBatches::new(bytes).filter_map(Result::ok);
    batches.map(|batch| i64::from(batch.header().record_count)).sum()
}

fn list_offsets(request: ListOffsetsRequest, shared: &Shared) -> ListOffsetsResponse {
    let state = shared.lock();
    let one = |topic: &str, index: i32, timestamp: i64| {
        let partition = partition(&state.partitions, topic, index);
        let mut response =
            ListOffsetsPartitionResponse { partition_index: index, ..Default::default() };
        match (partition, timestamp) {
            (Some(partition), EARLIEST) => response.offset = partition.start_offset,
            (Some(partition), LATEST) => response.offset = partition.end_offset(),
            (Some(_), _) => response.error_code = ErrorCode::INVALID_REQUEST,
            (None, _) => response.error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        }
        response.leader_epoch = LEADER_EPOCH;
        response
    };
    let topics = request.topics.iter().map(|topic| {
        let asked = topic.partitions.iter();
        let partitions = asked.map(|p| one(&topic.name, p.partition_index, p.timestamp)).collect();
        ListOffsetsTopicResponse { name: topic.name.clone(), partitions }
    });
    ListOffsetsResponse { topics: topics.collect(), ..Default::default() }
}

/// There is no coordinator, in the format of any version.
fn find_coordinator(request: FindCoordinatorRequest) -> FindCoordinatorResponse {
    let error_code = ErrorCode::COORDINATOR_NOT_AVAILABLE;
    let keys = request.coordinator_keys.into_iter();
    let missing = keys.map(|key| Coordinator {
        key,
        node_id: -1,
        port: -1,
        error_code,
        ..Default::default()
    });
    let coordinators: Vec<_> = missing.collect();
    if !coordinators.is_empty() {
        return FindCoordinatorResponse { coordinators, ..Default::default() };
    }
    FindCoordinatorResponse { error_code, node_id: -1, port: -1, ..Default::default() }
}

fn partition<'a>(partitions: &'a [Partition], topic: &str, index: i32) -> Option<&'a Partition> {
    let place = usize::try_from(index).ok().filter(|_| topic == TOPIC);
    place.and_then(|place| partitions.get(place))
}
