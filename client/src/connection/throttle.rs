//! Brokers that want less say in an answer for how long nothing more is to be sent (KIP-219).
//!
//! Must always hold: a connection is silent for no longer than an answer may take, whatever a
//! broker says.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use logboom_protocol::ApiKey;

use super::told;

/// Until when nothing is sent.
#[derive(Debug)]
pub(super) struct Silence {
    until: Mutex<Option<Instant>>,
    longest: Duration,
}

impl Silence {
    /// - `longest`: it never lasts for more.
    pub(super) fn new(longest: Duration) -> Self {
        Self { until: Mutex::default(), longest }
    }

    /// The broker has said that it wants to hear nothing for so long.
    pub(super) fn begin(&self, api: ApiKey, version: i16, throttle_time_ms: i32) {
        let Ok(millis @ 1..) = u64::try_from(throttle_time_ms) else { return };
        if first_to_wait(api).is_none_or(|first| version < first) {
            // The broker has waited itself before it answered.
            return;
        }
        let time = Duration::from_millis(millis).min(self.longest);
        told::throttled(api, time);
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        *until = (*until).max(Some(Instant::now() + time));
    }

    /// Until when it lasts, if it does.
    pub(super) fn until(&self) -> Option<Instant> {
        // A change of it is one assignment, so a panic elsewhere leaves it sound.
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.filter(|until| *until > Instant::now())
    }
}

/// The first version in whose answers a throttle time is for the client to wait; before that one
/// the broker has waited already. `None`: such an answer never says so.
///
/// Source: KIP-219, and `shouldClientThrottle` of Kafka's own client, 4.1.0.
fn first_to_wait(api: ApiKey) -> Option<i16> {
    Some(match api {
        ApiKey::Fetch => 8,
        ApiKey::Metadata | ApiKey::Produce => 6,
        ApiKey::OffsetCommit | ApiKey::OffsetFetch => 4,
        ApiKey::CreateTopics | ApiKey::JoinGroup | ApiKey::ListOffsets => 3,
        ApiKey::ApiVersions
        | ApiKey::DeleteTopics
        | ApiKey::DescribeConfigs
        | ApiKey::DescribeGroups
        | ApiKey::FindCoordinator
        | ApiKey::Heartbeat
        | ApiKey::LeaveGroup
        | ApiKey::ListGroups
        | ApiKey::SyncGroup => 2,
        ApiKey::AddOffsetsToTxn
        | ApiKey::AddPartitionsToTxn
        | ApiKey::AlterConfigs
        | ApiKey::AlterReplicaLogDirs
        | ApiKey::CreateAcls
        | ApiKey::CreatePartitions
        | ApiKey::DeleteAcls
        | ApiKey::DeleteGroups
        | ApiKey::DeleteRecords
        | ApiKey::DescribeAcls
        | ApiKey::DescribeLogDirs
        | ApiKey::EndTxn
        | ApiKey::InitProducerId
        | ApiKey::TxnOffsetCommit => 1,
        ApiKey::AlterPartitionReassignments
        | ApiKey::AlterUserScramCredentials
        | ApiKey::DescribeTopicPartitions
        | ApiKey::DescribeUserScramCredentials
        | ApiKey::ElectLeaders
        | ApiKey::IncrementalAlterConfigs
        | ApiKey::ListPartitionReassignments
        | ApiKey::OffsetDelete
        | ApiKey::UnregisterBroker => 0,
        _ => return None,
    })
}
