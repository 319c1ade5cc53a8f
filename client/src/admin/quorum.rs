//! The quorum that decides on the cluster's metadata.

use logboom_protocol::messages::describe_quorum::{
    DescribeQuorumRequest, DescribeQuorumResponse, ReplicaState, RequestPartitionData,
    RequestTopicData, ResponsePartitionData,
};

use super::only;
use crate::cluster::Target;
use crate::{BrokerAddress, ClientError, Cluster};

/// The topic of the metadata log.
const METADATA_TOPIC: &str = "__cluster_metadata";

/// What the leader of the metadata log says of its replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumDescription {
    /// Who leads it, if anybody does.
    pub leader_id: Option<i32>,
    /// The number of the leadership.
    pub leader_epoch: i32,
    /// Up to where it is committed, exclusive.
    pub high_watermark: i64,
    /// Those that vote.
    pub voters: Vec<QuorumReplica>,
    /// Those that follow and don't vote.
    pub observers: Vec<QuorumReplica>,
}

/// A replica of the metadata log. Times are milliseconds since 1970, by the leader's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumReplica {
    /// Its node's number.
    pub id: i32,
    /// Where its log ends, exclusive, where that is known.
    pub end_offset: Option<i64>,
    /// When it was last in contact, where that is told; the leader itself is at the time of the
    /// answer.
    pub last_contact_ms: Option<i64>,
    /// When it last had everything, where that is told.
    pub last_caught_up_ms: Option<i64>,
}

impl Cluster {
    /// Describes the quorum of the metadata log (KIP-595).
    ///
    /// # Errors
    /// NOT_LEADER_OR_FOLLOWER while it has no leader, another code, or why nobody can be asked:
    /// [`ClientError::UnsupportedVersion`] where brokers have no such quorum.
    pub async fn describe_quorum(&self) -> Result<QuorumDescription, ClientError> {
        let topic = RequestTopicData {
            topic_name: METADATA_TOPIC.into(),
            partitions: vec![RequestPartitionData::default()],
        };
        let request = DescribeQuorumRequest { topics: vec![topic] };
        let doing = "describe the quorum of the metadata".to_owned();
        self.call(Target::Any, doing, &request, QuorumDescription::read).await
    }
}

impl QuorumDescription {
    fn read(
        address: &BrokerAddress,
        response: DescribeQuorumResponse,
    ) -> Result<Self, ClientError> {
        let what = || "the quorum of the metadata".to_owned();
        let message = response.error_message.as_deref();
        ClientError::check(response.error_code, message, what)?;
        let topic = only(address, response.topics, what)?;
        let partition = only(address, topic.partitions, what)?;
        ClientError::check(partition.error_code, partition.error_message.as_deref(), what)?;
        let ResponsePartitionData { leader_id, leader_epoch, high_watermark, .. } = partition;
        let replicas = |states: Vec<ReplicaState>| states.iter().map(QuorumReplica::new).collect();
        Ok(Self {
            leader_id: Some(leader_id).filter(|&id| id >= 0),
            leader_epoch,
            high_watermark,
            voters: replicas(partition.current_voters),
            observers: replicas(partition.observers),
        })
    }
}

impl QuorumReplica {
    fn new(state: &ReplicaState) -> Self {
        let told = |number: i64| (number >= 0).then_some(number);
        Self {
            id: state.replica_id,
            end_offset: told(state.log_end_offset),
            last_contact_ms: told(state.last_fetch_timestamp),
            last_caught_up_ms: told(state.last_caught_up_timestamp),
        }
    }
}
