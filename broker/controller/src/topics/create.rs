//! CreateTopics.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use logboom_protocol::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfigs, CreatableTopicResult,
    CreateTopicsRequest, CreateTopicsResponse,
};
use logboom_protocol::units::Uuid;
use logboom_protocol::{CompactString, ErrorCode};

use crate::MetadataImage;
use crate::config::{Effective, StaticConfig};
use crate::configs::{check_new_topic, settings_of_new_topic};
use crate::decision::{Decision, message, occurrences};
use crate::image::Topic;
use crate::record::{ConfigResource, MetadataRecord, Partition};

use super::error::{AssignmentError, TopicError};
use super::placement::Placement;
use super::{name, placement};

/// The most partitions that one request creates: its records are one batch.
pub const PARTITIONS_PER_REQUEST_MAX: usize = 10_000;

/// The configuration of a topic that says how it is placed, and that of brokers.
const STRATEGY: &str = "placement.strategy";
const DEFAULT_STRATEGY: &str = "default.placement.strategy";

/// What creating topics needs beside the image and the request.
pub struct CreateContext<'a, I, P> {
    /// The configuration of the broker that decides.
    pub broker: &'a StaticConfig,
    /// Ids for the new topics: random, and without end.
    pub topic_ids: I,
    /// Where their partitions go.
    pub placement: P,
}

/// Creates topics, each as if it came after those before it.
///
/// With `validate_only` the response is the same and nothing changes.
///
/// # Panics
/// If the ids come to an end.
///
/// Source: KIP-4, KIP-464 (−1), KIP-525 (configurations in the response).
pub fn create_topics<I: Iterator<Item = Uuid>, P: Placement>(
    image: &MetadataImage,
    request: &CreateTopicsRequest,
    context: &mut CreateContext<'_, I, P>,
) -> Decision<CreateTopicsResponse> {
    let mut times = occurrences(request.topics.iter().map(|topic| topic.name.as_str()));
    let mut creation = Creation { image: image.clone(), records: Vec::new(), partitions: 0 };
    let mut results = Vec::with_capacity(times.len());
    for topic in &request.topics {
        let result = match times.remove(topic.name.as_str()) {
            // Answered where the name came first.
            None => continue,
            Some(1) => creation.create(topic, context),
            Some(_) => Err(TopicError::Duplicate),
        };
        results.push(result.unwrap_or_else(|error| refused(topic, &error)));
    }
    let records = if request.validate_only { Vec::new() } else { creation.records };
    let response = CreateTopicsResponse { throttle_time_ms: 0, topics: results };
    Decision { records, response }
}

fn refused(topic: &CreatableTopic, error: &TopicError) -> CreatableTopicResult {
    CreatableTopicResult {
        name: topic.name.clone(),
        error_code: error.code(),
        error_message: message(error),
        ..Default::default()
    }
}

/// The topics of a request that are already created.
struct Creation {
    /// The image with them.
    image: MetadataImage,
    /// Their records.
    records: Vec<MetadataRecord>,
    /// Their partitions.
    partitions: usize,
}

impl Creation {
    fn create<I: Iterator<Item = Uuid>, P: Placement>(
        &mut self,
        topic: &CreatableTopic,
        context: &mut CreateContext<'_, I, P>,
    ) -> Result<CreatableTopicResult, TopicError> {
        self.check_name(&topic.name)?;
        let partitions = self.partitions_of(topic, context)?;
        let image = &self.image;
        let id = context.topic_ids.find(|id| !id.is_zero() && image.topic(*id).is_none());
        let id = id.expect("ids without end");
        let mut records = Vec::from([MetadataRecord::Topic { id, name: topic.name.clone() }]);
        records.extend(config_records(topic)?);
        let configured = image.with(&records).expect("name and id are new");
        check_new_topic(&Effective::new(&configured, context.broker), topic)
            .map_err(TopicError::Config)?;

        let count = partitions.len();
        let partitions = partitions.into_iter().zip(0..);
        let partitions: Vec<_> = partitions
            .map(|(partition, index)| MetadataRecord::Partition { topic_id: id, index, partition })
            .collect();
        self.image = configured.with(&partitions).expect("each is the next");
        self.partitions += count;
        self.records.append(&mut records);
        self.records.extend(partitions);
        let created = self.image.topic(id).expect("just created");
        Ok(success(created, &Effective::new(&self.image, context.broker)))
    }

