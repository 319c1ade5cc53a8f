// Written by `cargo xtask generate` from protocol/schema; do not edit.

//! The APIs that we speak, with their numbers and versions.

use std::fmt;

use crate::VersionRange;

/// An API: what the first two bytes of a request header name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i16)]
pub enum ApiKey {
    /// Appends record batches to partitions.
    Produce = 0,
    /// Reads record batches from partitions, with or without a fetch session (KIP-227).
    Fetch = 1,
    /// Finds offsets by timestamp or by a special timestamp (earliest, latest, ...).
    ListOffsets = 2,
    /// Tells brokers, topics, partitions and leaders; may create missing topics.
    Metadata = 3,
    /// Commits consumer offsets of a group.
    OffsetCommit = 8,
    /// Reads committed offsets of one or several groups.
    OffsetFetch = 9,
    /// Finds the coordinator of a group or a transactional id.
    FindCoordinator = 10,
    /// Joins a classic group, or rejoins it.
    JoinGroup = 11,
    /// Keeps a member of a classic group alive.
    Heartbeat = 12,
    /// Leaves a classic group, one member or several.
    LeaveGroup = 13,
    /// Hands out, or asks for, the assignment of a generation of a classic group.
    SyncGroup = 14,
    /// Describes classic groups and their members.
    DescribeGroups = 15,
    /// Lists the groups that a broker coordinates.
    ListGroups = 16,
    /// Chooses the SASL mechanism.
    SaslHandshake = 17,
    /// Tells which APIs, versions and features a broker offers (KIP-511: response header v0).
    ApiVersions = 18,
    /// Creates topics.
    CreateTopics = 19,
    /// Deletes topics by name or id.
    DeleteTopics = 20,
    /// Moves the log start of partitions forward.
    DeleteRecords = 21,
    /// Hands out a producer id and epoch (KIP-98).
    InitProducerId = 22,
    /// Tells where a leader epoch ended (KIP-101, KIP-320).
    OffsetForLeaderEpoch = 23,
    /// Adds partitions to a transaction; from version 4 on between brokers.
    AddPartitionsToTxn = 24,
    /// Adds a group's offsets to a transaction.
    AddOffsetsToTxn = 25,
    /// Commits or aborts a transaction.
    EndTxn = 26,
    /// Writes transaction markers; sent by coordinators and by the abort call of admin clients.
    WriteTxnMarkers = 27,
    /// Commits offsets within a transaction.
    TxnOffsetCommit = 28,
    /// Lists access rules that match a filter.
    DescribeAcls = 29,
    /// Creates access rules.
    CreateAcls = 30,
    /// Deletes access rules that match filters.
    DeleteAcls = 31,
    /// Reads configurations of topics, brokers and other resources.
    DescribeConfigs = 32,
    /// Replaces the whole configuration of a resource.
    AlterConfigs = 33,
    /// Moves replicas between log directories.
    AlterReplicaLogDirs = 34,
    /// Tells sizes of replicas per log directory.
    DescribeLogDirs = 35,
    /// Carries SASL tokens.
    SaslAuthenticate = 36,
    /// Adds partitions to topics.
    CreatePartitions = 37,
    /// Deletes groups and their offsets.
    DeleteGroups = 42,
    /// Elects preferred or unclean leaders.
    ElectLeaders = 43,
    /// Changes single configuration keys (KIP-339).
    IncrementalAlterConfigs = 44,
    /// Starts or cancels the reassignment of partitions (KIP-455).
    AlterPartitionReassignments = 45,
    /// Lists reassignments under way (KIP-455).
    ListPartitionReassignments = 46,
    /// Deletes committed offsets of a group (KIP-496).
    OffsetDelete = 47,
    /// Reads client quotas (KIP-546).
    DescribeClientQuotas = 48,
    /// Changes client quotas (KIP-546).
    AlterClientQuotas = 49,
    /// Tells which SCRAM credentials exist (KIP-554).
    DescribeUserScramCredentials = 50,
    /// Changes SCRAM credentials (KIP-554).
    AlterUserScramCredentials = 51,
    /// Describes the quorum of the metadata log (KIP-595).
    DescribeQuorum = 55,
    /// Changes finalized feature levels (KIP-584).
    UpdateFeatures = 57,
    /// Describes the cluster's brokers and its controller (KIP-700).
    DescribeCluster = 60,
    /// Tells a partition's producer state (KIP-664).
    DescribeProducers = 61,
    /// Removes a broker's registration.
    UnregisterBroker = 64,
    /// Describes transactions (KIP-664).
    DescribeTransactions = 65,
    /// Lists transactions (KIP-664).
    ListTransactions = 66,
    /// Heartbeat of a consumer group member of the new protocol, with its assignment (KIP-848).
    ConsumerGroupHeartbeat = 68,
    /// Describes consumer groups of the new protocol (KIP-848).
    ConsumerGroupDescribe = 69,
    /// Asks which client metrics the cluster wants (KIP-714).
    GetTelemetrySubscriptions = 71,
    /// Pushes client metrics (KIP-714).
    PushTelemetry = 72,
    /// Lists resources that have a configuration of their own.
    ListConfigResources = 74,
    /// Describes topics page by page (KIP-966).
    DescribeTopicPartitions = 75,
    /// Adds a voter to the controller quorum (KIP-853).
    AddRaftVoter = 80,
    /// Removes a voter from the controller quorum (KIP-853).
    RemoveRaftVoter = 81,
    /// Removes a controller's registration.
    UnregisterController = 94,
}

