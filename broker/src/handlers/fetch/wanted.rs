//! What a fetch asks for.

use std::sync::Arc;

use logboom_protocol::CompactString;
use logboom_protocol::hot::TopicRef;
use logboom_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use logboom_protocol::units::Uuid;

/// The version from which on topics are named by their ids (KIP-516).
pub(super) const BY_ID_FROM: i16 = 13;

/// A topic, as the request names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum TopicName {
    Name(CompactString),
    Id(Uuid),
}

impl TopicName {
    /// A topic as it stands in a request of `version`.
    pub(super) fn new(version: i16, name: CompactString, id: Uuid) -> Self {
        if version < BY_ID_FROM { Self::Name(name) } else { Self::Id(id) }
    }

    pub(super) fn to_ref(&self) -> TopicRef<'_> {
        match self {
            Self::Name(name) => TopicRef::Name(name),
            Self::Id(id) => TopicRef::Id(*id),
        }
    }
}

/// What is asked for of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) topic: Arc<TopicName>,
    pub(super) partition: i32,
    /// The first record that is wanted, inclusive.
    pub(super) offset: i64,
    /// About the most bytes of records.
    pub(super) bytes_max: u32,
    /// The epoch of the leader that the client believes in, or −1.
    pub(super) current_leader_epoch: i32,
    /// The epoch of the last record that the client has, or −1.
    pub(super) last_fetched_epoch: i32,
}

impl Wanted {
    fn new(topic: &Arc<TopicName>, asked: &FetchPartition) -> Self {
        Self {
            topic: Arc::clone(topic),
            partition: asked.partition,
            offset: asked.fetch_offset,
            bytes_max: u32::try_from(asked.partition_max_bytes).unwrap_or(0),
            // As in the reference, all that is negative means that the client doesn't say.
            current_leader_epoch: asked.current_leader_epoch.max(-1),
            last_fetched_epoch: asked.last_fetched_epoch,
        }
    }

    /// Takes the partitions out of a request of `version`, in its order.
    pub(super) fn take(request: &mut FetchRequest, version: i16) -> Vec<Self> {
        let mut all = Vec::with_capacity(request.topics.iter().map(|t| t.partitions.len()).sum());
        for FetchTopic { topic, topic_id, partitions } in std::mem::take(&mut request.topics) {
            let topic = Arc::new(TopicName::new(version, topic, topic_id));
            all.extend(partitions.iter().map(|asked| Self::new(&topic, asked)));
        }
        all
    }
}
