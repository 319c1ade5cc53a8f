//! OffsetForLeaderEpoch: where an epoch ends, for consumers that look whether their log is ours.

use logboom_controller::MetadataImage;
use logboom_protocol::hot::TopicRef;
use logboom_protocol::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition, OffsetForLeaderTopicResult,
};

use super::{RequestContext, leader};

pub(super) async fn handle(
    context: RequestContext,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let image = context.node.image();
    let topics = request.topics.into_iter().map(|topic| {
        let asked = topic.partitions.iter();
        let partitions = asked.map(|asked| find(&context, &image, &topic.topic, asked)).collect();
        OffsetForLeaderTopicResult { topic: topic.topic, partitions }
    });
    OffsetForLeaderEpochResponse {
        topics: topics.collect(),
        ..OffsetForLeaderEpochResponse::default()
    }
}

/// The end of an epoch; −1 and −1 for one that hasn't begun here.
fn find(
    context: &RequestContext,
    image: &MetadataImage,
    topic: &str,
    asked: &OffsetForLeaderPartition,
) -> EpochEndOffset {
    let nothing = EpochEndOffset { partition: asked.partition, ..EpochEndOffset::default() };
    let found = leader::find(&context.node, image, TopicRef::Name(topic), asked.partition);
    let found = found.and_then(|partition| {
        leader::check_epoch(&partition, asked.current_leader_epoch)?;
        Ok(partition.epoch_end(asked.leader_epoch).filter(|_| asked.leader_epoch >= 0))
    });
    match found {
        Ok(Some((leader_epoch, end_offset))) => {
            EpochEndOffset { leader_epoch, end_offset, ..nothing }
        }
        Ok(None) => nothing,
        Err(error_code) => EpochEndOffset { error_code, ..nothing },
    }
}
