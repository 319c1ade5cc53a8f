//! The replica of a partition that answers for it, or why there is none here.

use std::sync::Arc;

use logboom_controller::MetadataImage;
use logboom_controller::image::Topic;
use logboom_controller::record::{NO_BROKER, Partition as PartitionRecord};
use logboom_protocol::ErrorCode;
use logboom_protocol::hot::TopicRef;

use crate::node::Node;
use crate::partition::Partition;

/// An epoch that a client doesn't say.
const EPOCH_UNKNOWN: i32 = -1;

/// The replica that leads a partition, if it is here.
///
/// # Errors
/// `UNKNOWN_TOPIC_OR_PARTITION`; `UNKNOWN_TOPIC_ID` where the topic is named by an id that no topic
/// has; `NOT_LEADER_OR_FOLLOWER` where there is no replica here.
pub(super) fn find(
    node: &Node,
    image: &MetadataImage,
    topic: TopicRef<'_>,
    partition: i32,
) -> Result<Arc<Partition>, ErrorCode> {
    let topic = match topic {
        TopicRef::Name(name) => {
            image.topic_named(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?
        }
        TopicRef::Id(id) => image.topic(id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?,
    };
    if topic.partition(partition).is_none() {
        return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    node.registry.get(topic.id(), partition).ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER)
}

/// What clients are told of a partition: who leads it, and where its copies are.
pub(super) struct Shown {
    /// `LEADER_NOT_AVAILABLE` where nobody does.
    pub(super) error_code: ErrorCode,
    /// −1 where nobody does.
    pub(super) leader: i32,
    pub(super) leader_epoch: i32,
    pub(super) replicas: Vec<i32>,
    pub(super) isr: Vec<i32>,
    pub(super) offline: Vec<i32>,
}

/// What clients are told of a partition, in the light of which brokers are in contact.
pub(super) fn shown(node: &Node, image: &MetadataImage, topic: &Topic, index: i32) -> Shown {
    let partition = topic.partition(index).expect("asked for each partition that there is");
    let leader = image.leader_of(partition);
    Shown {
        error_code: leader.map_or(ErrorCode::LEADER_NOT_AVAILABLE, |_| ErrorCode::NONE),
        leader: leader.unwrap_or(NO_BROKER),
        leader_epoch: epoch(node, topic, index, partition),
        replicas: partition.all_replicas(),
        isr: image.in_sync_replicas(partition),
        offline: image.offline_replicas(partition),
    }
}

/// The epoch of a partition's leader, as its replica here has it; of one that has none here, as the
/// metadata has it.
pub(super) fn epoch(node: &Node, topic: &Topic, index: i32, partition: &PartitionRecord) -> i32 {
    let replica = node.registry.get(topic.id(), index);
    replica.map_or(partition.leader_epoch, |replica| replica.leader_epoch())
}

/// Compares the epoch that a client believes in with ours (KIP-320).
///
/// - `current_leader_epoch`: −1 where the client doesn't say.
///
/// # Errors
/// `FENCED_LEADER_EPOCH` for one that is over, `UNKNOWN_LEADER_EPOCH` for one that is to come.
pub(super) fn check_epoch(
    partition: &Partition,
    current_leader_epoch: i32,
) -> Result<(), ErrorCode> {
    let ours = partition.leader_epoch();
    if current_leader_epoch == EPOCH_UNKNOWN || current_leader_epoch == ours {
        Ok(())
    } else if current_leader_epoch < ours {
        Err(ErrorCode::FENCED_LEADER_EPOCH)
    } else {
        Err(ErrorCode::UNKNOWN_LEADER_EPOCH)
    }
}
