//! What a broker says about the cluster: brokers, topics, partitions, leaders.
//!
//! Must always hold: partitions stand in the order of their numbers, and a topic has one at least.

use std::collections::BTreeMap;

use logboom_protocol::ErrorCode;
use logboom_protocol::messages::metadata::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use logboom_protocol::units::Uuid;

use crate::{BrokerAddress, ClientError};

/// The answer to one metadata request.
#[derive(Debug, Clone, Default)]
pub struct ClusterImage {
    /// The cluster's id, where brokers tell it.
    pub cluster_id: Option<String>,
    /// The broker to ask for what only the controller does.
    pub controller_id: Option<i32>,
    /// The live brokers by their number.
    pub brokers: BTreeMap<i32, Broker>,
    /// The topics by name.
    pub topics: BTreeMap<String, Topic>,
    /// Topics about which nothing is told, and why.
    pub refused: BTreeMap<String, ErrorCode>,
}

/// A live broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Its number.
    pub id: i32,
    /// Where it listens for us.
    pub address: BrokerAddress,
    /// Where it stands (`broker.rack`).
    pub rack: Option<String>,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its id; zero where brokers know none.
    pub id: Uuid,
    /// Whether it belongs to the brokers themselves.
    pub is_internal: bool,
    /// Its partitions.
    pub partitions: Vec<Partition>,
}

/// A partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Partition {
    /// Its number, from 0.
    pub index: i32,
    /// The broker that leads it.
    pub leader: Option<i32>,
    /// The number of the leadership; −1 where brokers don't tell it.
    pub leader_epoch: i32,
    /// The brokers that are to hold a copy.
    pub replicas: Vec<i32>,
    /// Those that hold all of it.
    pub in_sync: Vec<i32>,
    /// Those that are not alive.
    pub offline: Vec<i32>,
}

impl Topic {
    /// The partition with that number.
    ///
    /// # Errors
    /// [`ClientError::UnknownPartition`].
    pub fn partition(&self, index: i32) -> Result<&Partition, ClientError> {
        let found = self.partitions.binary_search_by_key(&index, |partition| partition.index);
        found.map(|at| &self.partitions[at]).map_err(|_| ClientError::UnknownPartition {
            topic: self.name.clone(),
            partition: index,
            partition_count: self.partitions.len(),
        })
    }

    /// The broker that leads a partition.
    ///
    /// # Errors
    /// [`ClientError::UnknownPartition`] or [`ClientError::NoLeader`].
    pub fn leader(&self, index: i32) -> Result<i32, ClientError> {
        self.partition(index)?
            .leader
            .ok_or_else(|| ClientError::NoLeader { topic: self.name.clone(), partition: index })
    }
}

impl ClusterImage {
    /// What the response says; a broker without a port that exists is left out.
    pub(crate) fn new(response: MetadataResponse) -> Self {
        let brokers = response.brokers.into_iter().filter_map(broker);
        let (mut topics, mut refused) = (BTreeMap::new(), BTreeMap::new());
        for topic in response.topics {
            let name = topic.name.as_deref().unwrap_or_default().to_owned();
            match topic.error_code {
                // It is being made: what it will have is still to be told.
                ErrorCode::NONE | ErrorCode::LEADER_NOT_AVAILABLE
                    if topic.partitions.is_empty() =>
                {
                    refused.insert(name, ErrorCode::LEADER_NOT_AVAILABLE);
                }
                ErrorCode::NONE | ErrorCode::LEADER_NOT_AVAILABLE => {
                    topics.insert(name.clone(), self::topic(name, topic));
                }
                code => drop(refused.insert(name, code)),
            }
        }
        Self {
            cluster_id: response.cluster_id.map(Into::into),
            controller_id: node(response.controller_id),
            brokers: brokers.map(|broker| (broker.id, broker)).collect(),
            topics,
            refused,
        }
    }

