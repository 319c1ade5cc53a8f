//! CreatePartitions.

use alloc::vec::Vec;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
    CreatePartitionsTopicResult,
};

use crate::MetadataImage;
use crate::config::{Effective, StaticConfig};
use crate::decision::{Decision, message, occurrences};
use crate::record::MetadataRecord;

use super::PARTITIONS_PER_REQUEST_MAX;
use super::error::{AssignmentError, TopicError};
use super::placement::{self, Placement};

/// Adds partitions to topics, each as if it came alone: one result for each topic.
///
/// - `broker`: the configuration of the broker that decides.
/// - `placement`: where they go; turns begin where those of a partition 0 would.
/// - `is_counted`: whether something is found by the number of a topic's partitions, so that it
///   has to stay.
#[must_use]
pub fn create_partitions(
    image: &MetadataImage,
    request: &CreatePartitionsRequest,
    broker: &StaticConfig,
    placement: &mut dyn Placement,
    is_counted: impl Fn(&str) -> bool,
) -> Decision<CreatePartitionsResponse> {
    let mut times = occurrences(request.topics.iter().map(|topic| topic.name.as_str()));
    let (mut records, mut results) = (Vec::new(), Vec::with_capacity(times.len()));
    for topic in &request.topics {
        let left = PARTITIONS_PER_REQUEST_MAX - records.len();
        let result = match times.remove(topic.name.as_str()) {
            // Answered where the name came first.
            None => continue,
            Some(1) if is_counted(&topic.name) && image.topic_named(&topic.name).is_some() => {
                Err(TopicError::CountInUse)
            }
            Some(1) => add(&Effective::new(image, broker), image, topic, placement, left),
            Some(_) => Err(TopicError::Duplicate),
        };
        let error = result.map(|mut added| records.append(&mut added)).err();
        results.push(CreatePartitionsTopicResult {
            name: topic.name.clone(),
            error_code: error.as_ref().map_or(ErrorCode::NONE, TopicError::code),
            error_message: error.as_ref().and_then(message),
        });
    }
    if request.validate_only {
        records.clear();
    }
    Decision { records, response: CreatePartitionsResponse { throttle_time_ms: 0, results } }
}

/// The records of a topic's new partitions, at most `left` of them.
fn add(
    config: &Effective<'_>,
    image: &MetadataImage,
    request: &CreatePartitionsTopic,
    placement: &mut dyn Placement,
    left: usize,
) -> Result<Vec<MetadataRecord>, TopicError> {
    let topic = image.topic_named(&request.name).ok_or(TopicError::UnknownName)?;
    let partitions = topic.partition_count();
    let wanted = usize::try_from(request.count).unwrap_or(0);
    if wanted <= partitions {
        return Err(TopicError::NotMore { partitions, wanted: request.count });
    }
    let new = wanted - partitions;
    let replicas = topic.partition(0).map_or(1, |partition| partition.wish().0.len());
    if let Some(given) = &request.assignments
        && given.len() != new
    {
        return Err(AssignmentError::Count { expected: new, found: given.len() }.into());
    }
    if new > left {
        return Err(TopicError::TooManyPartitions { limit: PARTITIONS_PER_REQUEST_MAX });
    }
    let indexes = i32::try_from(partitions).unwrap_or(i32::MAX)..request.count;
    let placed = match &request.assignments {
        Some(given) => indexes
            .clone()
            .zip(given)
            .map(|(index, one)| placement::assigned(image, index, &one.broker_ids, Some(replicas)))
            .collect::<Result<_, _>>()?,
        None => {
            let strategy = config.topic_text(&request.name, "placement.strategy");
            placement::place(image, placement, &strategy, (new, replicas, partitions))?
        }
    };
    let record =
        |(index, partition)| MetadataRecord::Partition { topic_id: topic.id(), index, partition };
    Ok(indexes.zip(placed).map(record).collect())
}
