//! What a change of the metadata means for this broker: partitions made, configured, removed.
//!
//! Must always hold: a partition is served before anybody is told of it, and nobody is told of one
//! that is being removed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::oneshot;

use logboom_controller::config::{Effective, StaticConfig};
use logboom_controller::image::Topic;
use logboom_controller::record::ResourceKind;
use logboom_controller::{MetadataImage, MetadataRecord};
use logboom_protocol::units::Uuid;
use logboom_storage::state::GroupKey;
use logboom_storage::{Directory, StorageError};

use super::metadata_log::METADATA;
use crate::partition::{Command, Opening, Registry, Seat, ShardHandle, TopicSettings};

/// Has the partitions of this broker follow the metadata.
pub(crate) struct Reconciler {
    pub(crate) config: Arc<StaticConfig>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) seat: Seat,
    pub(crate) shards: Arc<[ShardHandle]>,
    pub(crate) registry: Arc<Registry>,
    /// The image that is in force, for everybody to read.
    pub(crate) published: Arc<ArcSwap<MetadataImage>>,
}

/// The share of replicas, one in so many, that a start removes without being asked twice.
const REMOVED_SHARE: usize = 10;
/// So few it removes in any case.
const REMOVED_MIN: usize = 10;

impl Reconciler {
    /// Makes the partitions of this broker those of the image, and publishes it.
    ///
    /// - `offset`: the end of the metadata log as it was found, exclusive.
    ///
    /// # Errors
    /// What the storage says, or that more would be removed than is credible.
    pub(crate) async fn start(&self, image: &MetadataImage, offset: i64) -> Result<(), String> {
        let wanted: BTreeSet<GroupKey> =
            image.topics().flat_map(|topic| self.own(topic)).map(|(key, _)| key).collect();
        let found: Vec<GroupKey> =
            self.directory.groups().into_iter().filter(|key| *key != METADATA).collect();
        let orphans: Vec<GroupKey> =
            found.iter().filter(|key| !wanted.contains(*key)).copied().collect();
        if !may_remove(orphans.len(), found.len()) || self.are_newer(&orphans, offset) {
            return Err(format!(
                "the metadata doesn't know {} of the {} partitions in the data directory; it may \
                 be that of another time. Nothing was removed",
                orphans.len(),
                found.len()
            ));
        }
        self.directory.forget(&orphans).map_err(|error| error.to_string())?;
        let topics: Vec<&Topic> = image.topics().collect();
        self.open(image, &topics, offset).await.map_err(|error| error.to_string())?;
        self.published.store(Arc::new(image.clone()));
        Ok(())
    }

    /// Whether one of them was made by a record that the metadata log has not: it has lost some.
    fn are_newer(&self, keys: &[GroupKey], offset: i64) -> bool {
        let made_at =
            |key| self.directory.state().group(key, |group| group.map(|g| g.creation_offset));
        keys.iter().filter_map(made_at).any(|made_at| made_at > offset)
    }

    /// Follows a change.
    ///
    /// - `image`: what holds from now on.
    /// - `records`: what has changed since the image that is published.
    ///
    /// # Errors
    /// What the storage says; nobody is told of the change then.
    pub(crate) async fn follow(
        &self,
        image: &MetadataImage,
        records: &[MetadataRecord],
        offset: i64,
    ) -> Result<(), StorageError> {
        let before = self.published.load_full();
        let changed: BTreeSet<Uuid> = records.iter().filter_map(with_new_partitions).collect();
        let topics: Vec<&Topic> = changed.iter().filter_map(|id| image.topic(*id)).collect();
        self.open(image, &topics, offset).await?;
        self.configure(image, records);
        self.published.store(Arc::new(image.clone()));
        let deleted = records.iter().filter_map(|record| match record {
            MetadataRecord::TopicDeleted { id } => before.topic(*id),
            _ => None,
        });
        let keys: Vec<GroupKey> =
            deleted.flat_map(|topic| self.own(topic)).map(|(key, _)| key).collect();
        self.delete(&keys).await;
        Ok(())
    }

