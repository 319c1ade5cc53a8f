//! OffsetFetch and OffsetCommit.

use std::collections::BTreeMap;

use logboom_protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse,
};
use logboom_protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    OffsetFetchResponse, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
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
    /// The leader epoch of the last record that was read; −1 where nobody told (KIP-320).
    pub leader_epoch: i32,
    /// What the member has written down beside it.
    pub metadata: String,
}

/// What is to be committed for a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetToCommit {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The next record to read.
    pub offset: i64,
    /// The leader epoch of the last record that was read; −1 where it isn't known (KIP-320).
    pub leader_epoch: i32,
    /// What is written down beside it, up to `offset.metadata.max.bytes` of the broker.
    pub metadata: String,
}

impl From<&PartitionOffset> for OffsetToCommit {
    fn from(place: &PartitionOffset) -> Self {
        let PartitionOffset { topic, partition, offset } = place.clone();
        Self { topic, partition, offset, leader_epoch: NO_EPOCH, metadata: String::new() }
    }
}

/// Versions of OffsetFetch that ask for several groups, by the names of topics; the last before
/// them, which can wait for transactions as they can (KIP-447); and those before it.
const BATCHED: VersionRange = VersionRange { min: 8, max: 9 };
const STABLE: VersionRange = VersionRange { min: 7, max: 7 };
const SINGLE: VersionRange = VersionRange { min: 2, max: 6 };
/// Versions of OffsetCommit that name topics.
pub(super) const COMMIT_BY_NAME: VersionRange = VersionRange { min: 2, max: 9 };
/// The epoch of an offset that was committed without.
const NO_EPOCH: i32 = -1;
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

    /// What a group has committed for partitions of these topics; those without are left out. Where
    /// the broker can, it waits for transactions that are about to commit others.
    ///
    /// # Errors
    /// As [`Self::committed_offsets`].
    pub async fn committed_offsets_for(
        &self,
        group: &str,
        of: &[(&str, &[i32])],
    ) -> Result<Vec<CommittedOffset>, ClientError> {
        self.fetch_offsets(group, Some(of)).await
    }

    async fn fetch_offsets(
        &self,
        group: &str,
        of: Option<&[(&str, &[i32])]>,
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
        let offsets: Vec<OffsetToCommit> = offsets.iter().map(Into::into).collect();
        let member = Identity::default();
        let request = commit_request(group, &member, None, &offsets);
        let doing = format!("commit offsets for group {group}");
        let read = |address: &_, response| {
            offsets.iter().try_for_each(|one| committed(address, group, one, &response))
        };
        self.call_coordinator(group, doing, COMMIT_BY_NAME, &request, read).await
    }
}

fn batched(group: &str, of: Option<&[(&str, &[i32])]>, is_stable: bool) -> OffsetFetchRequest {
    let topic = |&(name, partitions): &(&str, &[i32])| OffsetFetchRequestTopics {
        name: name.into(),
        partition_indexes: partitions.to_vec(),
        ..OffsetFetchRequestTopics::default()
    };
    OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: group.into(),
            topics: of.map(|of| of.iter().map(topic).collect()),
            ..OffsetFetchRequestGroup::default()
        }],
        require_stable: is_stable,
        ..OffsetFetchRequest::default()
    }
}

fn single(group: &str, of: Option<&[(&str, &[i32])]>, is_stable: bool) -> OffsetFetchRequest {
    let topic = |&(name, partitions): &(&str, &[i32])| OffsetFetchRequestTopic {
        name: name.into(),
        partition_indexes: partitions.to_vec(),
    };
    OffsetFetchRequest {
        group_id: group.into(),
        topics: of.map(|of| of.iter().map(topic).collect()),
        require_stable: is_stable,
        ..OffsetFetchRequest::default()
    }
}

