//! ListPartitionReassignments.

use alloc::vec::Vec;

use logboom_protocol::messages::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
    OngoingPartitionReassignment, OngoingTopicReassignment,
};

use crate::MetadataImage;
use crate::image::Topic;
use crate::record::Partition;

/// Names the partitions whose voters are others than are wished for, of some topics or of all. What
/// doesn't exist is passed over, as in the reference.
///
/// Source: KIP-455.
#[must_use]
pub fn list_partition_reassignments(
    image: &MetadataImage,
    request: &ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    let topics = match &request.topics {
        None => image.topics().filter_map(|topic| moves_of(topic, None)).collect(),
        Some(topics) => {
            let found = topics.iter().filter_map(|asked| {
                moves_of(image.topic_named(&asked.name)?, Some(&asked.partition_indexes))
            });
            found.collect()
        }
    };
    ListPartitionReassignmentsResponse { topics, ..Default::default() }
}

/// The moves of a topic's partitions, `None` where there are none.
fn moves_of(topic: &Topic, asked: Option<&[i32]>) -> Option<OngoingTopicReassignment> {
    let is_asked = |index: &i32| asked.is_none_or(|asked| asked.contains(index));
    let partitions: Vec<_> = (0..)
        .zip(topic.partitions())
        .filter(|(index, _)| is_asked(index))
        .filter_map(|(index, partition)| ongoing(index, partition))
        .collect();
    (!partitions.is_empty())
        .then(|| OngoingTopicReassignment { name: topic.name().into(), partitions })
}

fn ongoing(partition_index: i32, partition: &Partition) -> Option<OngoingPartitionReassignment> {
    let adding_replicas: Vec<i32> = partition.adding().collect();
    let removing_replicas: Vec<i32> = partition.removing().collect();
    let is_listed =
        partition.is_moving() || !adding_replicas.is_empty() || !removing_replicas.is_empty();
    is_listed.then(|| OngoingPartitionReassignment {
        partition_index,
        replicas: partition.all_replicas(),
        adding_replicas,
        removing_replicas,
    })
}
