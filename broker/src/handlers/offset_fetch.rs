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

use super::RequestContext;

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
    if context.version >= SEVERAL_FROM {
        let groups = request.groups.into_iter().map(|group| fetch(&context, group, require_stable));
        let groups = join_all(groups).await;
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
    let (node, image, version) = (&context.node, context.node.image(), context.version);
    let mut unknown = Vec::new();
    if let Some(topics) = &mut asked.topics {
        topics.retain_mut(|topic| resolve(&image, version, topic, &mut unknown));
    }
    let group_id = asked.group_id.clone();
    // Only versions whose errors stand at partitions need them again.
    let places = asked.topics.as_ref().filter(|_| version < GROUP_ERROR_FROM);
    let places = places.cloned().unwrap_or_default();
    let told = node
        .coordination
        .ask(node, &group_id, move |coordinator, _, _| coordinator.fetch(&asked, require_stable));
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
