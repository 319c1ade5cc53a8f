//! OffsetDelete (KIP-496).

use std::collections::HashMap;

use logboom_controller::MetadataImage;
use logboom_protocol::ErrorCode;
use logboom_protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteRequestTopic, OffsetDeleteResponse,
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};

use super::RequestContext;

pub(super) async fn handle(
    context: RequestContext,
    mut request: OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    let image = context.node.image();
    let mut unknown = Vec::new();
    request.topics.retain_mut(|topic| retain(&image, topic, &mut unknown));
    let group = request.group_id.clone();
    let deleted = context.ask_group(&group, move |coordinator, _, effects| {
        coordinator.delete_offsets(&request, effects)
    });
    let mut response = deleted.await.unwrap_or_else(|error| OffsetDeleteResponse {
        error_code: error.code(),
        ..OffsetDeleteResponse::default()
    });
    if response.error_code.is_none() {
        let present = response.topics.iter().enumerate();
        let mut places: HashMap<_, usize> =
            present.map(|(at, topic)| (topic.name.clone(), at)).collect();
        for mut topic in unknown {
            let end = response.topics.len();
            match *places.entry(topic.name.clone()).or_insert(end) {
                at if at == end => response.topics.push(topic),
                at => response.topics[at].partitions.append(&mut topic.partitions),
            }
        }
    }
    response
}

/// Leaves of a topic the partitions that exist; the others are refused.
fn retain(
    image: &MetadataImage,
    topic: &mut OffsetDeleteRequestTopic,
    unknown: &mut Vec<OffsetDeleteResponseTopic>,
) -> bool {
    let found = image.topic_named(&topic.name);
    let is_there = |index| found.is_some_and(|topic| topic.partition(index).is_some());
    let all = std::mem::take(&mut topic.partitions);
    let (known, gone): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|one| is_there(one.partition_index));
    topic.partitions = known;
    if !gone.is_empty() {
        let partitions = gone.iter().map(|one| OffsetDeleteResponsePartition {
            partition_index: one.partition_index,
            error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        });
        let (name, partitions) = (topic.name.clone(), partitions.collect());
        unknown.push(OffsetDeleteResponseTopic { name, partitions });
    }
    !topic.partitions.is_empty()
}