impl ApiKey {
    /// All APIs, in the order of their numbers.
    pub const ALL: [Self; 60] = [
        Self::Produce,
        Self::Fetch,
        Self::ListOffsets,
        Self::Metadata,
        Self::OffsetCommit,
        Self::OffsetFetch,
        Self::FindCoordinator,
        Self::JoinGroup,
        Self::Heartbeat,
        Self::LeaveGroup,
        Self::SyncGroup,
        Self::DescribeGroups,
        Self::ListGroups,
        Self::SaslHandshake,
        Self::ApiVersions,
        Self::CreateTopics,
        Self::DeleteTopics,
        Self::DeleteRecords,
        Self::InitProducerId,
        Self::OffsetForLeaderEpoch,
        Self::AddPartitionsToTxn,
        Self::AddOffsetsToTxn,
        Self::EndTxn,
        Self::WriteTxnMarkers,
        Self::TxnOffsetCommit,
        Self::DescribeAcls,
        Self::CreateAcls,
        Self::DeleteAcls,
        Self::DescribeConfigs,
        Self::AlterConfigs,
        Self::AlterReplicaLogDirs,
        Self::DescribeLogDirs,
        Self::SaslAuthenticate,
        Self::CreatePartitions,
        Self::DeleteGroups,
        Self::ElectLeaders,
        Self::IncrementalAlterConfigs,
        Self::AlterPartitionReassignments,
        Self::ListPartitionReassignments,
        Self::OffsetDelete,
        Self::DescribeClientQuotas,
        Self::AlterClientQuotas,
        Self::DescribeUserScramCredentials,
        Self::AlterUserScramCredentials,
        Self::DescribeQuorum,
        Self::UpdateFeatures,
        Self::DescribeCluster,
        Self::DescribeProducers,
        Self::UnregisterBroker,
        Self::DescribeTransactions,
        Self::ListTransactions,
        Self::ConsumerGroupHeartbeat,
        Self::ConsumerGroupDescribe,
        Self::GetTelemetrySubscriptions,
        Self::PushTelemetry,
        Self::ListConfigResources,
        Self::DescribeTopicPartitions,
        Self::AddRaftVoter,
        Self::RemoveRaftVoter,
        Self::UnregisterController,
    ];