fn read(group: &str, response: OffsetFetchResponse) -> Result<Vec<CommittedOffset>, ClientError> {
    let check = |code| ClientError::check(code, None, || format!("group {group}"));
    check(response.error_code)?;
    let mut offsets = Vec::new();
    let mut take = |topic: &CompactString, one: Told| -> Result<(), ClientError> {
        let what = || format!("group {group}: partition {topic}-{}", one.partition);
        ClientError::check(one.code, None, what)?;
        if one.offset >= 0 {
            offsets.push(CommittedOffset {
                topic: topic.as_str().to_owned(),
                partition: one.partition,
                offset: one.offset,
                leader_epoch: one.leader_epoch,
                metadata: one.metadata.unwrap_or_default().into(),
            });
        }
        Ok(())
    };
    for topic in response.topics {
        topic.partitions.into_iter().try_for_each(|one| take(&topic.name, one.into()))?;
    }
    for answer in response.groups {
        check(answer.error_code)?;
        for topic in answer.topics {
            topic.partitions.into_iter().try_for_each(|one| take(&topic.name, one.into()))?;
        }
    }
    offsets.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
    Ok(offsets)
}

/// What an answer says of a partition, in whichever of its forms.
struct Told {
    partition: i32,
    offset: i64,
    leader_epoch: i32,
    metadata: Option<CompactString>,
    code: ErrorCode,
}

macro_rules! told_by {
    ($($form:ty)*) => {
        $(impl From<$form> for Told {
            fn from(one: $form) -> Self {
                Self {
                    partition: one.partition_index,
                    offset: one.committed_offset,
                    leader_epoch: one.committed_leader_epoch,
                    metadata: one.metadata,
                    code: one.error_code,
                }
            }
        })*
    };
}

told_by!(OffsetFetchResponsePartition OffsetFetchResponsePartitions);

/// As what somebody asks the coordinator of a group; the default is nobody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// Empty until the coordinator has given one.
    pub(super) id: String,
    /// −1 while it is no member.
    pub(super) generation: i32,
}

impl Default for Identity {
    fn default() -> Self {
        Self { id: String::new(), generation: NO_GENERATION }
    }
}

/// A request that commits offsets.
pub(super) fn commit_request<'a>(
    group: &str,
    member: &Identity,
    instance_id: Option<&str>,
    offsets: impl IntoIterator<Item = &'a OffsetToCommit>,
) -> OffsetCommitRequest {
    let mut topics = BTreeMap::<&str, Vec<OffsetCommitRequestPartition>>::new();
    for one in offsets {
        topics.entry(&one.topic).or_default().push(OffsetCommitRequestPartition {
            partition_index: one.partition,
            committed_offset: one.offset,
            committed_leader_epoch: one.leader_epoch,
            committed_metadata: Some(one.metadata.as_str().into()),
        });
    }
    let topic = |(name, partitions): (&str, _)| OffsetCommitRequestTopic {
        name: name.into(),
        partitions,
        ..OffsetCommitRequestTopic::default()
    };
    OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: member.generation,
        member_id: member.id.as_str().into(),
        group_instance_id: instance_id.map(Into::into),
        topics: topics.into_iter().map(topic).collect(),
        ..OffsetCommitRequest::default()
    }
}

/// What an answer says of an offset that was to be committed. An error of the group as a whole
/// stands at every partition.
pub(super) fn committed(
    address: &BrokerAddress,
    group: &str,
    offset: &OffsetToCommit,
    answer: &OffsetCommitResponse,
) -> Result<(), ClientError> {
    let OffsetToCommit { topic, partition, .. } = offset;
    let what = || format!("group {group}: partition {topic}-{partition}");
    let told = answer.topics.iter().filter(|told| told.name == topic.as_str());
    let mut told = told.flat_map(|told| &told.partitions);
    let told = told.find(|told| told.partition_index == *partition);
    let lacks = || ClientError::Unanswered { address: address.clone(), what: what() };
    ClientError::check(told.ok_or_else(lacks)?.error_code, None, what)
}
