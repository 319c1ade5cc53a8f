//! DescribeTopicPartitions (KIP-966): topics by name, page by page.

use std::collections::BTreeSet;

use logboom_controller::MetadataImage;
use logboom_controller::image::Topic;
use logboom_controller::topics::check_name;
use logboom_protocol::messages::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition as ResponsePartition,
    DescribeTopicPartitionsResponseTopic as ResponseTopic, RequestCursor, ResponseCursor,
};
use logboom_protocol::units::Uuid;
use logboom_protocol::{CompactString, ErrorCode};

use super::{RequestContext, authorized_operations, leader, metadata};
use crate::node::Node;

pub(super) async fn handle(
    context: RequestContext,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let image = context.node.image();
    if !is_valid(&request) {
        return invalid(&request);
    }
    let broker_limit = context.node.integer("max.request.partition.size.limit");
    let limit = broker_limit.min(request.response_partition_limit.into()).max(1);
    let wants_all = request.topics.is_empty();
    let names: BTreeSet<CompactString> = if wants_all {
        image.topics().map(|topic| topic.name().into()).collect()
    } else {
        request.topics.into_iter().map(|topic| topic.name).collect()
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    page(&context.node, &image, names, request.cursor.as_ref(), limit)
}

/// Whether a cursor is one that the broker may have given for these topics.
fn is_valid(request: &DescribeTopicPartitionsRequest) -> bool {
    let Some(cursor) = &request.cursor else { return true };
    let mut topics = request.topics.iter();
    let is_among = request.topics.is_empty() || topics.any(|topic| topic.name == cursor.topic_name);
    is_among && cursor.partition_index >= 0
}

fn invalid(request: &DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let topics = request.topics.iter().map(|topic| ResponseTopic {
        error_code: ErrorCode::INVALID_REQUEST,
        name: Some(topic.name.clone()),
        ..ResponseTopic::default()
    });
    let topics = topics.collect();
    DescribeTopicPartitionsResponse { topics, ..DescribeTopicPartitionsResponse::default() }
}

/// Describes topics from the cursor on.
///
/// - `limit`: the most partitions, at least 1.
fn page(
    node: &Node,
    image: &MetadataImage,
    names: BTreeSet<CompactString>,
    cursor: Option<&RequestCursor>,
    limit: usize,
) -> DescribeTopicPartitionsResponse {
    let begin = cursor.map_or("", |cursor| &cursor.topic_name);
    let (mut topics, mut next_cursor, mut left) = (Vec::new(), None, limit);
    for name in names.into_iter().skip_while(|name| name.as_str() < begin) {
        let cursor = cursor.filter(|cursor| cursor.topic_name == name);
        let first = cursor.map_or(0, |cursor| cursor.partition_index);
        if left == 0 {
            next_cursor = Some(ResponseCursor { topic_name: name, partition_index: 0 });
            break;
        }
        let Some(topic) = image.topic_named(&name) else {
            topics.push(unknown(name));
            continue;
        };
        let first = usize::try_from(first).unwrap_or(0);
        let partitions: Vec<_> = partitions(node, image, topic).skip(first).take(left).collect();
        let next = first.saturating_add(partitions.len());
        left -= partitions.len();
        topics.push(known(topic, partitions));
        if next < topic.partition_count() {
            let partition_index = i32::try_from(next).unwrap_or(i32::MAX);
            next_cursor = Some(ResponseCursor { topic_name: name, partition_index });
            break;
        }
    }
    let throttle_time_ms = 0;
    DescribeTopicPartitionsResponse { throttle_time_ms, topics, next_cursor }
}

fn partitions<'a>(
    node: &'a Node,
    image: &'a MetadataImage,
    topic: &'a Topic,
) -> impl Iterator<Item = ResponsePartition> + use<'a> {
    let count = i32::try_from(topic.partition_count()).unwrap_or(i32::MAX);
    (0..count).map(move |partition_index| {
        let shown = leader::shown(node, image, topic, partition_index);
        ResponsePartition {
            error_code: shown.error_code,
            partition_index,
            leader_id: shown.leader,
            leader_epoch: shown.leader_epoch,
            replica_nodes: shown.replicas,
            isr_nodes: shown.isr,
            eligible_leader_replicas: Some(Vec::new()),
            last_known_elr: Some(Vec::new()),
            offline_replicas: shown.offline,
        }
    })
}

fn known(topic: &Topic, partitions: Vec<ResponsePartition>) -> ResponseTopic {
    ResponseTopic {
        error_code: ErrorCode::NONE,
        name: Some(topic.name().into()),
        topic_id: topic.id(),
        is_internal: metadata::is_internal(topic.name()),
        partitions,
        topic_authorized_operations: authorized_operations::of_topic(true),
    }
}

fn unknown(name: CompactString) -> ResponseTopic {
    let error_code = match check_name(&name) {
        Ok(()) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        Err(_) => ErrorCode::INVALID_TOPIC_EXCEPTION,
    };
    ResponseTopic {
        error_code,
        is_internal: metadata::is_internal(&name),
        name: Some(name),
        topic_id: Uuid::ZERO,
        partitions: Vec::new(),
        topic_authorized_operations: authorized_operations::of_topic(true),
    }
}