    /// The partitions of a topic that have a replica on this broker.
    fn own<'a>(&self, topic: &'a Topic) -> impl Iterator<Item = (GroupKey, &'a Topic)> + use<'a> {
        let (topic_id, broker) = (topic.id(), self.config.broker_id());
        let own = topic.partitions().zip(0..).filter(move |(p, _)| p.replicas.contains(&broker));
        own.map(move |(_, partition)| (GroupKey { topic_id, partition }, topic))
    }

    /// Makes and opens what of the topics isn't served yet.
    async fn open(
        &self,
        image: &MetadataImage,
        topics: &[&Topic],
        offset: i64,
    ) -> Result<(), StorageError> {
        let effective = Effective::new(image, &self.config);
        let mut new = Vec::new();
        let mut openings: BTreeMap<usize, Vec<Opening>> = BTreeMap::new();
        for topic in topics {
            let settings = Arc::new(TopicSettings::new(&effective, topic.name()));
            for (key, topic) in self.own(topic) {
                if self.registry.get(key.topic_id, key.partition).is_some() {
                    continue;
                }
                let state = self.directory.state();
                let is_new = state.group(&key, |group| group.is_none_or(|group| group.removed));
                if is_new {
                    new.push(key);
                }
                let (topic, settings) = (topic.name().into(), Arc::clone(&settings));
                let shard = openings.entry(self.shard_of(&key)).or_default();
                shard.push(Opening { key, topic, settings, is_new });
            }
        }
        if !new.is_empty() {
            self.directory.create_all(&new, offset, &self.seat.first_records())?;
        }
        self.ask_each(openings, Command::Open).await.into_iter().collect()
    }

    fn configure(&self, image: &MetadataImage, records: &[MetadataRecord]) {
        let configured = records.iter().filter_map(|record| match record {
            MetadataRecord::Config { resource, .. } => Some(resource),
            _ => None,
        });
        let mut names = BTreeSet::new();
        let mut all = false;
        for resource in configured {
            match resource.kind {
                ResourceKind::Topic => _ = names.insert(resource.name.as_str()),
                // What a broker sets for its topics.
                ResourceKind::Broker => all = true,
                _ => {}
            }
        }
        let effective = Effective::new(image, &self.config);
        let topics = image.topics().filter(|topic| all || names.contains(topic.name()));
        for topic in topics {
            let settings = Arc::new(TopicSettings::new(&effective, topic.name()));
            for (key, _) in self.own(topic) {
                // Requests meet it at once, the log with what its shard does next.
                if let Some(partition) = self.registry.get(key.topic_id, key.partition) {
                    partition.set_settings(Arc::clone(&settings));
                }
                let shard = &self.shards[self.shard_of(&key)];
                shard.send(Command::Configure(key, Arc::clone(&settings)));
            }
        }
    }

    async fn delete(&self, keys: &[GroupKey]) {
        let mut of_shards: BTreeMap<usize, Vec<GroupKey>> = BTreeMap::new();
        for key in keys {
            of_shards.entry(self.shard_of(key)).or_default().push(*key);
        }
        self.ask_each(of_shards, Command::Delete).await;
    }

    /// Sends each shard its command and waits for all answers; of shards that have ended there is
    /// none.
    async fn ask_each<T, R>(
        &self,
        of_shards: BTreeMap<usize, T>,
        command: impl Fn(T, oneshot::Sender<R>) -> Command,
    ) -> Vec<R> {
        let mut answers = Vec::new();
        for (shard, what) in of_shards {
            let (sender, receiver) = oneshot::channel();
            self.shards[shard].send(command(what, sender));
            answers.push(receiver);
        }
        let mut received = Vec::new();
        for answer in answers {
            received.extend(answer.await.ok());
        }
        received
    }

    fn shard_of(&self, key: &GroupKey) -> usize {
        let id = key.topic_id.0.iter().fold(0_usize, |sum, byte| sum + usize::from(*byte));
        let partition = usize::try_from(key.partition).unwrap_or(0);
        (id + partition) % self.shards.len()
    }
}

/// Whether a start removes `orphans` of the replicas that were `found`.
fn may_remove(orphans: usize, found: usize) -> bool {
    orphans <= REMOVED_MIN || orphans * REMOVED_SHARE <= found
}

/// The topic that a record gives new partitions.
fn with_new_partitions(record: &MetadataRecord) -> Option<Uuid> {
    match record {
        MetadataRecord::Partition { topic_id, .. } => Some(*topic_id),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
