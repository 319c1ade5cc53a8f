//! Topics: each rule with its error code, and the statements of the wire.

mod create;
mod delete;
mod partitions;
mod placement;

use alloc::vec::Vec;

use logboom_protocol::messages::create_topics::{CreatableTopic, CreatableTopicConfig};
use logboom_protocol::messages::create_topics::{CreateTopicsRequest, CreateTopicsResponse};
use logboom_protocol::units::Uuid;

use super::*;
use crate::config::StaticConfig;
use crate::samples::{broker, id};
use crate::{Decision, MetadataImage, MetadataRecord};

/// A cluster of these brokers, each in the rack that is given with it.
fn cluster(brokers: &[(i32, Option<&str>)]) -> MetadataImage {
    let brokers = brokers.iter().map(|&(id, rack)| MetadataRecord::Broker(broker(id, rack)));
    MetadataImage::load(brokers).unwrap()
}

fn three_brokers() -> MetadataImage {
    cluster(&[(1, None), (2, None), (3, None)])
}

/// A topic with numbers.
fn topic(name: &str, partitions: i32, replicas: i16) -> CreatableTopic {
    CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: replicas,
        ..Default::default()
    }
}

fn with_config(topic: CreatableTopic, name: &str, value: Option<&str>) -> CreatableTopic {
    let value = value.map(Into::into);
    CreatableTopic { configs: [CreatableTopicConfig { name: name.into(), value }].into(), ..topic }
}

/// Creates the topics with ids from 1 on.
fn create(
    image: &MetadataImage,
    topics: Vec<CreatableTopic>,
    broker: &StaticConfig,
) -> Decision<CreateTopicsResponse> {
    let request = CreateTopicsRequest { topics, ..Default::default() };
    create_topics(image, &request, &mut context(broker))
}

fn context(broker: &StaticConfig) -> CreateContext<'_, impl Iterator<Item = Uuid>, InTurns> {
    // The first id is none and must be passed over.
    CreateContext { broker, topic_ids: (0u128..).map(id), placement: InTurns(0) }
}

/// The image after topics that are created without trouble.
fn with_topics(image: &MetadataImage, topics: Vec<CreatableTopic>) -> MetadataImage {
    let decision = create(image, topics, &StaticConfig::default());
    for result in &decision.response.topics {
        assert!(result.error_code.is_none(), "{result:?}");
    }
    image.with(&decision.records).unwrap()
}

/// The brokers of each partition of a topic.
fn replicas(image: &MetadataImage, topic: &str) -> Vec<Vec<i32>> {
    let topic = image.topic_named(topic).unwrap_or_else(|| panic!("no topic {topic}"));
    topic.partitions().map(|partition| partition.replicas.clone()).collect()
}