    /// The API with that number, if we speak it.
    #[must_use]
    pub const fn from_wire(key: i16) -> Option<Self> {
        Some(match key {
            0 => Self::Produce,
            1 => Self::Fetch,
            2 => Self::ListOffsets,
            3 => Self::Metadata,
            8 => Self::OffsetCommit,
            9 => Self::OffsetFetch,
            10 => Self::FindCoordinator,
            11 => Self::JoinGroup,
            12 => Self::Heartbeat,
            13 => Self::LeaveGroup,
            14 => Self::SyncGroup,
            15 => Self::DescribeGroups,
            16 => Self::ListGroups,
            17 => Self::SaslHandshake,
            18 => Self::ApiVersions,
            19 => Self::CreateTopics,
            20 => Self::DeleteTopics,
            21 => Self::DeleteRecords,
            22 => Self::InitProducerId,
            23 => Self::OffsetForLeaderEpoch,
            24 => Self::AddPartitionsToTxn,
            25 => Self::AddOffsetsToTxn,
            26 => Self::EndTxn,
            27 => Self::WriteTxnMarkers,
            28 => Self::TxnOffsetCommit,
            29 => Self::DescribeAcls,
            30 => Self::CreateAcls,
            31 => Self::DeleteAcls,
            32 => Self::DescribeConfigs,
            33 => Self::AlterConfigs,
            34 => Self::AlterReplicaLogDirs,
            35 => Self::DescribeLogDirs,
            36 => Self::SaslAuthenticate,
            37 => Self::CreatePartitions,
            42 => Self::DeleteGroups,
            43 => Self::ElectLeaders,
            44 => Self::IncrementalAlterConfigs,
            45 => Self::AlterPartitionReassignments,
            46 => Self::ListPartitionReassignments,
            47 => Self::OffsetDelete,
            48 => Self::DescribeClientQuotas,
            49 => Self::AlterClientQuotas,
            50 => Self::DescribeUserScramCredentials,
            51 => Self::AlterUserScramCredentials,
            55 => Self::DescribeQuorum,
            57 => Self::UpdateFeatures,
            60 => Self::DescribeCluster,
            61 => Self::DescribeProducers,
            64 => Self::UnregisterBroker,
            65 => Self::DescribeTransactions,
            66 => Self::ListTransactions,
            68 => Self::ConsumerGroupHeartbeat,
            69 => Self::ConsumerGroupDescribe,
            71 => Self::GetTelemetrySubscriptions,
            72 => Self::PushTelemetry,
            74 => Self::ListConfigResources,
            75 => Self::DescribeTopicPartitions,
            80 => Self::AddRaftVoter,
            81 => Self::RemoveRaftVoter,
            94 => Self::UnregisterController,
            _ => return None,
        })
    }

    /// The number in request headers.
    #[must_use]
    pub const fn to_wire(self) -> i16 {
        self as i16
    }

