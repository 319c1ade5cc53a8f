//! AlterPartitionReassignments.

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ReassignablePartition,
    ReassignablePartitionResponse, ReassignableTopic, ReassignableTopicResponse,
};

use crate::MetadataImage;
use crate::decision::{Decision, Draft, message};
use crate::record::{MetadataRecord, Partition};
use crate::topics::{check_assignment, directories};

use super::error::ReassignmentError;

/// Begins moves, changes them and takes them back, each as if it came after those before it.
///
/// A broker that isn't in contact may be named: the move ends when it has come. Another order of
/// the replicas that there are is in force at once, as is what the voters are already.
///
/// Source: KIP-455, KIP-860 (`allow_replication_factor_change`).
#[must_use]
pub fn alter_partition_reassignments(
    image: &MetadataImage,
    request: &AlterPartitionReassignmentsRequest,
) -> Decision<AlterPartitionReassignmentsResponse> {
    let mut draft = Draft::new(image);
    let may_change = request.allow_replication_factor_change;
    let responses = request.topics.iter().map(|topic| alter(&mut draft, topic, may_change));
    let response = AlterPartitionReassignmentsResponse {
        allow_replication_factor_change: may_change,
        responses: responses.collect(),
        ..AlterPartitionReassignmentsResponse::default()
    };
    Decision { records: draft.into_records(), response }
}

fn alter(
    draft: &mut Draft,
    topic: &ReassignableTopic,
    may_change: bool,
) -> ReassignableTopicResponse {
    let partitions = topic.partitions.iter().map(|asked| {
        let error = alter_one(draft, &topic.name, asked, may_change).err();
        ReassignablePartitionResponse {
            partition_index: asked.partition_index,
            error_code: error.as_ref().map_or(ErrorCode::NONE, ReassignmentError::code),
            error_message: error.as_ref().and_then(message),
        }
    });
    ReassignableTopicResponse { name: topic.name.clone(), partitions: partitions.collect() }
}

fn alter_one(
    draft: &mut Draft,
    name: &str,
    asked: &ReassignablePartition,
    may_change: bool,
) -> Result<(), ReassignmentError> {
    let (image, index) = (draft.image(), asked.partition_index);
    let topic = image.topic_named(name);
    let topic = topic.ok_or_else(|| ReassignmentError::UnknownTopic(name.into()))?;
    let partition = topic.partition(index);
    let partition =
        partition.ok_or_else(|| ReassignmentError::UnknownPartition(name.into(), index))?;
    let changed = match &asked.replicas {
        None => taken_back(image, partition)?,
        Some(replicas) => moved(image, partition, replicas, may_change)?,
    };
    let topic_id = topic.id();
    if let Some(partition) = changed {
        draft.push(MetadataRecord::Partition { topic_id, index, partition });
    }
    Ok(())
}

fn taken_back(
    image: &MetadataImage,
    partition: &Partition,
) -> Result<Option<Partition>, ReassignmentError> {
    if !partition.is_moving() {
        return Err(ReassignmentError::NoneInProgress);
    }
    let replicas = partition.replicas.iter().zip(&partition.directories);
    // A broker may have come back with another one since.
    let directories =
        replicas.map(|(id, known)| image.broker(*id).map_or(*known, |broker| broker.directory_id));
    Ok(partition.with_wish(partition.replicas.clone(), directories.collect()))
}

fn moved(
    image: &MetadataImage,
    partition: &Partition,
    replicas: &[i32],
    may_change: bool,
) -> Result<Option<Partition>, ReassignmentError> {
    check_assignment(image, replicas)?;
    let (from, to) = (partition.wish().0.len(), replicas.len());
    if !may_change && from != to {
        return Err(ReassignmentError::ReplicationFactor { from, to });
    }
    Ok(partition.with_wish(replicas.to_vec(), directories(image, replicas)))
}

#[cfg(test)]
mod tests;
