//! OffsetFetch: one group's offsets, or several groups' (KIP-709).

use futures_util::future::join_all;

use logboom_controller::MetadataImage;
use logboom_controller::image::Topic;
use logboom_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponse,
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use logboom_protocol::units::Uuid;
use logboom_protocol::{CompactString, ErrorCode};

use super::{GROUPS_ANSWER_BYTES, GROUPS_AT_ONCE, RequestContext};

/// From this version on an answer has an error for the group.
const GROUP_ERROR_FROM: i16 = 2;
/// From this version on there are several groups.
const SEVERAL_FROM: i16 = 8;
/// From this version on topics are named by their ids.
const BY_ID_FROM: i16 = 10;

pub(super) async fn handle(
    context: RequestContext,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    let require_stable = request.require_stable;
    let _room = context.node.answers.take_for(size_at_least(&request));
    if context.version >= SEVERAL_FROM {
        let groups = fetch_all(&context, request.groups, require_stable).await;
        return OffsetFetchResponse { groups, ..OffsetFetchResponse::default() };
    }
    let topics = request.topics.map(|topics| {
        let topics = topics.into_iter().map(|topic| OffsetFetchRequestTopics {
            name: topic.name,
            partition_indexes: topic.partition_indexes,
            ..OffsetFetchRequestTopics::default()
        });
        topics.collect()
    });
    let asked = OffsetFetchRequestGroup {
        group_id: request.group_id,
        topics,
        ..OffsetFetchRequestGroup::default()
    };
    let told = fetch(&context, asked, require_stable).await;
    single(&context, told)
}

/// The offsets of several groups; of those that are more than an answer holds a client asks again.
async fn fetch_all(
    context: &RequestContext,
    asked: Vec<OffsetFetchRequestGroup>,
    require_stable: bool,
) -> Vec<OffsetFetchResponseGroup> {
    let (mut groups, mut bytes) = (Vec::with_capacity(asked.len()), 0);
    let mut asked = asked.into_iter();
    while asked.len() > 0 {
        let some = asked.by_ref().take(GROUPS_AT_ONCE);
        if bytes >= GROUPS_ANSWER_BYTES {
            groups.extend(some.map(|group| put_off(group.group_id)));
            continue;
        }
        for group in join_all(some.map(|group| fetch(context, group, require_stable))).await {
            let is_over = bytes >= GROUPS_ANSWER_BYTES;
            bytes += size(&group);
            groups.push(if is_over { put_off(group.group_id) } else { group });
        }
    }
    groups
}

fn put_off(group_id: CompactString) -> OffsetFetchResponseGroup {
    let error_code = ErrorCode::COORDINATOR_LOAD_IN_PROGRESS;
    OffsetFetchResponseGroup { group_id, error_code, ..OffsetFetchResponseGroup::default() }
}

/// Memory of an answer without any metadata: what is asked for is shorter than what is told.
fn size_at_least(request: &OffsetFetchRequest) -> usize {
    let of_group = |group: &OffsetFetchRequestGroup| {
        let topics = group.topics.iter().flatten().map(|topic| topic.partition_indexes.len());
        size_of::<OffsetFetchResponseGroup>()
            + topics.sum::<usize>() * size_of::<OffsetFetchResponsePartitions>()
    };
    let topics = request.topics.iter().flatten().map(|topic| topic.partition_indexes.len());
    topics.sum::<usize>() * size_of::<OffsetFetchResponsePartitions>()
        + request.groups.iter().map(of_group).sum::<usize>()
}

/// Bytes of a group in an answer, about.
fn size(group: &OffsetFetchResponseGroup) -> usize {
    let topics = group.topics.iter().map(|topic| {
        let metadata = |one: &OffsetFetchResponsePartitions| {
            size_of_val(one) + one.metadata.as_ref().map_or(0, CompactString::len)
        };
        size_of_val(topic) + topic.name.len() + topic.partitions.iter().map(metadata).sum::<usize>()
    });
    size_of_val(group) + group.group_id.len() + topics.sum::<usize>()
}

