// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! All requests and responses, and enums over them.

pub mod add_offsets_to_txn;
pub mod add_partitions_to_txn;
pub mod add_raft_voter;
pub mod alter_client_quotas;
pub mod alter_configs;
pub mod alter_partition_reassignments;
pub mod alter_replica_log_dirs;
pub mod alter_user_scram_credentials;
pub mod api_versions;
pub mod consumer_group_describe;
pub mod consumer_group_heartbeat;
pub mod create_acls;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_acls;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_acls;
pub mod describe_client_quotas;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_quorum;
pub mod describe_topic_partitions;
pub mod describe_transactions;
pub mod describe_user_scram_credentials;
pub mod elect_leaders;
pub mod end_txn;
pub mod fetch;
pub mod find_coordinator;
pub mod get_telemetry_subscriptions;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod leave_group;
pub mod list_config_resources;
pub mod list_groups;
pub mod list_offsets;
pub mod list_partition_reassignments;
pub mod list_transactions;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;
pub mod push_telemetry;
pub mod remove_raft_voter;
pub mod sasl_authenticate;
pub mod sasl_handshake;
pub mod sync_group;
pub mod txn_offset_commit;
pub mod unregister_broker;
pub mod unregister_controller;
pub mod update_features;
pub mod write_txn_markers;

use bytes::{Bytes, BytesMut};

use crate::{ApiKey, DecodeError, EncodeError, Message as _};

/// Any request.
#[derive(Debug, Clone, PartialEq)]
pub enum RequestBody {
    /// [`produce::ProduceRequest`].
    Produce(produce::ProduceRequest),
    /// [`fetch::FetchRequest`].
    Fetch(fetch::FetchRequest),
    /// [`list_offsets::ListOffsetsRequest`].
    ListOffsets(list_offsets::ListOffsetsRequest),
    /// [`metadata::MetadataRequest`].
    Metadata(metadata::MetadataRequest),
    /// [`offset_commit::OffsetCommitRequest`].
    OffsetCommit(offset_commit::OffsetCommitRequest),
    /// [`offset_fetch::OffsetFetchRequest`].
    OffsetFetch(offset_fetch::OffsetFetchRequest),
    /// [`find_coordinator::FindCoordinatorRequest`].
    FindCoordinator(find_coordinator::FindCoordinatorRequest),
    /// [`join_group::JoinGroupRequest`].
    JoinGroup(join_group::JoinGroupRequest),
    /// [`heartbeat::HeartbeatRequest`].
    Heartbeat(heartbeat::HeartbeatRequest),
    /// [`leave_group::LeaveGroupRequest`].
    LeaveGroup(leave_group::LeaveGroupRequest),
    /// [`sync_group::SyncGroupRequest`].
    SyncGroup(sync_group::SyncGroupRequest),
    /// [`describe_groups::DescribeGroupsRequest`].
    DescribeGroups(describe_groups::DescribeGroupsRequest),
    /// [`list_groups::ListGroupsRequest`].
    ListGroups(list_groups::ListGroupsRequest),
    /// [`sasl_handshake::SaslHandshakeRequest`].
    SaslHandshake(sasl_handshake::SaslHandshakeRequest),
    /// [`api_versions::ApiVersionsRequest`].
    ApiVersions(api_versions::ApiVersionsRequest),
    /// [`create_topics::CreateTopicsRequest`].
    CreateTopics(create_topics::CreateTopicsRequest),
    /// [`delete_topics::DeleteTopicsRequest`].
    DeleteTopics(delete_topics::DeleteTopicsRequest),
    /// [`delete_records::DeleteRecordsRequest`].
    DeleteRecords(delete_records::DeleteRecordsRequest),
    /// [`init_producer_id::InitProducerIdRequest`].
    InitProducerId(init_producer_id::InitProducerIdRequest),
    /// [`offset_for_leader_epoch::OffsetForLeaderEpochRequest`].
    OffsetForLeaderEpoch(offset_for_leader_epoch::OffsetForLeaderEpochRequest),
    /// [`add_partitions_to_txn::AddPartitionsToTxnRequest`].
    AddPartitionsToTxn(add_partitions_to_txn::AddPartitionsToTxnRequest),
    /// [`add_offsets_to_txn::AddOffsetsToTxnRequest`].
    AddOffsetsToTxn(add_offsets_to_txn::AddOffsetsToTxnRequest),
    /// [`end_txn::EndTxnRequest`].
    EndTxn(end_txn::EndTxnRequest),
    /// [`write_txn_markers::WriteTxnMarkersRequest`].
    WriteTxnMarkers(write_txn_markers::WriteTxnMarkersRequest),
    /// [`txn_offset_commit::TxnOffsetCommitRequest`].
    TxnOffsetCommit(txn_offset_commit::TxnOffsetCommitRequest),
    /// [`describe_acls::DescribeAclsRequest`].
    DescribeAcls(describe_acls::DescribeAclsRequest),
    /// [`create_acls::CreateAclsRequest`].
    CreateAcls(create_acls::CreateAclsRequest),
    /// [`delete_acls::DeleteAclsRequest`].
    DeleteAcls(delete_acls::DeleteAclsRequest),
    /// [`describe_configs::DescribeConfigsRequest`].
    DescribeConfigs(describe_configs::DescribeConfigsRequest),
    /// [`alter_configs::AlterConfigsRequest`].
    AlterConfigs(alter_configs::AlterConfigsRequest),
    /// [`alter_replica_log_dirs::AlterReplicaLogDirsRequest`].
    AlterReplicaLogDirs(alter_replica_log_dirs::AlterReplicaLogDirsRequest),
    /// [`describe_log_dirs::DescribeLogDirsRequest`].
    DescribeLogDirs(describe_log_dirs::DescribeLogDirsRequest),
    /// [`sasl_authenticate::SaslAuthenticateRequest`].
    SaslAuthenticate(sasl_authenticate::SaslAuthenticateRequest),
    /// [`create_partitions::CreatePartitionsRequest`].
    CreatePartitions(create_partitions::CreatePartitionsRequest),
    /// [`delete_groups::DeleteGroupsRequest`].
    DeleteGroups(delete_groups::DeleteGroupsRequest),
    /// [`elect_leaders::ElectLeadersRequest`].
    ElectLeaders(elect_leaders::ElectLeadersRequest),
    /// [`incremental_alter_configs::IncrementalAlterConfigsRequest`].
    IncrementalAlterConfigs(incremental_alter_configs::IncrementalAlterConfigsRequest),
    /// [`alter_partition_reassignments::AlterPartitionReassignmentsRequest`].
    AlterPartitionReassignments(alter_partition_reassignments::AlterPartitionReassignmentsRequest),
    /// [`list_partition_reassignments::ListPartitionReassignmentsRequest`].
    ListPartitionReassignments(list_partition_reassignments::ListPartitionReassignmentsRequest),
    /// [`offset_delete::OffsetDeleteRequest`].
    OffsetDelete(offset_delete::OffsetDeleteRequest),
    /// [`describe_client_quotas::DescribeClientQuotasRequest`].
    DescribeClientQuotas(describe_client_quotas::DescribeClientQuotasRequest),
    /// [`alter_client_quotas::AlterClientQuotasRequest`].
    AlterClientQuotas(alter_client_quotas::AlterClientQuotasRequest),
    /// [`describe_user_scram_credentials::DescribeUserScramCredentialsRequest`].
    DescribeUserScramCredentials(
        describe_user_scram_credentials::DescribeUserScramCredentialsRequest,
    ),
    /// [`alter_user_scram_credentials::AlterUserScramCredentialsRequest`].
    AlterUserScramCredentials(alter_user_scram_credentials::AlterUserScramCredentialsRequest),
    /// [`describe_quorum::DescribeQuorumRequest`].
    DescribeQuorum(describe_quorum::DescribeQuorumRequest),
    /// [`update_features::UpdateFeaturesRequest`].
    UpdateFeatures(update_features::UpdateFeaturesRequest),
    /// [`describe_cluster::DescribeClusterRequest`].
    DescribeCluster(describe_cluster::DescribeClusterRequest),
    /// [`describe_producers::DescribeProducersRequest`].
    DescribeProducers(describe_producers::DescribeProducersRequest),
    /// [`unregister_broker::UnregisterBrokerRequest`].
    UnregisterBroker(unregister_broker::UnregisterBrokerRequest),
    /// [`describe_transactions::DescribeTransactionsRequest`].
    DescribeTransactions(describe_transactions::DescribeTransactionsRequest),
    /// [`list_transactions::ListTransactionsRequest`].
    ListTransactions(list_transactions::ListTransactionsRequest),
    /// [`consumer_group_heartbeat::ConsumerGroupHeartbeatRequest`].
    ConsumerGroupHeartbeat(consumer_group_heartbeat::ConsumerGroupHeartbeatRequest),
    /// [`consumer_group_describe::ConsumerGroupDescribeRequest`].
    ConsumerGroupDescribe(consumer_group_describe::ConsumerGroupDescribeRequest),
    /// [`get_telemetry_subscriptions::GetTelemetrySubscriptionsRequest`].
    GetTelemetrySubscriptions(get_telemetry_subscriptions::GetTelemetrySubscriptionsRequest),
    /// [`push_telemetry::PushTelemetryRequest`].
    PushTelemetry(push_telemetry::PushTelemetryRequest),
    /// [`list_config_resources::ListConfigResourcesRequest`].
    ListConfigResources(list_config_resources::ListConfigResourcesRequest),
    /// [`describe_topic_partitions::DescribeTopicPartitionsRequest`].
    DescribeTopicPartitions(describe_topic_partitions::DescribeTopicPartitionsRequest),
    /// [`add_raft_voter::AddRaftVoterRequest`].
    AddRaftVoter(add_raft_voter::AddRaftVoterRequest),
    /// [`remove_raft_voter::RemoveRaftVoterRequest`].
    RemoveRaftVoter(remove_raft_voter::RemoveRaftVoterRequest),
    /// [`unregister_controller::UnregisterControllerRequest`].
    UnregisterController(unregister_controller::UnregisterControllerRequest),
}