    /// Kafka's name of the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Produce => "Produce",
            Self::Fetch => "Fetch",
            Self::ListOffsets => "ListOffsets",
            Self::Metadata => "Metadata",
            Self::OffsetCommit => "OffsetCommit",
            Self::OffsetFetch => "OffsetFetch",
            Self::FindCoordinator => "FindCoordinator",
            Self::JoinGroup => "JoinGroup",
            Self::Heartbeat => "Heartbeat",
            Self::LeaveGroup => "LeaveGroup",
            Self::SyncGroup => "SyncGroup",
            Self::DescribeGroups => "DescribeGroups",
            Self::ListGroups => "ListGroups",
            Self::SaslHandshake => "SaslHandshake",
            Self::ApiVersions => "ApiVersions",
            Self::CreateTopics => "CreateTopics",
            Self::DeleteTopics => "DeleteTopics",
            Self::DeleteRecords => "DeleteRecords",
            Self::InitProducerId => "InitProducerId",
            Self::OffsetForLeaderEpoch => "OffsetForLeaderEpoch",
            Self::AddPartitionsToTxn => "AddPartitionsToTxn",
            Self::AddOffsetsToTxn => "AddOffsetsToTxn",
            Self::EndTxn => "EndTxn",
            Self::WriteTxnMarkers => "WriteTxnMarkers",
            Self::TxnOffsetCommit => "TxnOffsetCommit",
            Self::DescribeAcls => "DescribeAcls",
            Self::CreateAcls => "CreateAcls",
            Self::DeleteAcls => "DeleteAcls",
            Self::DescribeConfigs => "DescribeConfigs",
            Self::AlterConfigs => "AlterConfigs",
            Self::AlterReplicaLogDirs => "AlterReplicaLogDirs",
            Self::DescribeLogDirs => "DescribeLogDirs",
            Self::SaslAuthenticate => "SaslAuthenticate",
            Self::CreatePartitions => "CreatePartitions",
            Self::DeleteGroups => "DeleteGroups",
            Self::ElectLeaders => "ElectLeaders",
            Self::IncrementalAlterConfigs => "IncrementalAlterConfigs",
            Self::AlterPartitionReassignments => "AlterPartitionReassignments",
            Self::ListPartitionReassignments => "ListPartitionReassignments",
            Self::OffsetDelete => "OffsetDelete",
            Self::DescribeClientQuotas => "DescribeClientQuotas",
            Self::AlterClientQuotas => "AlterClientQuotas",
            Self::DescribeUserScramCredentials => "DescribeUserScramCredentials",
            Self::AlterUserScramCredentials => "AlterUserScramCredentials",
            Self::DescribeQuorum => "DescribeQuorum",
            Self::UpdateFeatures => "UpdateFeatures",
            Self::DescribeCluster => "DescribeCluster",
            Self::DescribeProducers => "DescribeProducers",
            Self::UnregisterBroker => "UnregisterBroker",
            Self::DescribeTransactions => "DescribeTransactions",
            Self::ListTransactions => "ListTransactions",
            Self::ConsumerGroupHeartbeat => "ConsumerGroupHeartbeat",
            Self::ConsumerGroupDescribe => "ConsumerGroupDescribe",
            Self::GetTelemetrySubscriptions => "GetTelemetrySubscriptions",
            Self::PushTelemetry => "PushTelemetry",
            Self::ListConfigResources => "ListConfigResources",
            Self::DescribeTopicPartitions => "DescribeTopicPartitions",
            Self::AddRaftVoter => "AddRaftVoter",
            Self::RemoveRaftVoter => "RemoveRaftVoter",
            Self::UnregisterController => "UnregisterController",
        }
    }

    /// The versions that we speak.
    #[must_use]
    pub const fn versions(self) -> VersionRange {
        let (min, max) = match self {
            Self::Produce => (3, 13),
            Self::Fetch => (4, 18),
            Self::ListOffsets => (1, 11),
            Self::Metadata => (0, 13),
            Self::OffsetCommit => (2, 10),
            Self::OffsetFetch => (1, 10),
            Self::FindCoordinator => (0, 6),
            Self::JoinGroup => (0, 9),
            Self::Heartbeat => (0, 4),
            Self::LeaveGroup => (0, 5),
            Self::SyncGroup => (0, 5),
            Self::DescribeGroups => (0, 6),
            Self::ListGroups => (0, 5),
            Self::SaslHandshake => (0, 1),
            Self::ApiVersions => (0, 5),
            Self::CreateTopics => (2, 7),
            Self::DeleteTopics => (1, 6),
            Self::DeleteRecords => (0, 2),
            Self::InitProducerId => (0, 5),
            Self::OffsetForLeaderEpoch => (2, 4),
            Self::AddPartitionsToTxn => (0, 5),
            Self::AddOffsetsToTxn => (0, 4),
            Self::EndTxn => (0, 5),
            Self::WriteTxnMarkers => (1, 2),
            Self::TxnOffsetCommit => (0, 6),
            Self::DescribeAcls => (1, 3),
            Self::CreateAcls => (1, 3),
            Self::DeleteAcls => (1, 3),
            Self::DescribeConfigs => (1, 4),
            Self::AlterConfigs => (0, 2),
            Self::AlterReplicaLogDirs => (1, 2),
            Self::DescribeLogDirs => (1, 5),
            Self::SaslAuthenticate => (0, 2),
            Self::CreatePartitions => (0, 3),
            Self::DeleteGroups => (0, 3),
            Self::ElectLeaders => (0, 2),
            Self::IncrementalAlterConfigs => (0, 1),
            Self::AlterPartitionReassignments => (0, 1),
            Self::ListPartitionReassignments => (0, 0),
            Self::OffsetDelete => (0, 0),
            Self::DescribeClientQuotas => (0, 1),
            Self::AlterClientQuotas => (0, 1),
            Self::DescribeUserScramCredentials => (0, 0),
            Self::AlterUserScramCredentials => (0, 0),
            Self::DescribeQuorum => (0, 2),
            Self::UpdateFeatures => (0, 2),
            Self::DescribeCluster => (0, 2),
            Self::DescribeProducers => (0, 0),
            Self::UnregisterBroker => (0, 0),
            Self::DescribeTransactions => (0, 0),
            Self::ListTransactions => (0, 2),
            Self::ConsumerGroupHeartbeat => (0, 1),
            Self::ConsumerGroupDescribe => (0, 1),
            Self::GetTelemetrySubscriptions => (0, 0),
            Self::PushTelemetry => (0, 0),
            Self::ListConfigResources => (0, 1),
            Self::DescribeTopicPartitions => (0, 0),
            Self::AddRaftVoter => (0, 1),
            Self::RemoveRaftVoter => (0, 0),
            Self::UnregisterController => (0, 0),
        };
        VersionRange { min, max }
    }

    /// The first flexible version (KIP-482), or `None` if there is none.
    #[must_use]
    pub const fn flexible_from(self) -> Option<i16> {
        Some(match self {
            Self::Produce => 9,
            Self::Fetch => 12,
            Self::ListOffsets => 6,
            Self::Metadata => 9,
            Self::OffsetCommit => 8,
            Self::OffsetFetch => 6,
            Self::FindCoordinator => 3,
            Self::JoinGroup => 6,
            Self::Heartbeat => 4,
            Self::LeaveGroup => 4,
            Self::SyncGroup => 4,
            Self::DescribeGroups => 5,
            Self::ListGroups => 3,
            Self::SaslHandshake => return None,
            Self::ApiVersions => 3,
            Self::CreateTopics => 5,
            Self::DeleteTopics => 4,
            Self::DeleteRecords => 2,
            Self::InitProducerId => 2,
            Self::OffsetForLeaderEpoch => 4,
            Self::AddPartitionsToTxn => 3,
            Self::AddOffsetsToTxn => 3,
            Self::EndTxn => 3,
            Self::WriteTxnMarkers => 1,
            Self::TxnOffsetCommit => 3,
            Self::DescribeAcls => 2,
            Self::CreateAcls => 2,
            Self::DeleteAcls => 2,
            Self::DescribeConfigs => 4,
            Self::AlterConfigs => 2,
            Self::AlterReplicaLogDirs => 2,
            Self::DescribeLogDirs => 2,
            Self::SaslAuthenticate => 2,
            Self::CreatePartitions => 2,
            Self::DeleteGroups => 2,
            Self::ElectLeaders => 2,
            Self::IncrementalAlterConfigs => 1,
            Self::AlterPartitionReassignments => 0,
            Self::ListPartitionReassignments => 0,
            Self::OffsetDelete => return None,
            Self::DescribeClientQuotas => 1,
            Self::AlterClientQuotas => 1,
            Self::DescribeUserScramCredentials => 0,
            Self::AlterUserScramCredentials => 0,
            Self::DescribeQuorum => 0,
            Self::UpdateFeatures => 0,
            Self::DescribeCluster => 0,
            Self::DescribeProducers => 0,
            Self::UnregisterBroker => 0,
            Self::DescribeTransactions => 0,
            Self::ListTransactions => 0,
            Self::ConsumerGroupHeartbeat => 0,
            Self::ConsumerGroupDescribe => 0,
            Self::GetTelemetrySubscriptions => 0,
            Self::PushTelemetry => 0,
            Self::ListConfigResources => 0,
            Self::DescribeTopicPartitions => 0,
            Self::AddRaftVoter => 0,
            Self::RemoveRaftVoter => 0,
            Self::UnregisterController => 0,
        })
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
