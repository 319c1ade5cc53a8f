//! From one image to the next.
//!
//! Must always hold: a record that is refused changes nothing.

use core::fmt;

use rpds::VectorSync;

use logboom_protocol::CompactString;
use logboom_protocol::units::Uuid;

use crate::record::{
    BrokerRegistration, ConfigResource, LeaderReport, MetadataRecord, Partition, ResourceKind,
};

use super::{MetadataImage, Settings, Topic, collision_name};

/// A record that contradicts what is known. No decision makes one: the log is damaged, or of
/// another cluster, and must not be followed any further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApplyError {
    /// A second cluster id.
    ClusterId {
        /// The id so far.
        known: Uuid,
        /// The other one.
        found: Uuid,
    },
    /// A broker id below 0.
    BrokerId(i32),
    /// A record about a broker that isn't registered.
    UnknownBroker(i32),
    /// A topic whose id or name is taken.
    TopicExists {
        /// The id of the second topic.
        id: Uuid,
        /// Its name.
        name: CompactString,
    },
    /// A record about a topic that doesn't exist.
    UnknownTopicId(Uuid),
    /// A configuration of a topic that doesn't exist.
    UnknownTopic(CompactString),
    /// A partition number that is neither there nor the next.
    PartitionIndex {
        /// The topic.
        topic_id: Uuid,
        /// The number found.
        index: i32,
        /// Partitions that there are.
        partitions: usize,
    },
    /// A partition without replicas, or with more or fewer directories than brokers.
    Replicas {
        /// The topic.
        topic_id: Uuid,
        /// The partition.
        index: i32,
    },
    /// Another wish for a partition that is no newer than the one before.
    Generation {
        /// The topic.
        topic_id: Uuid,
        /// The partition.
        index: i32,
    },
    /// A report that no leader makes.
    Report {
        /// The topic.
        topic_id: Uuid,
        /// The partition.
        index: i32,
    },
    /// A block of producer ids before the last one.
    ProducerId {
        /// The next id so far.
        known: i64,
        /// What is to be the next.
        found: i64,
    },
    /// A feature level below 0.
    FeatureLevel(i16),
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClusterId { known, found } => {
                write!(f, "metadata of cluster {known} names cluster {found}")
            }
            Self::BrokerId(id) => write!(f, "broker id {id}"),
            Self::UnknownBroker(id) => write!(f, "broker {id} is not registered"),
            Self::TopicExists { id, name } => write!(f, "topic {name} ({id}) exists already"),
            Self::UnknownTopicId(id) => write!(f, "no topic has the id {id}"),
            Self::UnknownTopic(name) => write!(f, "no topic is called {name}"),
            Self::PartitionIndex { topic_id, index, partitions } => {
                write!(f, "partition {index} of topic {topic_id}, which has {partitions}")
            }
            Self::Replicas { topic_id, index } => {
                write!(f, "partition {topic_id}-{index}: replicas don't match their directories")
            }
            Self::Generation { topic_id, index } => {
                write!(f, "partition {topic_id}-{index}: a wish that is no newer than the last")
            }
            Self::Report { topic_id, index } => {
                write!(f, "partition {topic_id}-{index}: a report that no leader makes")
            }
            Self::ProducerId { known, found } => {
                write!(f, "producer ids from {found} on, handed out up to {known} already")
            }
            Self::FeatureLevel(level) => write!(f, "feature level {level}"),
        }
    }
}

impl core::error::Error for ApplyError {}

impl MetadataImage {
    /// The image after one more record.
    ///
    /// # Errors
    /// [`ApplyError`] where the record contradicts the image, which is as before then.
    pub fn apply(&mut self, record: &MetadataRecord) -> Result<(), ApplyError> {
        match record {
            MetadataRecord::ClusterId(id) => self.set_cluster_id(*id),
            MetadataRecord::Broker(broker) => self.add_broker(broker),
            MetadataRecord::BrokerFenced { id, fenced } => self.set_fenced(*id, *fenced),
            MetadataRecord::BrokerRemoved { id } => self.remove_broker(*id),
            MetadataRecord::Topic { id, name } => self.add_topic(*id, name),
            MetadataRecord::Partition { topic_id, index, partition } => {
                self.set_partition(*topic_id, *index, partition)
            }
            MetadataRecord::Leaders(reports) => self.follow_reports(reports),
            MetadataRecord::TopicDeleted { id } => self.remove_topic(*id),
            MetadataRecord::Config { resource, name, value } => {
                self.set_config(resource, name, value.as_ref())
            }
            MetadataRecord::ProducerIdBlock { next_producer_id } => {
                self.set_next_producer_id(*next_producer_id)
            }
            MetadataRecord::FeatureLevel { name, level } => self.set_feature(name, *level),
        }
    }