impl RequestBody {
    /// The API of this request.
    #[must_use]
    pub const fn api(&self) -> ApiKey {
        match self {
            Self::Produce(_) => ApiKey::Produce,
            Self::Fetch(_) => ApiKey::Fetch,
            Self::ListOffsets(_) => ApiKey::ListOffsets,
            Self::Metadata(_) => ApiKey::Metadata,
            Self::OffsetCommit(_) => ApiKey::OffsetCommit,
            Self::OffsetFetch(_) => ApiKey::OffsetFetch,
            Self::FindCoordinator(_) => ApiKey::FindCoordinator,
            Self::JoinGroup(_) => ApiKey::JoinGroup,
            Self::Heartbeat(_) => ApiKey::Heartbeat,
            Self::LeaveGroup(_) => ApiKey::LeaveGroup,
            Self::SyncGroup(_) => ApiKey::SyncGroup,
            Self::DescribeGroups(_) => ApiKey::DescribeGroups,
            Self::ListGroups(_) => ApiKey::ListGroups,
            Self::SaslHandshake(_) => ApiKey::SaslHandshake,
            Self::ApiVersions(_) => ApiKey::ApiVersions,
            Self::CreateTopics(_) => ApiKey::CreateTopics,
            Self::DeleteTopics(_) => ApiKey::DeleteTopics,
            Self::DeleteRecords(_) => ApiKey::DeleteRecords,
            Self::InitProducerId(_) => ApiKey::InitProducerId,
            Self::OffsetForLeaderEpoch(_) => ApiKey::OffsetForLeaderEpoch,
            Self::AddPartitionsToTxn(_) => ApiKey::AddPartitionsToTxn,
            Self::AddOffsetsToTxn(_) => ApiKey::AddOffsetsToTxn,
            Self::EndTxn(_) => ApiKey::EndTxn,
            Self::WriteTxnMarkers(_) => ApiKey::WriteTxnMarkers,
            Self::TxnOffsetCommit(_) => ApiKey::TxnOffsetCommit,
            Self::DescribeAcls(_) => ApiKey::DescribeAcls,
            Self::CreateAcls(_) => ApiKey::CreateAcls,
            Self::DeleteAcls(_) => ApiKey::DeleteAcls,
            Self::DescribeConfigs(_) => ApiKey::DescribeConfigs,
            Self::AlterConfigs(_) => ApiKey::AlterConfigs,
            Self::AlterReplicaLogDirs(_) => ApiKey::AlterReplicaLogDirs,
            Self::DescribeLogDirs(_) => ApiKey::DescribeLogDirs,
            Self::SaslAuthenticate(_) => ApiKey::SaslAuthenticate,
            Self::CreatePartitions(_) => ApiKey::CreatePartitions,
            Self::DeleteGroups(_) => ApiKey::DeleteGroups,
            Self::ElectLeaders(_) => ApiKey::ElectLeaders,
            Self::IncrementalAlterConfigs(_) => ApiKey::IncrementalAlterConfigs,
            Self::AlterPartitionReassignments(_) => ApiKey::AlterPartitionReassignments,
            Self::ListPartitionReassignments(_) => ApiKey::ListPartitionReassignments,
            Self::OffsetDelete(_) => ApiKey::OffsetDelete,
            Self::DescribeClientQuotas(_) => ApiKey::DescribeClientQuotas,
            Self::AlterClientQuotas(_) => ApiKey::AlterClientQuotas,
            Self::DescribeUserScramCredentials(_) => ApiKey::DescribeUserScramCredentials,
            Self::AlterUserScramCredentials(_) => ApiKey::AlterUserScramCredentials,
            Self::DescribeQuorum(_) => ApiKey::DescribeQuorum,
            Self::UpdateFeatures(_) => ApiKey::UpdateFeatures,
            Self::DescribeCluster(_) => ApiKey::DescribeCluster,
            Self::DescribeProducers(_) => ApiKey::DescribeProducers,
            Self::UnregisterBroker(_) => ApiKey::UnregisterBroker,
            Self::DescribeTransactions(_) => ApiKey::DescribeTransactions,
            Self::ListTransactions(_) => ApiKey::ListTransactions,
            Self::ConsumerGroupHeartbeat(_) => ApiKey::ConsumerGroupHeartbeat,
            Self::ConsumerGroupDescribe(_) => ApiKey::ConsumerGroupDescribe,
            Self::GetTelemetrySubscriptions(_) => ApiKey::GetTelemetrySubscriptions,
            Self::PushTelemetry(_) => ApiKey::PushTelemetry,
            Self::ListConfigResources(_) => ApiKey::ListConfigResources,
            Self::DescribeTopicPartitions(_) => ApiKey::DescribeTopicPartitions,
            Self::AddRaftVoter(_) => ApiKey::AddRaftVoter,
            Self::RemoveRaftVoter(_) => ApiKey::RemoveRaftVoter,
            Self::UnregisterController(_) => ApiKey::UnregisterController,
        }
    }