    fn check_name(&self, name: &str) -> Result<(), TopicError> {
        name::check(name).map_err(TopicError::Name)?;
        match self.image.colliding_topic(name) {
            None => Ok(()),
            Some(other) if other.name() == name => Err(TopicError::Exists),
            Some(other) => Err(TopicError::Collides { other: other.name().into() }),
        }
    }

    fn partitions_of<I, P: Placement>(
        &self,
        topic: &CreatableTopic,
        context: &mut CreateContext<'_, I, P>,
    ) -> Result<Vec<Partition>, TopicError> {
        let limit = PARTITIONS_PER_REQUEST_MAX;
        let left = limit.saturating_sub(self.partitions);
        if !topic.assignments.is_empty() {
            if topic.num_partitions != -1 || topic.replication_factor != -1 {
                return Err(TopicError::AssignmentAndCount);
            }
            if topic.assignments.len() > left {
                return Err(TopicError::TooManyPartitions { limit });
            }
            return self.assigned(&topic.assignments);
        }
        let effective = Effective::new(&self.image, context.broker);
        let (count, replicas) = numbers(topic, &effective)?;
        if count > left {
            return Err(TopicError::TooManyPartitions { limit });
        }
        let own = topic.configs.iter().find(|config| config.name == STRATEGY);
        let default = effective.broker_text(DEFAULT_STRATEGY);
        let strategy = own.and_then(|config| config.value.clone()).unwrap_or(default);
        let numbers = (count, replicas, self.partitions);
        placement::place(&self.image, &mut context.placement, &strategy, numbers)
    }

    /// The partitions that a client has placed itself, in order of their numbers.
    fn assigned(
        &self,
        assignments: &[CreatableReplicaAssignment],
    ) -> Result<Vec<Partition>, TopicError> {
        let mut by_index = BTreeMap::new();
        let mut length = None;
        for CreatableReplicaAssignment { partition_index: index, broker_ids } in assignments {
            let partition = placement::assigned(&self.image, *index, broker_ids, length)?;
            length = Some(broker_ids.len());
            if by_index.insert(*index, partition).is_some() {
                return Err(AssignmentError::Duplicate(*index).into());
            }
        }
        // Nothing is twice, so that the first gap is where the numbers leave the count.
        let gap = by_index.keys().zip(0..).find(|(index, expected)| *index != expected);
        match gap {
            Some((index, _)) => Err(AssignmentError::Gap(*index).into()),
            None => Ok(by_index.into_values().collect()),
        }
    }
}

/// How many partitions, and how many replicas of each; −1 is the broker's default.
fn numbers(
    topic: &CreatableTopic,
    effective: &Effective<'_>,
) -> Result<(usize, usize), TopicError> {
    let given_or = |given: i64, default| match given {
        -1 => effective.broker_integer(default),
        given => given,
    };
    let positive = |number: i64| usize::try_from(number).ok().filter(|&number| number > 0);
    let factor = given_or(topic.replication_factor.into(), "default.replication.factor");
    let replicas = positive(factor).ok_or(TopicError::ReplicationFactor(factor))?;
    let count = positive(given_or(topic.num_partitions.into(), "num.partitions"));
    Ok((count.ok_or(TopicError::PartitionCount(topic.num_partitions))?, replicas))
}

fn config_records(topic: &CreatableTopic) -> Result<Vec<MetadataRecord>, TopicError> {
    let resource = ConfigResource::topic(&topic.name);
    settings_of_new_topic(topic).map_err(TopicError::Config).map(|settings| {
        let record = |(name, value): (CompactString, CompactString)| MetadataRecord::Config {
            resource: resource.clone(),
            name,
            value: Some(value),
        };
        settings.into_iter().map(record).collect()
    })
}

fn success(topic: &Topic, effective: &Effective<'_>) -> CreatableTopicResult {
    let replicas = topic.partition(0).map_or(0, |partition| partition.replicas.len());
    let mut configs: Vec<_> = effective
        .topic_entries(topic.name())
        .map(|entry| CreatableTopicConfigs {
            name: CompactString::const_new(entry.definition.name),
            value: entry.value,
            read_only: entry.read_only,
            config_source: entry.source.to_wire(),
            // No configuration of a topic is a secret.
            is_sensitive: false,
        })
        .collect();
    configs.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    CreatableTopicResult {
        name: topic.name().into(),
        topic_id: topic.id(),
        error_code: ErrorCode::NONE,
        error_message: None,
        topic_config_error_code: ErrorCode::NONE,
        num_partitions: i32::try_from(topic.partition_count()).unwrap_or(i32::MAX),
        replication_factor: i16::try_from(replicas).unwrap_or(i16::MAX),
        configs: Some(configs),
    }
}
