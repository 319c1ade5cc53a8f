//! OffsetFetch and OffsetCommit.

use std::collections::BTreeMap;

use logboom_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse,
};
use logboom_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    OffsetFetchResponse,
};
use logboom_protocol::{CompactString, ErrorCode, VersionRange};

use crate::{BrokerAddress, ClientError, Cluster};

/// A place in a partition of some topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartitionOffset {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The next record to read.
    pub offset: i64,
}

/// What a group has committed for a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The next record to read.
    pub offset: i64,
    /// What the member has written down beside it.
    pub metadata: String,
}

/// Versions of OffsetFetch that ask for several groups, by the names of topics; the last before
/// them, which can wait for transactions as they can (KIP-447); and those before it.
const BATCHED: VersionRange = VersionRange { min: 8, max: 9 };
const STABLE: VersionRange = VersionRange { min: 7, max: 7 };
const SINGLE: VersionRange = VersionRange { min: 2, max: 6 };
/// Versions of OffsetCommit that name topics.
pub(super) const COMMIT_BY_NAME: VersionRange = VersionRange { min: 2, max: 9 };
/// The generation of who is no member.
const NO_GENERATION: i32 = -1;

impl Cluster {
    /// All that a group has committed, by topic and partition. A group that isn't there has
    /// committed nothing.
    ///
    /// # Errors
    /// A code of its coordinator, or why that can't be asked.
    pub async fn committed_offsets(
        &self,
        group: &str,
    ) -> Result<Vec<CommittedOffset>, ClientError> {
        self.fetch_offsets(group, None).await
    }

    /// What a group has committed for partitions of a topic; those without are left out. Where the
    /// broker can, it waits for transactions that are about to commit others.
    ///
    /// # Errors
    /// As [`Self::committed_offsets`].
    pub async fn committed_offsets_of(
        &self,
        group: &str,
        topic: &str,
        partitions: &[i32],
    ) -> Result<Vec<CommittedOffset>, ClientError> {
        self.fetch_offsets(group, Some((topic, partitions))).await
    }

    async fn fetch_offsets(
        &self,
        group: &str,
        of: Option<(&str, &[i32])>,
    ) -> Result<Vec<CommittedOffset>, ClientError> {
        let doing = || format!("fetch the offsets of group {group}");
        let is_stable = of.is_some();
        let read = |_: &_, response| read(group, response);
        let request = batched(group, of, is_stable);
        let mut result = self.call_coordinator(group, doing(), BATCHED, &request, read).await;
        for (versions, is_stable) in [(STABLE, is_stable), (SINGLE, false)] {
            if !matches!(result, Err(ClientError::UnsupportedVersion { .. })) {
                break;
            }
            let request = single(group, of, is_stable);
            result = self.call_coordinator(group, doing(), versions, &request, read).await;
        }
        result
    }

    /// Commits offsets for a group that has no members.
    ///
    /// # Errors
    /// UNKNOWN_MEMBER_ID where it has, the code of the first partition that wasn't committed, while
    /// others may have been; or why its coordinator can't be asked.
    pub async fn commit_offsets(
        &self,
        group: &str,
        offsets: &[PartitionOffset],
    ) -> Result<(), ClientError> {
        let request = commit_request(group, "", NO_GENERATION, offsets);
        let doing = format!("commit offsets for group {group}");
        let read = |address: &_, response| check_committed(address, &request, &response);
        self.call_coordinator(group, doing, COMMIT_BY_NAME, &request, read).await
    }
}

fn batched(group: &str, of: Option<(&str, &[i32])>, is_stable: bool) -> OffsetFetchRequest {
    let topic = |(name, partitions): (&str, &[i32])| OffsetFetchRequestTopics {
        name: name.into(),
        partition_indexes: partitions.to_vec(),
        ..OffsetFetchRequestTopics::default()
    };
    OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: group.into(),
            topics: of.map(|of| vec![topic(of)]),
            ..OffsetFetchRequestGroup::default()
        }],
        require_stable: is_stable,
        ..OffsetFetchRequest::default()
    }
}