    /// Reads the request of `api` in `version` from a whole body.
    ///
    /// # Errors
    /// Any fault in the bytes, an unknown version included.
    #[expect(clippy::too_many_lines, reason = "a line an API")]
    pub fn decode(api: ApiKey, version: i16, body: &Bytes) -> Result<Self, DecodeError> {
        Ok(match api {
            ApiKey::Produce => Self::Produce(produce::ProduceRequest::decode(body, version)?),
            ApiKey::Fetch => Self::Fetch(fetch::FetchRequest::decode(body, version)?),
            ApiKey::ListOffsets => {
                Self::ListOffsets(list_offsets::ListOffsetsRequest::decode(body, version)?)
            }
            ApiKey::Metadata => Self::Metadata(metadata::MetadataRequest::decode(body, version)?),
            ApiKey::OffsetCommit => {
                Self::OffsetCommit(offset_commit::OffsetCommitRequest::decode(body, version)?)
            }
            ApiKey::OffsetFetch => {
                Self::OffsetFetch(offset_fetch::OffsetFetchRequest::decode(body, version)?)
            }
            ApiKey::FindCoordinator => Self::FindCoordinator(
                find_coordinator::FindCoordinatorRequest::decode(body, version)?,
            ),
            ApiKey::JoinGroup => {
                Self::JoinGroup(join_group::JoinGroupRequest::decode(body, version)?)
            }
            ApiKey::Heartbeat => {
                Self::Heartbeat(heartbeat::HeartbeatRequest::decode(body, version)?)
            }
            ApiKey::LeaveGroup => {
                Self::LeaveGroup(leave_group::LeaveGroupRequest::decode(body, version)?)
            }
            ApiKey::SyncGroup => {
                Self::SyncGroup(sync_group::SyncGroupRequest::decode(body, version)?)
            }
            ApiKey::DescribeGroups => {
                Self::DescribeGroups(describe_groups::DescribeGroupsRequest::decode(body, version)?)
            }
            ApiKey::ListGroups => {
                Self::ListGroups(list_groups::ListGroupsRequest::decode(body, version)?)
            }
            ApiKey::SaslHandshake => {
                Self::SaslHandshake(sasl_handshake::SaslHandshakeRequest::decode(body, version)?)
            }
            ApiKey::ApiVersions => {
                Self::ApiVersions(api_versions::ApiVersionsRequest::decode(body, version)?)
            }
            ApiKey::CreateTopics => {
                Self::CreateTopics(create_topics::CreateTopicsRequest::decode(body, version)?)
            }
            ApiKey::DeleteTopics => {
                Self::DeleteTopics(delete_topics::DeleteTopicsRequest::decode(body, version)?)
            }
            ApiKey::DeleteRecords => {
                Self::DeleteRecords(delete_records::DeleteRecordsRequest::decode(body, version)?)
            }
            ApiKey::InitProducerId => Self::InitProducerId(
                init_producer_id::InitProducerIdRequest::decode(body, version)?,
            ),
            ApiKey::OffsetForLeaderEpoch => Self::OffsetForLeaderEpoch(
                offset_for_leader_epoch::OffsetForLeaderEpochRequest::decode(body, version)?,
            ),
            ApiKey::AddPartitionsToTxn => Self::AddPartitionsToTxn(
                add_partitions_to_txn::AddPartitionsToTxnRequest::decode(body, version)?,
            ),
            ApiKey::AddOffsetsToTxn => Self::AddOffsetsToTxn(
                add_offsets_to_txn::AddOffsetsToTxnRequest::decode(body, version)?,
            ),
            ApiKey::EndTxn => Self::EndTxn(end_txn::EndTxnRequest::decode(body, version)?),
            ApiKey::WriteTxnMarkers => Self::WriteTxnMarkers(
                write_txn_markers::WriteTxnMarkersRequest::decode(body, version)?,
            ),
            ApiKey::TxnOffsetCommit => Self::TxnOffsetCommit(
                txn_offset_commit::TxnOffsetCommitRequest::decode(body, version)?,
            ),
            ApiKey::DescribeAcls => {
                Self::DescribeAcls(describe_acls::DescribeAclsRequest::decode(body, version)?)
            }
            ApiKey::CreateAcls => {
                Self::CreateAcls(create_acls::CreateAclsRequest::decode(body, version)?)
            }
            ApiKey::DeleteAcls => {
                Self::DeleteAcls(delete_acls::DeleteAclsRequest::decode(body, version)?)
            }
            ApiKey::DescribeConfigs => Self::DescribeConfigs(
                describe_configs::DescribeConfigsRequest::decode(body, version)?,
            ),
            ApiKey::AlterConfigs => {
                Self::AlterConfigs(alter_configs::AlterConfigsRequest::decode(body, version)?)
            }
            ApiKey::AlterReplicaLogDirs => Self::AlterReplicaLogDirs(
                alter_replica_log_dirs::AlterReplicaLogDirsRequest::decode(body, version)?,
            ),
            ApiKey::DescribeLogDirs => Self::DescribeLogDirs(
                describe_log_dirs::DescribeLogDirsRequest::decode(body, version)?,
            ),
            ApiKey::SaslAuthenticate => Self::SaslAuthenticate(
                sasl_authenticate::SaslAuthenticateRequest::decode(body, version)?,
            ),
            ApiKey::CreatePartitions => Self::CreatePartitions(
                create_partitions::CreatePartitionsRequest::decode(body, version)?,
            ),
            ApiKey::DeleteGroups => {
                Self::DeleteGroups(delete_groups::DeleteGroupsRequest::decode(body, version)?)
            }
            ApiKey::ElectLeaders => {
                Self::ElectLeaders(elect_leaders::ElectLeadersRequest::decode(body, version)?)
            }
            ApiKey::IncrementalAlterConfigs => Self::IncrementalAlterConfigs(
                incremental_alter_configs::IncrementalAlterConfigsRequest::decode(body, version)?,
            ),
            ApiKey::AlterPartitionReassignments => Self::AlterPartitionReassignments(
                alter_partition_reassignments::AlterPartitionReassignmentsRequest::decode(
                    body, version,
                )?,
            ),
            ApiKey::ListPartitionReassignments => Self::ListPartitionReassignments(
                list_partition_reassignments::ListPartitionReassignmentsRequest::decode(
                    body, version,
                )?,
            ),
            ApiKey::OffsetDelete => {
                Self::OffsetDelete(offset_delete::OffsetDeleteRequest::decode(body, version)?)
            }
            ApiKey::DescribeClientQuotas => Self::DescribeClientQuotas(
                describe_client_quotas::DescribeClientQuotasRequest::decode(body, version)?,
            ),
            ApiKey::AlterClientQuotas => Self::AlterClientQuotas(
                alter_client_quotas::AlterClientQuotasRequest::decode(body, version)?,
            ),
            ApiKey::DescribeUserScramCredentials => Self::DescribeUserScramCredentials(
                describe_user_scram_credentials::DescribeUserScramCredentialsRequest::decode(
                    body, version,
                )?,
            ),
            ApiKey::AlterUserScramCredentials => Self::AlterUserScramCredentials(
                alter_user_scram_credentials::AlterUserScramCredentialsRequest::decode(
                    body, version,
                )?,
            ),
            ApiKey::DescribeQuorum => {
                Self::DescribeQuorum(describe_quorum::DescribeQuorumRequest::decode(body, version)?)
            }
            ApiKey::UpdateFeatures => {
                Self::UpdateFeatures(update_features::UpdateFeaturesRequest::decode(body, version)?)
            }
            ApiKey::DescribeCluster => Self::DescribeCluster(
                describe_cluster::DescribeClusterRequest::decode(body, version)?,
            ),
            ApiKey::DescribeProducers => Self::DescribeProducers(
                describe_producers::DescribeProducersRequest::decode(body, version)?,
            ),
            ApiKey::UnregisterBroker => Self::UnregisterBroker(
                unregister_broker::UnregisterBrokerRequest::decode(body, version)?,
            ),
            ApiKey::DescribeTransactions => Self::DescribeTransactions(
                describe_transactions::DescribeTransactionsRequest::decode(body, version)?,
            ),
            ApiKey::ListTransactions => Self::ListTransactions(
                list_transactions::ListTransactionsRequest::decode(body, version)?,
            ),
            ApiKey::ConsumerGroupHeartbeat => Self::ConsumerGroupHeartbeat(
                consumer_group_heartbeat::ConsumerGroupHeartbeatRequest::decode(body, version)?,
            ),
            ApiKey::ConsumerGroupDescribe => Self::ConsumerGroupDescribe(
                consumer_group_describe::ConsumerGroupDescribeRequest::decode(body, version)?,
            ),
            ApiKey::GetTelemetrySubscriptions => Self::GetTelemetrySubscriptions(
                get_telemetry_subscriptions::GetTelemetrySubscriptionsRequest::decode(
                    body, version,
                )?,
            ),
            ApiKey::PushTelemetry => {
                Self::PushTelemetry(push_telemetry::PushTelemetryRequest::decode(body, version)?)
            }
            ApiKey::ListConfigResources => Self::ListConfigResources(
                list_config_resources::ListConfigResourcesRequest::decode(body, version)?,
            ),
            ApiKey::DescribeTopicPartitions => Self::DescribeTopicPartitions(
                describe_topic_partitions::DescribeTopicPartitionsRequest::decode(body, version)?,
            ),
            ApiKey::AddRaftVoter => {
                Self::AddRaftVoter(add_raft_voter::AddRaftVoterRequest::decode(body, version)?)
            }
            ApiKey::RemoveRaftVoter => Self::RemoveRaftVoter(
                remove_raft_voter::RemoveRaftVoterRequest::decode(body, version)?,
            ),
            ApiKey::UnregisterController => Self::UnregisterController(
                unregister_controller::UnregisterControllerRequest::decode(body, version)?,
            ),
        })
    }

