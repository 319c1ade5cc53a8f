//! OffsetCommit: what is committed for partitions that exist.

use std::collections::HashMap;
use std::sync::Arc;

use logboom_controller::MetadataImage;
use logboom_controller::image::Topic;
use logboom_protocol::ErrorCode;
use logboom_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};

use super::RequestContext;

/// From this version on topics are named by their ids.
const BY_ID_FROM: i16 = 10;

pub(super) async fn handle(
    context: RequestContext,
    mut request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let (image, version) = (context.node.image(), context.version);
    let mut refused = Vec::new();
    request.topics.retain_mut(|topic| retain(&image, version, topic, &mut refused));
    let mut response = if request.topics.is_empty() {
        OffsetCommitResponse::default()
    } else {
        commit(&context, Arc::new(request)).await
    };
    add_all(&mut response, refused);
    response
}

/// Leaves of a topic the partitions that exist; the others are refused.
fn retain(
    image: &MetadataImage,
    version: i16,
    topic: &mut OffsetCommitRequestTopic,
    refused: &mut Vec<OffsetCommitResponseTopic>,
) -> bool {
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let (found, error_code) = if version >= BY_ID_FROM {
        (image.topic(topic.topic_id), ErrorCode::UNKNOWN_TOPIC_ID)
    } else {
        (image.topic_named(&topic.name), unknown)
    };
    let Some(found) = found else {
        refused.push(refuse(topic, &topic.partitions, error_code));
        return false;
    };
    (topic.name, topic.topic_id) = (found.name().into(), found.id());
    let gone = split_off_unknown(found, &mut topic.partitions);
    if !gone.is_empty() {
        refused.push(refuse(topic, &gone, unknown));
    }
    !topic.partitions.is_empty()
}

/// Takes out the partitions that a topic doesn't have.
fn split_off_unknown(
    topic: &Topic,
    partitions: &mut Vec<OffsetCommitRequestPartition>,
) -> Vec<OffsetCommitRequestPartition> {
    let is_there = |one: &OffsetCommitRequestPartition| topic.partition(one.partition_index);
    let all = std::mem::take(partitions);
    let (known, gone) = all.into_iter().partition(|one| is_there(one).is_some());
    *partitions = known;
    gone
}

fn refuse(
    topic: &OffsetCommitRequestTopic,
    partitions: &[OffsetCommitRequestPartition],
    error_code: ErrorCode,
) -> OffsetCommitResponseTopic {
    let partitions = partitions.iter().map(|one| OffsetCommitResponsePartition {
        partition_index: one.partition_index,
        error_code,
    });
    let (name, topic_id) = (topic.name.clone(), topic.topic_id);
    OffsetCommitResponseTopic { name, topic_id, partitions: partitions.collect() }
}

async fn commit(
    context: &RequestContext,
    request: Arc<OffsetCommitRequest>,
) -> OffsetCommitResponse {
    let (version, asked) = (context.version, Arc::clone(&request));
    let committed = context.ask_group(&request.group_id, move |groups, now, effects| {
        groups.commit(now, &asked, version, effects)
    });
    committed.await.unwrap_or_else(|error| {
        let topics = request.topics.iter();
        let topics = topics.map(|topic| refuse(topic, &topic.partitions, error.code()));
        OffsetCommitResponse { topics: topics.collect(), ..OffsetCommitResponse::default() }
    })
}

/// Adds partitions to an answer, to their topic where it is there.
fn add_all(response: &mut OffsetCommitResponse, refused: Vec<OffsetCommitResponseTopic>) {
    let key = |topic: &OffsetCommitResponseTopic| (topic.name.clone(), topic.topic_id);
    let present = response.topics.iter().enumerate().map(|(at, topic)| (key(topic), at));
    let mut places: HashMap<_, usize> = present.collect();
    for mut topic in refused {
        let end = response.topics.len();
        match *places.entry(key(&topic)).or_insert(end) {
            at if at == end => response.topics.push(topic),
            at => response.topics[at].partitions.append(&mut topic.partitions),
        }
    }
}
