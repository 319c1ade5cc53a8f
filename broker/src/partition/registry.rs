//! Where a partition's replica is found.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use logboom_protocol::units::Uuid;
use logboom_storage::state::GroupKey;

use super::Partition;
use crate::cluster::METADATA;

/// The partitions with a replica on this broker.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    partitions: RwLock<HashMap<GroupKey, Arc<Partition>>>,
}

impl Registry {
    /// The replica of a partition, if there is one here.
    pub(crate) fn get(&self, topic_id: Uuid, partition: i32) -> Option<Arc<Partition>> {
        let partitions = self.partitions.read().unwrap_or_else(PoisonError::into_inner);
        partitions.get(&GroupKey { topic_id, partition }).cloned()
    }

    /// All of topics, in no order.
    pub(crate) fn all(&self) -> Vec<Arc<Partition>> {
        let partitions = self.partitions.read().unwrap_or_else(PoisonError::into_inner);
        let of_topics = partitions.values().filter(|partition| partition.key != METADATA);
        of_topics.cloned().collect()
    }

    pub(crate) fn insert(&self, partition: Arc<Partition>) {
        let mut partitions = self.partitions.write().unwrap_or_else(PoisonError::into_inner);
        partitions.insert(partition.key, partition);
    }

    pub(super) fn remove(&self, key: &GroupKey) {
        self.partitions.write().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}