    /// Appends the body in `version` to `out`.
    ///
    /// # Errors
    /// The field whose value `version` cannot carry.
    pub fn encode(&self, out: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        match self {
            Self::Produce(body) => body.encode(out, version),
            Self::Fetch(body) => body.encode(out, version),
            Self::ListOffsets(body) => body.encode(out, version),
            Self::Metadata(body) => body.encode(out, version),
            Self::OffsetCommit(body) => body.encode(out, version),
            Self::OffsetFetch(body) => body.encode(out, version),
            Self::FindCoordinator(body) => body.encode(out, version),
            Self::JoinGroup(body) => body.encode(out, version),
            Self::Heartbeat(body) => body.encode(out, version),
            Self::LeaveGroup(body) => body.encode(out, version),
            Self::SyncGroup(body) => body.encode(out, version),
            Self::DescribeGroups(body) => body.encode(out, version),
            Self::ListGroups(body) => body.encode(out, version),
            Self::SaslHandshake(body) => body.encode(out, version),
            Self::ApiVersions(body) => body.encode(out, version),
            Self::CreateTopics(body) => body.encode(out, version),
            Self::DeleteTopics(body) => body.encode(out, version),
            Self::DeleteRecords(body) => body.encode(out, version),
            Self::InitProducerId(body) => body.encode(out, version),
            Self::OffsetForLeaderEpoch(body) => body.encode(out, version),
            Self::AddPartitionsToTxn(body) => body.encode(out, version),
            Self::AddOffsetsToTxn(body) => body.encode(out, version),
            Self::EndTxn(body) => body.encode(out, version),
            Self::WriteTxnMarkers(body) => body.encode(out, version),
            Self::TxnOffsetCommit(body) => body.encode(out, version),
            Self::DescribeAcls(body) => body.encode(out, version),
            Self::CreateAcls(body) => body.encode(out, version),
            Self::DeleteAcls(body) => body.encode(out, version),
            Self::DescribeConfigs(body) => body.encode(out, version),
            Self::AlterConfigs(body) => body.encode(out, version),
            Self::AlterReplicaLogDirs(body) => body.encode(out, version),
            Self::DescribeLogDirs(body) => body.encode(out, version),
            Self::SaslAuthenticate(body) => body.encode(out, version),
            Self::CreatePartitions(body) => body.encode(out, version),
            Self::DeleteGroups(body) => body.encode(out, version),
            Self::ElectLeaders(body) => body.encode(out, version),
            Self::IncrementalAlterConfigs(body) => body.encode(out, version),
            Self::AlterPartitionReassignments(body) => body.encode(out, version),
            Self::ListPartitionReassignments(body) => body.encode(out, version),
            Self::OffsetDelete(body) => body.encode(out, version),
            Self::DescribeClientQuotas(body) => body.encode(out, version),
            Self::AlterClientQuotas(body) => body.encode(out, version),
            Self::DescribeUserScramCredentials(body) => body.encode(out, version),
            Self::AlterUserScramCredentials(body) => body.encode(out, version),
            Self::DescribeQuorum(body) => body.encode(out, version),
            Self::UpdateFeatures(body) => body.encode(out, version),
            Self::DescribeCluster(body) => body.encode(out, version),
            Self::DescribeProducers(body) => body.encode(out, version),
            Self::UnregisterBroker(body) => body.encode(out, version),
            Self::DescribeTransactions(body) => body.encode(out, version),
            Self::ListTransactions(body) => body.encode(out, version),
            Self::ConsumerGroupHeartbeat(body) => body.encode(out, version),
            Self::ConsumerGroupDescribe(body) => body.encode(out, version),
            Self::GetTelemetrySubscriptions(body) => body.encode(out, version),
            Self::PushTelemetry(body) => body.encode(out, version),
            Self::ListConfigResources(body) => body.encode(out, version),
            Self::DescribeTopicPartitions(body) => body.encode(out, version),
            Self::AddRaftVoter(body) => body.encode(out, version),
            Self::RemoveRaftVoter(body) => body.encode(out, version),
            Self::UnregisterController(body) => body.encode(out, version),
        }
    }
}

