//! The image: all metadata of the cluster at one place of the metadata log.
//!
//! ```text
//!   image at offset n ── apply(record n) ──▶ image at offset n + 1
//!          │                                        │
//!          └────── what the record left alone ──────┘
//! ```
//!
//! A clone takes a few pointers, and a change of one copy touches O(log n) of it; so every request
//! holds the image that it began with, without a lock, while the next ones are made.
//!
//! Must always hold: the image is the fold of the records since the cluster's birth; what
//! [`MetadataImage::records`] gives makes an equal one; iteration has one order.

mod apply;
mod brokers;
mod checkpoint;

use alloc::borrow::Cow;

use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync, VectorSync};

use logboom_protocol::CompactString;
use logboom_protocol::units::Uuid;

use crate::record::{BrokerRegistration, ConfigResource, Partition};

pub use self::apply::ApplyError;
pub(crate) use self::brokers::DRAIN;
pub use self::brokers::MEANS;

/// The configuration of one resource: what was set, by key.
type Settings = RedBlackTreeMapSync<CompactString, CompactString>;

/// The cluster's metadata.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetadataImage {
    cluster_id: Option<Uuid>,
    features: RedBlackTreeMapSync<CompactString, i16>,
    brokers: RedBlackTreeMapSync<i32, BrokerRegistration>,
    /// Nodes that are only controllers.
    ///
    /// Invariant: none of them is a broker.
    controllers: RedBlackTreeMapSync<i32, BrokerRegistration>,
    /// The brokers that are out of contact.
    ///
    /// Invariant: all of them are registered.
    fenced: RedBlackTreeSetSync<i32>,
    topics: RedBlackTreeMapSync<Uuid, Topic>,
    /// Topic ids by [`collision_name`].
    ///
    /// Invariant: an entry for each topic, so that no two names collide.
    topic_ids: RedBlackTreeMapSync<CompactString, Uuid>,
    /// Invariant: no resource without a setting, no topic that doesn't exist.
    configs: RedBlackTreeMapSync<ConfigResource, Settings>,
    next_producer_id: i64,
}

/// A topic with its partitions.
#[derive(Debug, Clone, PartialEq)]
pub struct Topic {
    id: Uuid,
    name: CompactString,
    partitions: VectorSync<Partition>,
}

impl MetadataImage {
    /// The cluster's id, `None` before its birth.
    #[must_use]
    pub fn cluster_id(&self) -> Option<Uuid> {
        self.cluster_id
    }

    /// The features that are on, with their levels, by name.
    pub fn features(&self) -> impl Iterator<Item = (&str, i16)> {
        self.features.iter().map(|(name, level)| (name.as_str(), *level))
    }

    /// All topics, by id.
    pub fn topics(&self) -> impl ExactSizeIterator<Item = &Topic> {
        self.topics.values()
    }

    /// The topic of that id.
    #[must_use]
    pub fn topic(&self, id: Uuid) -> Option<&Topic> {
        self.topics.get(&id)
    }

    /// The topic of that name.
    #[must_use]
    pub fn topic_named(&self, name: &str) -> Option<&Topic> {
        self.colliding_topic(name).filter(|topic| topic.name == name)
    }

    /// The topic whose name is the same but for `.` and `_`, or altogether.
    #[must_use]
    pub fn colliding_topic(&self, name: &str) -> Option<&Topic> {
        self.topics.get(self.topic_ids.get(&*collision_name(name))?)
    }

    /// A partition by its topic's id and its number.
    #[must_use]
    pub fn partition(&self, topic_id: Uuid, index: i32) -> Option<&Partition> {
        self.topic(topic_id)?.partition(index)
    }

    /// What was set for a resource, by key.
    pub fn config(&self, resource: &ConfigResource) -> impl Iterator<Item = (&str, &str)> {
        let settings = self.configs.get(resource);
        settings.into_iter().flat_map(|settings| {
            settings.iter().map(|(name, value)| (name.as_str(), value.as_str()))
        })
    }

    /// What was set for one key of a resource.
    #[must_use]
    pub fn config_value(&self, resource: &ConfigResource, name: &str) -> Option<&str> {
        Some(self.configs.get(resource)?.get(name)?.as_str())
    }

    /// The resources for which something was set, by kind and name.
    pub fn config_resources(&self) -> impl Iterator<Item = &ConfigResource> {
        self.configs.keys()
    }

    /// The first producer id that belongs to no block yet.
    #[must_use]
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }
}

impl Topic {
    /// The topic's id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The topic's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The partitions, from 0 on.
    pub fn partitions(&self) -> impl ExactSizeIterator<Item = &Partition> {
        self.partitions.iter()
    }

    /// A partition by its number.
    #[must_use]
    pub fn partition(&self, index: i32) -> Option<&Partition> {
        self.partitions.get(usize::try_from(index).ok()?)
    }

    /// How many partitions there are.
    #[must_use]
    pub fn partition_count(&self) -> usize {
        self.partitions.len()
    }
}

/// A name in which `_` stands for `.`: two topics of the same one would share their metrics'
/// names, which the reference forbids.
fn collision_name(name: &str) -> Cow<'_, str> {
    if name.contains('.') { Cow::Owned(name.replace('.', "_")) } else { Cow::Borrowed(name) }
}

#[cfg(test)]
mod tests;