    /// The image after the records of a batch, all of them or none.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn with<'a>(
        &self,
        records: impl IntoIterator<Item = &'a MetadataRecord>,
    ) -> Result<Self, ApplyError> {
        let mut next = self.clone();
        records.into_iter().try_for_each(|record| next.apply(record))?;
        Ok(next)
    }

    fn set_cluster_id(&mut self, id: Uuid) -> Result<(), ApplyError> {
        match self.cluster_id {
            Some(known) if known != id => Err(ApplyError::ClusterId { known, found: id }),
            _ => {
                self.cluster_id = Some(id);
                Ok(())
            }
        }
    }

    fn add_broker(&mut self, broker: &BrokerRegistration) -> Result<(), ApplyError> {
        if broker.id < 0 {
            return Err(ApplyError::BrokerId(broker.id));
        }
        let (own, other) = match broker.is_broker() {
            true => (&mut self.brokers, &mut self.controllers),
            false => (&mut self.controllers, &mut self.brokers),
        };
        own.insert_mut(broker.id, broker.clone());
        other.remove_mut(&broker.id);
        self.fenced.remove_mut(&broker.id);
        Ok(())
    }

    fn set_fenced(&mut self, id: i32, fenced: bool) -> Result<(), ApplyError> {
        if !self.brokers.contains_key(&id) {
            return Err(ApplyError::UnknownBroker(id));
        }
        if fenced {
            self.fenced.insert_mut(id);
        } else {
            self.fenced.remove_mut(&id);
        }
        Ok(())
    }

    fn remove_broker(&mut self, id: i32) -> Result<(), ApplyError> {
        if !self.brokers.remove_mut(&id) && !self.controllers.remove_mut(&id) {
            return Err(ApplyError::UnknownBroker(id));
        }
        self.fenced.remove_mut(&id);
        Ok(())
    }

    fn add_topic(&mut self, id: Uuid, name: &CompactString) -> Result<(), ApplyError> {
        if self.topics.contains_key(&id) || self.colliding_topic(name).is_some() {
            return Err(ApplyError::TopicExists { id, name: name.clone() });
        }
        self.topic_ids.insert_mut(CompactString::from(collision_name(name)), id);
        let topic = Topic { id, name: name.clone(), partitions: VectorSync::new_sync() };
        self.topics.insert_mut(id, topic);
        Ok(())
    }

    fn set_partition(
        &mut self,
        topic_id: Uuid,
        index: i32,
        partition: &Partition,
    ) -> Result<(), ApplyError> {
        if !partition.has_all_directories() {
            return Err(ApplyError::Replicas { topic_id, index });
        }
        let topic = self.topics.get(&topic_id).ok_or(ApplyError::UnknownTopicId(topic_id))?;
        let partitions = topic.partitions.len();
        let place = usize::try_from(index).ok().filter(|place| *place <= partitions);
        let place = place.ok_or(ApplyError::PartitionIndex { topic_id, index, partitions })?;
        if topic.partitions.get(place).is_some_and(|before| !partition.may_follow(before)) {
            return Err(ApplyError::Generation { topic_id, index });
        }
        let topic = self.topics.get_mut(&topic_id).expect("found above");
        if place == partitions {
            topic.partitions.push_back_mut(partition.clone());
        } else {
            assert!(topic.partitions.set_mut(place, partition.clone()), "{place} < {partitions}");
        }
        Ok(())
    }

    fn follow_reports(&mut self, reports: &[LeaderReport]) -> Result<(), ApplyError> {
        if let Some(LeaderReport { topic_id, index, .. }) =
            reports.iter().find(|report| !report.is_sound())
        {
            return Err(ApplyError::Report { topic_id: *topic_id, index: *index });
        }
        for report in reports {
            let LeaderReport { topic_id, index, .. } = report;
            let known = self.partition(*topic_id, *index);
            let Some(next) = known.and_then(|known| known.with_report(report)) else { continue };
            let topic = self.topics.get_mut(topic_id).expect("it has the partition");
            let place = usize::try_from(*index).expect("it has the partition");
            assert!(topic.partitions.set_mut(place, next), "it has the partition");
        }
        Ok(())
    }

    fn remove_topic(&mut self, id: Uuid) -> Result<(), ApplyError> {
        let topic = self.topics.get(&id).ok_or(ApplyError::UnknownTopicId(id))?;
        let resource = ConfigResource::topic(&topic.name);
        self.topic_ids.remove_mut(&*collision_name(&topic.name));
        self.topics.remove_mut(&id);
        self.configs.remove_mut(&resource);
        Ok(())
    }

    fn set_config(
        &mut self,
        resource: &ConfigResource,
        name: &CompactString,
        value: Option<&CompactString>,
    ) -> Result<(), ApplyError> {
        if resource.kind == ResourceKind::Topic && self.topic_named(&resource.name).is_none() {
            return Err(ApplyError::UnknownTopic(resource.name.clone()));
        }
        let mut settings: Settings = self.configs.get(resource).cloned().unwrap_or_default();
        match value {
            Some(value) => settings.insert_mut(name.clone(), value.clone()),
            None => {
                settings.remove_mut(name);
            }
        }
        if settings.is_empty() {
            self.configs.remove_mut(resource);
        } else {
            self.configs.insert_mut(resource.clone(), settings);
        }
        Ok(())
    }

    fn set_next_producer_id(&mut self, found: i64) -> Result<(), ApplyError> {
        let known = self.next_producer_id;
        if found < known {
            return Err(ApplyError::ProducerId { known, found });
        }
        self.next_producer_id = found;
        Ok(())
    }

    fn set_feature(&mut self, name: &CompactString, level: i16) -> Result<(), ApplyError> {
        match level {
            0 => {
                self.features.remove_mut(name);
            }
            1.. => self.features.insert_mut(name.clone(), level),
            _ => return Err(ApplyError::FeatureLevel(level)),
        }
        Ok(())
    }
}