/// Any response.
#[derive(Debug, Clone, PartialEq)]
pub enum ResponseBody {
    /// [`produce::ProduceResponse`].
    Produce(produce::ProduceResponse),
    /// [`fetch::FetchResponse`].
    Fetch(fetch::FetchResponse),
    /// [`list_offsets::ListOffsetsResponse`].
    ListOffsets(list_offsets::ListOffsetsResponse),
    /// [`metadata::MetadataResponse`].
    Metadata(metadata::MetadataResponse),
    /// [`offset_commit::OffsetCommitResponse`].
    OffsetCommit(offset_commit::OffsetCommitResponse),
    /// [`offset_fetch::OffsetFetchResponse`].
    OffsetFetch(offset_fetch::OffsetFetchResponse),
    /// [`find_coordinator::FindCoordinatorResponse`].
    FindCoordinator(find_coordinator::FindCoordinatorResponse),
    /// [`join_group::JoinGroupResponse`].
    JoinGroup(join_group::JoinGroupResponse),
    /// [`heartbeat::HeartbeatResponse`].
    Heartbeat(heartbeat::HeartbeatResponse),
    /// [`leave_group::LeaveGroupResponse`].
    LeaveGroup(leave_group::LeaveGroupResponse),
    /// [`sync_group::SyncGroupResponse`].
    SyncGroup(sync_group::SyncGroupResponse),
    /// [`describe_groups::DescribeGroupsResponse`].
    DescribeGroups(describe_groups::DescribeGroupsResponse),
    /// [`list_groups::ListGroupsResponse`].
    ListGroups(list_groups::ListGroupsResponse),
    /// [`sasl_handshake::SaslHandshakeResponse`].
    SaslHandshake(sasl_handshake::SaslHandshakeResponse),
    /// [`api_versions::ApiVersionsResponse`].
    ApiVersions(api_versions::ApiVersionsResponse),
    /// [`create_topics::CreateTopicsResponse`].
    CreateTopics(create_topics::CreateTopicsResponse),
    /// [`delete_topics::DeleteTopicsResponse`].
    DeleteTopics(delete_topics::DeleteTopicsResponse),
    /// [`delete_records::DeleteRecordsResponse`].
    DeleteRecords(delete_records::DeleteRecordsResponse),
    /// [`init_producer_id::InitProducerIdResponse`].
    InitProducerId(init_producer_id::InitProducerIdResponse),
    /// [`offset_for_leader_epoch::OffsetForLeaderEpochResponse`].
    OffsetForLeaderEpoch(offset_for_leader_epoch::OffsetForLeaderEpochResponse),
    /// [`add_partitions_to_txn::AddPartitionsToTxnResponse`].
    AddPartitionsToTxn(add_partitions_to_txn::AddPartitionsToTxnResponse),
    /// [`add_offsets_to_txn::AddOffsetsToTxnResponse`].
    AddOffsetsToTxn(add_offsets_to_txn::AddOffsetsToTxnResponse),
    /// [`end_txn::EndTxnResponse`].
    EndTxn(end_txn::EndTxnResponse),
    /// [`write_txn_markers::WriteTxnMarkersResponse`].
    WriteTxnMarkers(write_txn_markers::WriteTxnMarkersResponse),
    /// [`txn_offset_commit::TxnOffsetCommitResponse`].
    TxnOffsetCommit(txn_offset_commit::TxnOffsetCommitResponse),
    /// [`describe_acls::DescribeAclsResponse`].
    DescribeAcls(describe_acls::DescribeAclsResponse),
    /// [`create_acls::CreateAclsResponse`].
    CreateAcls(create_acls::CreateAclsResponse),
    /// [`delete_acls::DeleteAclsResponse`].
    DeleteAcls(delete_acls::DeleteAclsResponse),
    /// [`describe_configs::DescribeConfigsResponse`].
    DescribeConfigs(describe_configs::DescribeConfigsResponse),
    /// [`alter_configs::AlterConfigsResponse`].
    AlterConfigs(alter_configs::AlterConfigsResponse),
    /// [`alter_replica_log_dirs::AlterReplicaLogDirsResponse`].
    AlterReplicaLogDirs(alter_replica_log_dirs::AlterReplicaLogDirsResponse),
    /// [`describe_log_dirs::DescribeLogDirsResponse`].
    DescribeLogDirs(describe_log_dirs::DescribeLogDirsResponse),
    /// [`sasl_authenticate::SaslAuthenticateResponse`].
    SaslAuthenticate(sasl_authenticate::SaslAuthenticateResponse),
    /// [`create_partitions::CreatePartitionsResponse`].
    CreatePartitions(create_partitions::CreatePartitionsResponse),
    /// [`delete_groups::DeleteGroupsResponse`].
    DeleteGroups(delete_groups::DeleteGroupsResponse),
    /// [`elect_leaders::ElectLeadersResponse`].
    ElectLeaders(elect_leaders::ElectLeadersResponse),
    /// [`incremental_alter_configs::IncrementalAlterConfigsResponse`].
    IncrementalAlterConfigs(incremental_alter_configs::IncrementalAlterConfigsResponse),
    /// [`alter_partition_reassignments::AlterPartitionReassignmentsResponse`].
    AlterPartitionReassignments(alter_partition_reassignments::AlterPartitionReassignmentsResponse),
    /// [`list_partition_reassignments::ListPartitionReassignmentsResponse`].
    ListPartitionReassignments(list_partition_reassignments::ListPartitionReassignmentsResponse),
    /// [`offset_delete::OffsetDeleteResponse`].
    OffsetDelete(offset_delete::OffsetDeleteResponse),
    /// [`describe_client_quotas::DescribeClientQuotasResponse`].
    DescribeClientQuotas(describe_client_quotas::DescribeClientQuotasResponse),
    /// [`alter_client_quotas::AlterClientQuotasResponse`].
    AlterClientQuotas(alter_client_quotas::AlterClientQuotasResponse),
    /// [`describe_user_scram_credentials::DescribeUserScramCredentialsResponse`].
    DescribeUserScramCredentials(
        describe_user_scram_credentials::DescribeUserScramCredentialsResponse,
    ),
    /// [`alter_user_scram_credentials::AlterUserScramCredentialsResponse`].
    AlterUserScramCredentials(alter_user_scram_credentials::AlterUserScramCredentialsResponse),
    /// [`describe_quorum::DescribeQuorumResponse`].
    DescribeQuorum(describe_quorum::DescribeQuorumResponse),
    /// [`update_features::UpdateFeaturesResponse`].
    UpdateFeatures(update_features::UpdateFeaturesResponse),
    /// [`describe_cluster::DescribeClusterResponse`].
    DescribeCluster(describe_cluster::DescribeClusterResponse),
    /// [`describe_producers::DescribeProducersResponse`].
    DescribeProducers(describe_producers::DescribeProducersResponse),
    /// [`unregister_broker::UnregisterBrokerResponse`].
    UnregisterBroker(unregister_broker::UnregisterBrokerResponse),
    /// [`describe_transactions::DescribeTransactionsResponse`].
    DescribeTransactions(describe_transactions::DescribeTransactionsResponse),
    /// [`list_transactions::ListTransactionsResponse`].
    ListTransactions(list_transactions::ListTransactionsResponse),
    /// [`consumer_group_heartbeat::ConsumerGroupHeartbeatResponse`].
    ConsumerGroupHeartbeat(consumer_group_heartbeat::ConsumerGroupHeartbeatResponse),
    /// [`consumer_group_describe::ConsumerGroupDescribeResponse`].
    ConsumerGroupDescribe(consumer_group_describe::ConsumerGroupDescribeResponse),
    /// [`get_telemetry_subscriptions::GetTelemetrySubscriptionsResponse`].
    GetTelemetrySubscriptions(get_telemetry_subscriptions::GetTelemetrySubscriptionsResponse),
    /// [`push_telemetry::PushTelemetryResponse`].
    PushTelemetry(push_telemetry::PushTelemetryResponse),
    /// [`list_config_resources::ListConfigResourcesResponse`].
    ListConfigResources(list_config_resources::ListConfigResourcesResponse),
    /// [`describe_topic_partitions::DescribeTopicPartitionsResponse`].
    DescribeTopicPartitions(describe_topic_partitions::DescribeTopicPartitionsResponse),
    /// [`add_raft_voter::AddRaftVoterResponse`].
    AddRaftVoter(add_raft_voter::AddRaftVoterResponse),
    /// [`remove_raft_voter::RemoveRaftVoterResponse`].
    RemoveRaftVoter(remove_raft_voter::RemoveRaftVoterResponse),
    /// [`unregister_controller::UnregisterControllerResponse`].
    UnregisterController(unregister_controller::UnregisterControllerResponse),
}