/// The answer of versions with one group.
fn single(context: &RequestContext, told: OffsetFetchResponseGroup) -> OffsetFetchResponse {
    let error_code = told.error_code;
    let topics = told.topics.into_iter().map(|topic| OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic
            .partitions
            .into_iter()
            .map(|one| OffsetFetchResponsePartition {
                partition_index: one.partition_index,
                committed_offset: one.committed_offset,
                committed_leader_epoch: one.committed_leader_epoch,
                metadata: one.metadata,
                // The oldest version has no other place for it.
                error_code: match context.version {
                    GROUP_ERROR_FROM.. => one.error_code,
                    _ if error_code.is_none() => one.error_code,
                    _ => error_code,
                },
            })
            .collect(),
    });
    let topics = topics.collect();
    OffsetFetchResponse { topics, error_code, ..OffsetFetchResponse::default() }
}

/// The offsets of a group. Its topics have names in what is asked of the coordinator, and ids where
/// they exist.
async fn fetch(
    context: &RequestContext,
    mut asked: OffsetFetchRequestGroup,
    require_stable: bool,
) -> OffsetFetchResponseGroup {
    let (image, version) = (context.node.image(), context.version);
    let mut unknown = Vec::new();
    if let Some(topics) = &mut asked.topics {
        topics.retain_mut(|topic| resolve(&image, version, topic, &mut unknown));
    }
    let group_id = asked.group_id.clone();
    // Only versions whose errors stand at partitions need them again.
    let places = asked.topics.as_ref().filter(|_| version < GROUP_ERROR_FROM);
    let places = places.cloned().unwrap_or_default();
    let told = context
        .ask_group(&group_id, move |coordinator, _, _| coordinator.fetch(&asked, require_stable));
    let mut told = told.await.unwrap_or_else(|error| {
        // Where the error has a place of its own, there are no topics.
        let topics = places.iter().map(|topic| refuse(topic, ErrorCode::NONE)).collect();
        OffsetFetchResponseGroup { group_id: group_id.clone(), topics, error_code: error.code() }
    });
    if version >= BY_ID_FROM {
        told.topics.retain_mut(|topic| identify(&image, topic));
        if told.error_code.is_none() {
            told.topics.append(&mut unknown);
        }
    }
    told
}

/// Gives a topic the name or the id that the request lacks; one whose id nobody knows is refused.
fn resolve(
    image: &MetadataImage,
    version: i16,
    topic: &mut OffsetFetchRequestTopics,
    unknown: &mut Vec<OffsetFetchResponseTopics>,
) -> bool {
    if version < BY_ID_FROM {
        topic.topic_id = image.topic_named(&topic.name).map_or(Uuid::ZERO, Topic::id);
        return true;
    }
    match image.topic(topic.topic_id) {
        Some(found) => {
            topic.name = found.name().into();
            true
        }
        None => {
            unknown.push(refuse(topic, ErrorCode::UNKNOWN_TOPIC_ID));
            false
        }
    }
}

/// Gives a topic of an answer its id; whether it has one.
fn identify(image: &MetadataImage, topic: &mut OffsetFetchResponseTopics) -> bool {
    if topic.topic_id.is_zero() {
        topic.topic_id = image.topic_named(&topic.name).map_or(Uuid::ZERO, Topic::id);
    }
    !topic.topic_id.is_zero()
}

fn refuse(topic: &OffsetFetchRequestTopics, error_code: ErrorCode) -> OffsetFetchResponseTopics {
    let partitions = topic.partition_indexes.iter().map(|index| OffsetFetchResponsePartitions {
        partition_index: *index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(CompactString::default()),
        error_code,
    });
    OffsetFetchResponseTopics {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: partitions.collect(),
    }
}