fn single(group: &str, of: Option<(&str, &[i32])>, is_stable: bool) -> OffsetFetchRequest {
    let topic = |(name, partitions): (&str, &[i32])| OffsetFetchRequestTopic {
        name: name.into(),
        partition_indexes: partitions.to_vec(),
    };
    OffsetFetchRequest {
        group_id: group.into(),
        topics: of.map(|of| vec![topic(of)]),
        require_stable: is_stable,
        ..OffsetFetchRequest::default()
    }
}

fn read(group: &str, response: OffsetFetchResponse) -> Result<Vec<CommittedOffset>, ClientError> {
    let check = |code| ClientError::check(code, None, || format!("group {group}"));
    check(response.error_code)?;
    let mut told: Vec<(CompactString, i32, i64, Option<CompactString>, ErrorCode)> = Vec::new();
    for topic in response.topics {
        told.extend(topic.partitions.into_iter().map(|one| {
            let (index, offset) = (one.partition_index, one.committed_offset);
            (topic.name.clone(), index, offset, one.metadata, one.error_code)
        }));
    }
    for answer in response.groups {
        check(answer.error_code)?;
        for topic in answer.topics {
            told.extend(topic.partitions.into_iter().map(|one| {
                let (index, offset) = (one.partition_index, one.committed_offset);
                (topic.name.clone(), index, offset, one.metadata, one.error_code)
            }));
        }
    }
    let mut offsets = Vec::with_capacity(told.len());
    for (topic, partition, offset, metadata, code) in told {
        let what = || format!("group {group}: partition {topic}-{partition}");
        ClientError::check(code, None, what)?;
        if offset >= 0 {
            let (topic, metadata) = (topic.into(), metadata.unwrap_or_default().into());
            offsets.push(CommittedOffset { topic, partition, offset, metadata });
        }
    }
    offsets.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    Ok(offsets)
}

/// A request that commits offsets; `member_id` is empty and `generation` −1 for who is no member.
pub(super) fn commit_request(
    group: &str,
    member_id: &str,
    generation: i32,
    offsets: &[PartitionOffset],
) -> OffsetCommitRequest {
    let mut topics = BTreeMap::<&str, Vec<OffsetCommitRequestPartition>>::new();
    for one in offsets {
        topics.entry(&one.topic).or_default().push(OffsetCommitRequestPartition {
            partition_index: one.partition,
            committed_offset: one.offset,
            committed_metadata: Some(CompactString::default()),
            ..OffsetCommitRequestPartition::default()
        });
    }
    let topic = |(name, partitions): (&str, _)| OffsetCommitRequestTopic {
        name: name.into(),
        partitions,
        ..OffsetCommitRequestTopic::default()
    };
    OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: generation,
        member_id: member_id.into(),
        topics: topics.into_iter().map(topic).collect(),
        ..OffsetCommitRequest::default()
    }
}

/// Whether an answer tells of all that was to be committed, and its first error. One of the group
/// as a whole stands at every partition.
pub(super) fn check_committed(
    address: &BrokerAddress,
    request: &OffsetCommitRequest,
    response: &OffsetCommitResponse,
) -> Result<(), ClientError> {
    for topic in &request.topics {
        let told = response.topics.iter().filter(|told| told.name == topic.name);
        let told: Vec<_> = told.flat_map(|told| &told.partitions).collect();
        for one in &topic.partitions {
            let (group, name, partition) = (&request.group_id, &topic.name, one.partition_index);
            let what = || format!("group {group}: partition {name}-{partition}");
            let told = told.iter().find(|told| told.partition_index == partition);
            let lacks = || ClientError::Unanswered { address: address.clone(), what: what() };
            ClientError::check(told.ok_or_else(lacks)?.error_code, None, what)?;
        }
    }
    Ok(())
}