impl ResponseBody {
    /// The API of this response.
    #[must_use]
    pub const fn api(&self) -> ApiKey {
        match self {
            Self::Produce(_) => ApiKey::Produce,
            Self::Fetch(_) => ApiKey::Fetch,
            Self::ListOffsets(_) => ApiKey::ListOffsets,
            Self::Metadata(_) => ApiKey::Metadata,
            Self::OffsetCommit(_) => ApiKey::OffsetCommit,
            Self::OffsetFetch(_) => ApiKey::OffsetFetch,
            Self::FindCoordinator(_) => ApiKey::FindCoordinator,
            Self::JoinGroup(_) => ApiKey::JoinGroup,
            Self::Heartbeat(_) => ApiKey::Heartbeat,
            Self::LeaveGroup(_) => ApiKey::LeaveGroup,
            Self::SyncGroup(_) => ApiKey::SyncGroup,
            Self::DescribeGroups(_) => ApiKey::DescribeGroups,
            Self::ListGroups(_) => ApiKey::ListGroups,
            Self::SaslHandshake(_) => ApiKey::SaslHandshake,
            Self::ApiVersions(_) => ApiKey::ApiVersions,
            Self::CreateTopics(_) => ApiKey::CreateTopics,
            Self::DeleteTopics(_) => ApiKey::DeleteTopics,
            Self::DeleteRecords(_) => ApiKey::DeleteRecords,
            Self::InitProducerId(_) => ApiKey::InitProducerId,
            Self::OffsetForLeaderEpoch(_) => ApiKey::OffsetForLeaderEpoch,
            Self::AddPartitionsToTxn(_) => ApiKey::AddPartitionsToTxn,
            Self::AddOffsetsToTxn(_) => ApiKey::AddOffsetsToTxn,
            Self::EndTxn(_) => ApiKey::EndTxn,
            Self::WriteTxnMarkers(_) => ApiKey::WriteTxnMarkers,
            Self::TxnOffsetCommit(_) => ApiKey::TxnOffsetCommit,
            Self::DescribeAcls(_) => ApiKey::DescribeAcls,
            Self::CreateAcls(_) => ApiKey::CreateAcls,
            Self::DeleteAcls(_) => ApiKey::DeleteAcls,
            Self::DescribeConfigs(_) => ApiKey::DescribeConfigs,
            Self::AlterConfigs(_) => ApiKey::AlterConfigs,
            Self::AlterReplicaLogDirs(_) => ApiKey::AlterReplicaLogDirs,
            Self::DescribeLogDirs(_) => ApiKey::DescribeLogDirs,
            Self::SaslAuthenticate(_) => ApiKey::SaslAuthenticate,
            Self::CreatePartitions(_) => ApiKey::CreatePartitions,
            Self::DeleteGroups(_) => ApiKey::DeleteGroups,
            Self::ElectLeaders(_) => ApiKey::ElectLeaders,
            Self::IncrementalAlterConfigs(_) => ApiKey::IncrementalAlterConfigs,
            Self::AlterPartitionReassignments(_) => ApiKey::AlterPartitionReassignments,
            Self::ListPartitionReassignments(_) => ApiKey::ListPartitionReassignments,
            Self::OffsetDelete(_) => ApiKey::OffsetDelete,
            Self::DescribeClientQuotas(_) => ApiKey::DescribeClientQuotas,
            Self::AlterClientQuotas(_) => ApiKey::AlterClientQuotas,
            Self::DescribeUserScramCredentials(_) => ApiKey::DescribeUserScramCredentials,
            Self::AlterUserScramCredentials(_) => ApiKey::AlterUserScramCredentials,
            Self::DescribeQuorum(_) => ApiKey::DescribeQuorum,
            Self::UpdateFeatures(_) => ApiKey::UpdateFeatures,
            Self::DescribeCluster(_) => ApiKey::DescribeCluster,
            Self::DescribeProducers(_) => ApiKey::DescribeProducers,
            Self::UnregisterBroker(_) => ApiKey::UnregisterBroker,
            Self::DescribeTransactions(_) => ApiKey::DescribeTransactions,
            Self::ListTransactions(_) => ApiKey::ListTransactions,
            Self::ConsumerGroupHeartbeat(_) => ApiKey::ConsumerGroupHeartbeat,
            Self::ConsumerGroupDescribe(_) => ApiKey::ConsumerGroupDescribe,
            Self::GetTelemetrySubscriptions(_) => ApiKey::GetTelemetrySubscriptions,
            Self::PushTelemetry(_) => ApiKey::PushTelemetry,
            Self::ListConfigResources(_) => ApiKey::ListConfigResources,
            Self::DescribeTopicPartitions(_) => ApiKey::DescribeTopicPartitions,
            Self::AddRaftVoter(_) => ApiKey::AddRaftVoter,
            Self::RemoveRaftVoter(_) => ApiKey::RemoveRaftVoter,
            Self::UnregisterController(_) => ApiKey::UnregisterController,
        }
    }