    /// Takes the topic of that name out of the image.
    ///
    /// # Errors
    /// [`ClientError::UnknownTopic`], or the code that the broker gave for it.
    pub(crate) fn take_topic(&mut self, name: &str) -> Result<Topic, ClientError> {
        if let Some(topic) = self.topics.remove(name) {
            return Ok(topic);
        }
        match self.refused.get(name) {
            None | Some(&ErrorCode::UNKNOWN_TOPIC_OR_PARTITION) => {
                Err(ClientError::UnknownTopic { topic: name.to_owned() })
            }
            Some(&code) => {
                Err(ClientError::Refused { what: format!("topic {name}"), code, message: None })
            }
        }
    }
}

fn broker(broker: MetadataResponseBroker) -> Option<Broker> {
    let port = u16::try_from(broker.port).ok()?;
    let address = BrokerAddress { host: broker.host.into(), port };
    Some(Broker { id: broker.node_id, address, rack: broker.rack.map(Into::into) })
}

fn topic(name: String, topic: MetadataResponseTopic) -> Topic {
    let mut partitions: Vec<_> = topic.partitions.into_iter().map(partition).collect();
    partitions.sort_unstable_by_key(|partition| partition.index);
    Topic { name, id: topic.topic_id, is_internal: topic.is_internal, partitions }
}

fn partition(partition: MetadataResponsePartition) -> Partition {
    Partition {
        index: partition.partition_index,
        leader: node(partition.leader_id),
        leader_epoch: partition.leader_epoch,
        replicas: partition.replica_nodes,
        in_sync: partition.isr_nodes,
        offline: partition.offline_replicas,
    }
}

/// A broker's number, of which −1 stands for none.
fn node(id: i32) -> Option<i32> {
    (id >= 0).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response() -> MetadataResponse {
        let broker = |node_id, port| MetadataResponseBroker {
            node_id,
            host: "b".into(),
            port,
            ..MetadataResponseBroker::default()
        };
        let partition = |partition_index, leader_id| MetadataResponsePartition {
            partition_index,
            leader_id,
            ..MetadataResponsePartition::default()
        };
        let topic = |name: &str, error_code, partitions| MetadataResponseTopic {
            name: Some(name.into()),
            error_code,
            partitions,
            ..MetadataResponseTopic::default()
        };
        let partitions = vec![partition(1, -1), partition(0, 7)];
        MetadataResponse {
            brokers: vec![broker(7, 9092), broker(8, -1), broker(9, 65_536)],
            controller_id: -1,
            topics: vec![
                topic("a", ErrorCode::NONE, partitions),
                topic("b", ErrorCode::TOPIC_AUTHORIZATION_FAILED, Vec::new()),
                topic("c", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, Vec::new()),
                topic("e", ErrorCode::LEADER_NOT_AVAILABLE, Vec::new()),
                topic("f", ErrorCode::NONE, Vec::new()),
                topic("g", ErrorCode::LEADER_NOT_AVAILABLE, vec![partition(0, -1)]),
            ],
            ..MetadataResponse::default()
        }
    }

    #[test]
    fn partitions_are_found_by_number_whatever_their_order() {
        let mut image = ClusterImage::new(response());
        assert_eq!(image.controller_id, None);
        assert_eq!(image.brokers.keys().collect::<Vec<_>>(), [&7], "brokers with a port");
        let topic = image.take_topic("a").unwrap();
        assert_eq!(topic.leader(0).unwrap(), 7);
        assert!(matches!(topic.leader(1), Err(ClientError::NoLeader { partition: 1, .. })));
        for index in [-1, 2] {
            let error = topic.leader(index).unwrap_err();
            let found = matches!(error, ClientError::UnknownPartition { partition_count: 2, .. });
            assert!(found, "{error}");
        }
    }

    #[test]
    fn a_topic_that_is_not_told_of_has_its_reason() {
        let mut image = ClusterImage::new(response());
        let code = image.take_topic("b").unwrap_err().code();
        assert_eq!(code, Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
        for name in ["e", "f"] {
            let error = image.take_topic(name).unwrap_err();
            assert!(error.is_retriable(), "without a partition it isn't there yet: {error}");
        }
        assert_eq!(image.take_topic("g").unwrap().partitions.len(), 1);
        for name in ["c", "d"] {
            let error = image.take_topic(name).unwrap_err();
            assert!(matches!(error, ClientError::UnknownTopic { .. }), "{error}");
        }
    }
}
