//! Committed offsets of a group, and those of transactions that are open.

use alloc::collections::BTreeMap;

use logboom_protocol::CompactString;

use crate::coordinator::Coordinator;
use crate::record::CommittedOffset;

/// What an offset takes beside its metadata.
const OFFSET_BYTES: usize = 128;
/// What a topic takes beside its name.
const TOPIC_BYTES: usize = 128;

/// An offset with its place among all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredOffset {
    /// What was committed.
    pub(crate) value: CommittedOffset,
    /// Grows with each record of an offset: what a transaction committed counts only where nothing
    /// newer was committed without one.
    pub(crate) order: u64,
}

/// The offsets of a group, by topic and partition.
#[derive(Debug, Default)]
pub(crate) struct GroupOffsets {
    topics: BTreeMap<CompactString, BTreeMap<i32, StoredOffset>>,
    /// Bytes of the group's name, which is in each record of an offset.
    name_bytes: usize,
    /// Invariant: what they take.
    bytes: usize,
}

impl GroupOffsets {
    /// Those of a group that has none.
    pub(crate) fn of_group(name: &str) -> Self {
        Self { name_bytes: name.len(), ..Self::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// Memory that they take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Memory that an offset takes, and its topic if it is the first one there.
    pub(crate) fn growth(&self, topic: &str, partition: i32, metadata_bytes: usize) -> usize {
        match self.topics.get(topic) {
            None => TOPIC_BYTES + topic.len() + self.offset_bytes() + metadata_bytes,
            Some(partitions) if partitions.contains_key(&partition) => metadata_bytes,
            Some(_) => self.offset_bytes() + metadata_bytes,
        }
    }

    /// What an offset takes beside its metadata: when it goes, its record has the group's name.
    fn offset_bytes(&self) -> usize {
        OFFSET_BYTES + self.name_bytes
    }

    pub(crate) fn get(&self, topic: &str, partition: i32) -> Option<&StoredOffset> {
        self.topics.get(topic)?.get(&partition)
    }

    /// All of them.
    pub(crate) fn topics(
        &self,
    ) -> impl Iterator<Item = (&CompactString, &BTreeMap<i32, StoredOffset>)> {
        self.topics.iter()
    }

    /// All of them, one by one.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&CompactString, i32, &StoredOffset)> {
        self.topics.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(move |(partition, stored)| (topic, *partition, stored))
        })
    }

    pub(crate) fn put(&mut self, topic: &CompactString, partition: i32, stored: StoredOffset) {
        self.bytes += self.growth(topic, partition, stored.value.metadata.len());
        if !self.topics.contains_key(topic) {
            self.topics.insert(topic.clone(), BTreeMap::new());
        }
        let partitions = self.topics.get_mut(topic).expect("just made");
        if let Some(before) = partitions.insert(partition, stored) {
            self.bytes -= before.value.metadata.len();
        }
    }

    pub(crate) fn remove(&mut self, topic: &str, partition: i32) {
        let Some(partitions) = self.topics.get_mut(topic) else { return };
        if let Some(removed) = partitions.remove(&partition) {
            self.bytes -= OFFSET_BYTES + self.name_bytes + removed.value.metadata.len();
        }
        if partitions.is_empty() {
            self.topics.remove(topic);
            self.bytes -= TOPIC_BYTES + topic.len();
        }
    }
}

/// What a producer commits: group, topic, partition.
type Place = (CompactString, CompactString, i32);

/// Offsets of transactions that are open, by producer id.
#[derive(Debug, Default)]
pub(crate) struct PendingOffsets(BTreeMap<i64, BTreeMap<Place, StoredOffset>>);

impl PendingOffsets {
    pub(crate) fn put(&mut self, producer_id: i64, place: Place, stored: StoredOffset) {
        self.0.entry(producer_id).or_default().insert(place, stored);
    }

    /// Takes what a producer's transaction has committed.
    pub(crate) fn take(&mut self, producer_id: i64) -> BTreeMap<Place, StoredOffset> {
        self.0.remove(&producer_id).unwrap_or_default()
    }

    pub(crate) fn forget(&mut self, group: &str, topic: &str, partition: i32) {
        let is_it = |place: &Place| place.0 == group && place.1 == topic && place.2 == partition;
        self.0.values_mut().for_each(|places| places.retain(|place, _| !is_it(place)));
    }

    /// Whether a transaction that is open commits there.
    pub(crate) fn has(&self, group: &str, topic: &str, partition: i32) -> bool {
        !self.0.is_empty() && {
            let place = (group.into(), topic.into(), partition);
            self.0.values().any(|places| places.contains_key(&place))
        }
    }

    /// Whether a transaction that is open commits for a group.
    pub(crate) fn has_group(&self, group: &str) -> bool {
        self.0.values().flat_map(BTreeMap::keys).any(|place| place.0 == group)
    }
}

impl Coordinator {
    /// All committed offsets: group, topic, partition, and what was committed.
    pub fn offsets(&self) -> impl Iterator<Item = (&str, &str, i32, &CommittedOffset)> {
        self.groups.values().flat_map(|group| {
            let all = group.offsets.iter();
            all.map(|(topic, partition, stored)| {
                (group.id.as_str(), topic.as_str(), partition, &stored.value)
            })
        })
    }
}