    /// Reads the response of `api` in `version` from a whole body.
    ///
    /// # Errors
    /// Any fault in the bytes, an unknown version included.
    #[expect(clippy::too_many_lines, reason = "a line an API")]
    pub fn decode(api: ApiKey, version: i16, body: &Bytes) -> Result<Self, DecodeError> {
        Ok(match api {
            ApiKey::Produce => Self::Produce(produce::ProduceResponse::decode(body, version)?),
            ApiKey::Fetch => Self::Fetch(fetch::FetchResponse::decode(body, version)?),
            ApiKey::ListOffsets => {
                Self::ListOffsets(list_offsets::ListOffsetsResponse::decode(body, version)?)
            }
            ApiKey::Metadata => Self::Metadata(metadata::MetadataResponse::decode(body, version)?),
            ApiKey::OffsetCommit => {
                Self::OffsetCommit(offset_commit::OffsetCommitResponse::decode(body, version)?)
            }
            ApiKey::OffsetFetch => {
                Self::OffsetFetch(offset_fetch::OffsetFetchResponse::decode(body, version)?)
            }
            ApiKey::FindCoordinator => Self::FindCoordinator(
                find_coordinator::FindCoordinatorResponse::decode(body, version)?,
            ),
            ApiKey::JoinGroup => {
                Self::JoinGroup(join_group::JoinGroupResponse::decode(body, version)?)
            }
            ApiKey::Heartbeat => {
                Self::Heartbeat(heartbeat::HeartbeatResponse::decode(body, version)?)
            }
            ApiKey::LeaveGroup => {
                Self::LeaveGroup(leave_group::LeaveGroupResponse::decode(body, version)?)
            }
            ApiKey::SyncGroup => {
                Self::SyncGroup(sync_group::SyncGroupResponse::decode(body, version)?)
            }
            ApiKey::DescribeGroups => Self::DescribeGroups(
                describe_groups::DescribeGroupsResponse::decode(body, version)?,
            ),
            ApiKey::ListGroups => {
                Self::ListGroups(list_groups::ListGroupsResponse::decode(body, version)?)
            }
            ApiKey::SaslHandshake => {
                Self::SaslHandshake(sasl_handshake::SaslHandshakeResponse::decode(body, version)?)
            }
            ApiKey::ApiVersions => {
                Self::ApiVersions(api_versions::ApiVersionsResponse::decode(body, version)?)
            }
            ApiKey::CreateTopics => {
                Self::CreateTopics(create_topics::CreateTopicsResponse::decode(body, version)?)
            }
            ApiKey::DeleteTopics => {
                Self::DeleteTopics(delete_topics::DeleteTopicsResponse::decode(body, version)?)
            }
            ApiKey::DeleteRecords => {
                Self::DeleteRecords(delete_records::DeleteRecordsResponse::decode(body, version)?)
            }
            ApiKey::InitProducerId => Self::InitProducerId(
                init_producer_id::InitProducerIdResponse::decode(body, version)?,
            ),
            ApiKey::OffsetForLeaderEpoch => Self::OffsetForLeaderEpoch(
                offset_for_leader_epoch::OffsetForLeaderEpochResponse::decode(body, version)?,
            ),
            ApiKey::AddPartitionsToTxn => Self::AddPartitionsToTxn(
                add_partitions_to_txn::AddPartitionsToTxnResponse::decode(body, version)?,
            ),
            ApiKey::AddOffsetsToTxn => Self::AddOffsetsToTxn(
                add_offsets_to_txn::AddOffsetsToTxnResponse::decode(body, version)?,
            ),
            ApiKey::EndTxn => Self::EndTxn(end_txn::EndTxnResponse::decode(body, version)?),
            ApiKey::WriteTxnMarkers => Self::WriteTxnMarkers(
                write_txn_markers::WriteTxnMarkersResponse::decode(body, version)?,
            ),
            ApiKey::TxnOffsetCommit => Self::TxnOffsetCommit(
                txn_offset_commit::TxnOffsetCommitResponse::decode(body, version)?,
            ),
            ApiKey::DescribeAcls => {
                Self::DescribeAcls(describe_acls::DescribeAclsResponse::decode(body, version)?)
            }
            ApiKey::CreateAcls => {
                Self::CreateAcls(create_acls::CreateAclsResponse::decode(body, version)?)
            }
            ApiKey::DeleteAcls => {
                Self::DeleteAcls(delete_acls::DeleteAclsResponse::decode(body, version)?)
            }
            ApiKey::DescribeConfigs => Self::DescribeConfigs(
                describe_configs::DescribeConfigsResponse::decode(body, version)?,
            ),
            ApiKey::AlterConfigs => {
                Self::AlterConfigs(alter_configs::AlterConfigsResponse::decode(body, version)?)
            }
            ApiKey::AlterReplicaLogDirs => Self::AlterReplicaLogDirs(
                alter_replica_log_dirs::AlterReplicaLogDirsResponse::decode(body, version)?,
            ),
            ApiKey::DescribeLogDirs => Self::DescribeLogDirs(
                describe_log_dirs::DescribeLogDirsResponse::decode(body, version)?,
            ),
            ApiKey::SaslAuthenticate => Self::SaslAuthenticate(
                sasl_authenticate::SaslAuthenticateResponse::decode(body, version)?,
            ),
            ApiKey::CreatePartitions => Self::CreatePartitions(
                create_partitions::CreatePartitionsResponse::decode(body, version)?,
            ),
            ApiKey::DeleteGroups => {
                Self::DeleteGroups(delete_groups::DeleteGroupsResponse::decode(body, version)?)
            }
            ApiKey::ElectLeaders => {
                Self::ElectLeaders(elect_leaders::ElectLeadersResponse::decode(body, version)?)
            }
            ApiKey::IncrementalAlterConfigs => Self::IncrementalAlterConfigs(
                incremental_alter_configs::IncrementalAlterConfigsResponse::decode(body, version)?,
            ),
            ApiKey::AlterPartitionReassignments => Self::AlterPartitionReassignments(
                alter_partition_reassignments::AlterPartitionReassignmentsResponse::decode(
                    body, version,
                )?,
            ),
            ApiKey::ListPartitionReassignments => Self::ListPartitionReassignments(
                list_partition_reassignments::ListPartitionReassignmentsResponse::decode(
                    body, version,
                )?,
            ),
            ApiKey::OffsetDelete => {
                Self::OffsetDelete(offset_delete::OffsetDeleteResponse::decode(body, version)?)
            }
            ApiKey::DescribeClientQuotas => Self::DescribeClientQuotas(
                describe_client_quotas::DescribeClientQuotasResponse::decode(body, version)?,
            ),
            ApiKey::AlterClientQuotas => Self::AlterClientQuotas(
                alter_client_quotas::AlterClientQuotasResponse::decode(body, version)?,
            ),
            ApiKey::DescribeUserScramCredentials => Self::DescribeUserScramCredentials(
                describe_user_scram_credentials::DescribeUserScramCredentialsResponse::decode(
                    body, version,
                )?,
            ),
            ApiKey::AlterUserScramCredentials => Self::AlterUserScramCredentials(
                alter_user_scram_credentials::AlterUserScramCredentialsResponse::decode(
                    body, version,
                )?,
            ),
            ApiKey::DescribeQuorum => Self::DescribeQuorum(
                describe_quorum::DescribeQuorumResponse::decode(body, version)?,
            ),
            ApiKey::UpdateFeatures => Self::UpdateFeatures(
                update_features::UpdateFeaturesResponse::decode(body, version)?,
            ),
            ApiKey::DescribeCluster => Self::DescribeCluster(
                describe_cluster::DescribeClusterResponse::decode(body, version)?,
            ),
            ApiKey::DescribeProducers => Self::DescribeProducers(
                describe_producers::DescribeProducersResponse::decode(body, version)?,
            ),
            ApiKey::UnregisterBroker => Self::UnregisterBroker(
                unregister_broker::UnregisterBrokerResponse::decode(body, version)?,
            ),
            ApiKey::DescribeTransactions => Self::DescribeTransactions(
                describe_transactions::DescribeTransactionsResponse::decode(body, version)?,
            ),
            ApiKey::ListTransactions => Self::ListTransactions(
                list_transactions::ListTransactionsResponse::decode(body, version)?,
            ),
            ApiKey::ConsumerGroupHeartbeat => Self::ConsumerGroupHeartbeat(
                consumer_group_heartbeat::ConsumerGroupHeartbeatResponse::decode(body, version)?,
            ),
            ApiKey::ConsumerGroupDescribe => Self::ConsumerGroupDescribe(
                consumer_group_describe::ConsumerGroupDescribeResponse::decode(body, version)?,
            ),
            ApiKey::GetTelemetrySubscriptions => Self::GetTelemetrySubscriptions(
                get_telemetry_subscriptions::GetTelemetrySubscriptionsResponse::decode(
                    body, version,
                )?,
            ),
            ApiKey::PushTelemetry => {
                Self::PushTelemetry(push_telemetry::PushTelemetryResponse::decode(body, version)?)
            }
            ApiKey::ListConfigResources => Self::ListConfigResources(
                list_config_resources::ListConfigResourcesResponse::decode(body, version)?,
            ),
            ApiKey::DescribeTopicPartitions => Self::DescribeTopicPartitions(
                describe_topic_partitions::DescribeTopicPartitionsResponse::decode(body, version)?,
            ),
            ApiKey::AddRaftVoter => {
                Self::AddRaftVoter(add_raft_voter::AddRaftVoterResponse::decode(body, version)?)
            }
            ApiKey::RemoveRaftVoter => Self::RemoveRaftVoter(
                remove_raft_voter::RemoveRaftVoterResponse::decode(body, version)?,
            ),
            ApiKey::UnregisterController => Self::UnregisterController(
                unregister_controller::UnregisterControllerResponse::decode(body, version)?,
            ),
        })
    }

    /// Appends the body in `version` to `out`.
    ///
    /// # Errors
    /// The field whose value `version` cannot carry.
    pub fn encode(&self, out: &mut BytesMut, version: i16) -> Result<(), EncodeError> {
        match self {
            Self::Produce(body) => body.encode(out, version),
            Self::Fetch(body) => body.encode(out, version),
            Self::ListOffsets(body) => body.encode(out, version),
            Self::Metadata(body) => body.encode(out, version),
            Self::OffsetCommit(body) => body.encode(out, version),
            Self::OffsetFetch(body) => body.encode(out, version),
            Self::FindCoordinator(body) => body.encode(out, version),
            Self::JoinGroup(body) => body.encode(out, version),
            Self::Heartbeat(body) => body.encode(out, version),
            Self::LeaveGroup(body) => body.encode(out, version),
            Self::SyncGroup(body) => body.encode(out, version),
            Self::DescribeGroups(body) => body.encode(out, version),
            Self::ListGroups(body) => body.encode(out, version),
            Self::SaslHandshake(body) => body.encode(out, version),
            Self::ApiVersions(body) => body.encode(out, version),
            Self::CreateTopics(body) => body.encode(out, version),
            Self::DeleteTopics(body) => body.encode(out, version),
            Self::DeleteRecords(body) => body.encode(out, version),
            Self::InitProducerId(body) => body.encode(out, version),
            Self::OffsetForLeaderEpoch(body) => body.encode(out, version),
            Self::AddPartitionsToTxn(body) => body.encode(out, version),
            Self::AddOffsetsToTxn(body) => body.encode(out, version),
            Self::EndTxn(body) => body.encode(out, version),
            Self::WriteTxnMarkers(body) => body.encode(out, version),
            Self::TxnOffsetCommit(body) => body.encode(out, version),
            Self::DescribeAcls(body) => body.encode(out, version),
            Self::CreateAcls(body) => body.encode(out, version),
            Self::DeleteAcls(body) => body.encode(out, version),
            Self::DescribeConfigs(body) => body.encode(out, version),
            Self::AlterConfigs(body) => body.encode(out, version),
            Self::AlterReplicaLogDirs(body) => body.encode(out, version),
            Self::DescribeLogDirs(body) => body.encode(out, version),
            Self::SaslAuthenticate(body) => body.encode(out, version),
            Self::CreatePartitions(body) => body.encode(out, version),
            Self::DeleteGroups(body) => body.encode(out, version),
            Self::ElectLeaders(body) => body.encode(out, version),
            Self::IncrementalAlterConfigs(body) => body.encode(out, version),
            Self::AlterPartitionReassignments(body) => body.encode(out, version),
            Self::ListPartitionReassignments(body) => body.encode(out, version),
            Self::OffsetDelete(body) => body.encode(out, version),
            Self::DescribeClientQuotas(body) => body.encode(out, version),
            Self::AlterClientQuotas(body) => body.encode(out, version),
            Self::DescribeUserScramCredentials(body) => body.encode(out, version),
            Self::AlterUserScramCredentials(body) => body.encode(out, version),
            Self::DescribeQuorum(body) => body.encode(out, version),
            Self::UpdateFeatures(body) => body.encode(out, version),
            Self::DescribeCluster(body) => body.encode(out, version),
            Self::DescribeProducers(body) => body.encode(out, version),
            Self::UnregisterBroker(body) => body.encode(out, version),
            Self::DescribeTransactions(body) => body.encode(out, version),
            Self::ListTransactions(body) => body.encode(out, version),
            Self::ConsumerGroupHeartbeat(body) => body.encode(out, version),
            Self::ConsumerGroupDescribe(body) => body.encode(out, version),
            Self::GetTelemetrySubscriptions(body) => body.encode(out, version),
            Self::PushTelemetry(body) => body.encode(out, version),
            Self::ListConfigResources(body) => body.encode(out, version),
            Self::DescribeTopicPartitions(body) => body.encode(out, version),
            Self::AddRaftVoter(body) => body.encode(out, version),
            Self::RemoveRaftVoter(body) => body.encode(out, version),
            Self::UnregisterController(body) => body.encode(out, version),
        }
    }
}
