//! What a change of the metadata means for this broker: partitions made, configured, removed.
//!
//! Must always hold: a partition is served before anybody is told of it, and nobody is told of one
//! that is being removed. A broker that starts may know less to be committed than it did, and makes
//! nothing until it has read the registration of this start: what it makes then was not deleted by
//! what it knew before. Nor does it make anything on a full disk: what is there already needs what
//! room is left.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use tokio::sync::oneshot;

use logboom_controller::config::{Effective, StaticConfig};
use logboom_controller::image::{MEANS, Topic};
use logboom_controller::record::{NO_BROKER, Partition, ResourceKind};
use logboom_controller::{MetadataImage, MetadataRecord};
use logboom_protocol::units::Uuid;
use logboom_raft::{ReplicaId, Voters};
use logboom_storage::state::{GroupKey, StateRecord};
use logboom_storage::{Directory, StorageError};

use super::metadata_log::{METADATA, Read};
use super::throttles;
use crate::coordination::Coordination;
use crate::partition::{
    CatchUp, Command, Opening, Registry, Seat, ShardHandle, TopicSettings, Unnamed, Wish,
};
use crate::peer::{lane_of, shard_of};

/// Has the partitions of this broker follow the metadata.
pub(crate) struct Reconciler {
    pub(crate) config: Arc<StaticConfig>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) seat: Seat,
    pub(crate) shards: Arc<[ShardHandle]>,
    pub(crate) registry: Arc<Registry>,
    /// Whether there are no other brokers, nor will be.
    pub(crate) is_alone: bool,
    /// With which this start of the broker registers.
    pub(crate) incarnation: Uuid,
    /// Where groups are told of topics that are gone, once they are hosted.
    pub(crate) coordination: Arc<OnceLock<Coordination>>,
    /// Where rates of what replicas are sent are set.
    pub(crate) catch_up: Arc<CatchUp>,
    /// The image that is in force, for everybody to read.
    pub(crate) published: Arc<ArcSwap<MetadataImage>>,
    /// Replicas that the start found, and of which it knew too little: not open, and to be looked
    /// at when as much of the metadata log is known as when they were made.
    pub(crate) kept: Vec<GroupKey>,
    /// Replicas that are to be here, and for which there was no room.
    pub(crate) unmade: BTreeSet<GroupKey>,
}

/// The share of replicas, one in so many, that a start removes without being asked twice.
const REMOVED_SHARE: usize = 10;
/// So few it removes in any case.
const REMOVED_MIN: usize = 10;
/// What says how long files of removed replicas are kept.
const DELETE_DELAY: &str = "log.segment.delete.delay.ms";
/// Logs that a shard opens at once: it does nothing else meanwhile.
const OPENINGS_MAX: usize = 256;

impl Reconciler {
    /// Makes the partitions of this broker those of the image, and publishes it.
    ///
    /// - `offset`: up to where the metadata log is known to be committed, exclusive.
    ///
    /// # Errors
    /// What the storage says, that more would be removed than is credible, or that the metadata is
    /// another cluster's than the data directory.
    pub(crate) async fn start(&mut self, image: &MetadataImage, offset: i64) -> Result<(), String> {
        self.check_cluster(image)?;
        let wanted: BTreeSet<GroupKey> =
            image.topics().flat_map(|topic| self.own(topic)).map(|(key, _)| key).collect();
        let found: Vec<GroupKey> =
            self.directory.groups().into_iter().filter(|key| *key != METADATA).collect();
        let mut orphans: Vec<GroupKey> =
            found.iter().filter(|key| !wanted.contains(*key)).copied().collect();
        if !self.is_alone {
            (self.kept, orphans) =
                orphans.into_iter().partition(|key| self.is_too_early(key, image, offset));
        }
        if !may_remove(orphans.len(), found.len()) || self.are_newer(&orphans, offset) {
            return Err(format!(
                "the metadata doesn't know {} of the {} partitions in the data directory; it may \
                 be that of another time. Nothing was removed",
                orphans.len(),
                found.len()
            ));
        }
        self.remove(orphans, image).map_err(|error| error.to_string())?;
        // A crash in the middle of a deletion leaves files.
        self.directory.remove_garbage(self.grace_ms(image)).map_err(|error| error.to_string())?;
        let all = image.topics().flat_map(keys_of);
        self.open(image, all, None, offset).await.map_err(|error| error.to_string())?;
        throttles::apply(&self.catch_up, image, &self.config);
        self.publish(image)
    }

    /// Whether an image is that of the cluster to which the data directory belongs.
    fn check_cluster(&self, image: &MetadataImage) -> Result<(), String> {
        match (self.directory.cluster(), image.cluster_id()) {
            (Some(own), Some(other)) if own != other => Err(format!(
                "the data directory belongs to cluster {own}, and the metadata to {other}"
            )),
            _ => Ok(()),
        }
    }

    /// Publishes an image. The data directory belongs to its cluster before anybody hears of it:
    /// the log may not tell a start that comes after a kill, which knows less to be committed.
    fn publish(&self, image: &MetadataImage) -> Result<(), String> {
        if let Some(cluster) = image.cluster_id() {
            self.directory.belong_to(cluster).map_err(|error| error.to_string())?;
        }
        self.published.store(Arc::new(image.clone()));
        Ok(())
    }

    /// For how many milliseconds files are kept of which no topic is known.
    fn grace_ms(&self, image: &MetadataImage) -> u64 {
        let delay = Effective::new(image, &self.config).broker_integer(DELETE_DELAY);
        u64::try_from(delay).unwrap_or(0)
    }

    /// Removes replicas that aren't open, and that the metadata give somebody else or nobody.
    fn remove(&self, orphans: Vec<GroupKey>, image: &MetadataImage) -> Result<(), StorageError> {
        let (gone, left): (Vec<_>, Vec<_>) =
            orphans.into_iter().partition(|key| image.topic(key.topic_id).is_none());
        for (keys, forget) in [(gone, true), (left, false)] {
            // It looks through all that is there.
            if !keys.is_empty() {
                self.directory.remove(&keys, forget, self.grace_ms(image))?;
            }
        }
        Ok(())
    }

    /// Removes what the start has kept, as far as it is known by now that it isn't wanted: the
    /// images that knew it never were those of this process.
    fn judge_kept(&mut self, image: &MetadataImage, offset: i64) -> Result<(), StorageError> {
        let kept = std::mem::take(&mut self.kept).into_iter();
        // What is open is followed as everything is.
        let kept = kept.filter(|key| self.registry.get(key.topic_id, key.partition).is_none());
        let (kept, mut orphans): (Vec<_>, Vec<_>) =
            kept.partition(|key| self.is_too_early(key, image, offset));
        self.kept = kept;
        // One whose log can't be opened is here all the same.
        let known = |key: &GroupKey| image.partition(key.topic_id, key.partition);
        orphans.retain(|key| !known(key).is_some_and(|it| self.is_own(key, it)));
        // Of those whose topic is there it is known that others have them.
        let is_gone = |key: &GroupKey| image.topic(key.topic_id).is_none();
        let gone = orphans.iter().filter(|key| is_gone(key)).count();
        if gone > 0 && !may_remove(gone, self.directory.groups().len()) {
            tracing::warn!(
                partitions = gone,
                "the metadata don't know partitions of the data directory, too many to remove them"
            );
            orphans.retain(|key| !is_gone(key));
        }
        self.remove(orphans, image)
    }

    /// Whether too little is known to take a replica away: what is newer than what is known here,
    /// others know. Until it is all that was known in this broker's last life, another wish may
    /// name it.
    fn is_too_early(&self, key: &GroupKey, image: &MetadataImage, offset: i64) -> bool {
        let is_left = image.topic(key.topic_id).is_some();
        self.are_newer(&[*key], offset) || is_left && !self.knows_all(image)
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
    /// - `read`: what has changed since the image that is published.
    ///
    /// # Errors
    /// What the storage says, or that the metadata is another cluster's than the data directory;
    /// nobody is told of the change then.
    pub(super) async fn follow(
        &mut self,
        image: &MetadataImage,
        read: &Read,
        offset: i64,
    ) -> Result<(), String> {
        self.check_cluster(image)?;
        let before = self.published.load_full();
        let is_in = self.knows_all(image) && !self.knows_all(&before);
        let changed: BTreeSet<GroupKey> = if read.is_whole || is_in {
            before.topics().chain(image.topics()).flat_map(keys_of).collect()
        } else {
            read.records.iter().flat_map(|record| changed_partitions(record, &before)).collect()
        };
        self.open(image, changed.iter().copied(), Some(&before), offset)
            .await
            .map_err(|error| error.to_string())?;
        self.configure(image, &read.records);
        throttles::apply(&self.catch_up, image, &self.config);
        self.publish(image)?;
        let (mut deleted, mut left, mut closed) = (Vec::new(), Vec::new(), Vec::new());
        // Who isn't named any more goes with the topic, or alone.
        let was_there = |key: &GroupKey| before.partition(key.topic_id, key.partition).is_some();
        for key in changed.into_iter().filter(was_there) {
            let partition = image.partition(key.topic_id, key.partition);
            if partition.is_some_and(|partition| self.is_own(&key, partition)) {
                continue;
            }
            let is_served = self.registry.get(key.topic_id, key.partition).is_some();
            match partition {
                None if is_served => deleted.push(key),
                // All is looked at once more when all is known.
                Some(_) if !self.knows_all(image) => {}
                Some(partition) if is_served => left.push((key, Unnamed::of(partition))),
                // One whose log can't be opened isn't served, but it is here.
                _ if self.is_here(&key) => closed.push(key),
                _ => {}
            }
        }
        self.ask_each(self.by_shard(deleted, |key| key), Command::Delete).await;
        self.ask_each(self.by_shard(left, |(key, _)| key), Command::Leave).await;
        // What the start has kept may be newer than what is known.
        closed.retain(|key| !self.kept.contains(key));
        self.remove(closed, image).map_err(|error| error.to_string())?;
        self.judge_kept(image, offset).map_err(|error| error.to_string())?;
        let is_deletion =
            |record: &MetadataRecord| matches!(record, MetadataRecord::TopicDeleted { .. });
        if let Some(coordination) = self.coordination.get()
            && (read.is_whole || read.records.iter().any(is_deletion))
        {
            coordination.on_topics_deleted();
        }
        Ok(())
    }

    /// Makes the replicas for which there was no room, if there is some now.
    ///
    /// # Errors
    /// What the storage says.
    pub(super) async fn make_up(
        &mut self,
        image: &MetadataImage,
        offset: i64,
    ) -> Result<(), String> {
        if !self.directory.has_room() {
            return Ok(());
        }
        let keys = std::mem::take(&mut self.unmade).into_iter();
        self.open(image, keys, None, offset).await.map_err(|error| error.to_string())
    }

    /// Whether the data directory has a replica, whether or not it is served.
    fn is_here(&self, key: &GroupKey) -> bool {
        self.directory.state().group(key, |group| group.is_some_and(|group| !group.removed))
    }

    /// Whether an image has all that this broker knew in its last life.
    fn knows_all(&self, image: &MetadataImage) -> bool {
        let own = image.node(self.config.broker_id());
        self.is_alone || own.is_some_and(|own| own.incarnation == self.incarnation)
    }

    /// The partitions of a topic that have a replica on this broker.
    fn own<'a>(&'a self, topic: &'a Topic) -> impl Iterator<Item = (GroupKey, &'a Partition)> {
        let topic_id = topic.id();
        let key = move |index| GroupKey { topic_id, partition: index };
        let all =
            topic.partitions().zip(0..).map(move |(partition, index)| (key(index), partition));
        all.filter(|(key, partition)| self.is_own(key, partition))
    }

    /// Whether there is to be a replica here: one that the metadata name, or one that its group may
    /// need until more is reported.
    fn is_own(&self, key: &GroupKey, partition: &Partition) -> bool {
        partition.names(self.config.broker_id())
            || self.seat.may_be_needed(&self.directory, key, Unnamed::of(partition))
    }

    /// What the voters of a partition are to be.
    fn wish(&self, partition: &Partition) -> Wish {
        let is_wished = partition.wished_leader != NO_BROKER;
        let leader = if is_wished { partition.wished_leader } else { partition.preferred_leader() };
        let (voters, generation) = (self.seat.list(ids(partition.wish())), partition.generation);
        Wish { voters, generation, leader, is_wished }
    }

    /// Makes and opens what of the partitions isn't served yet, and tells the others what is wished
    /// of them; makes nothing as long as that may have been deleted.
    ///
    /// - `before`: the wishes that are known.
    async fn open(
        &mut self,
        image: &MetadataImage,
        keys: impl Iterator<Item = GroupKey>,
        before: Option<&MetadataImage>,
        offset: i64,
    ) -> Result<(), StorageError> {
        let effective = Effective::new(image, &self.config);
        let may_make = self.knows_all(image);
        let mut has_room = None;
        let mut new = Vec::new();
        let mut openings: BTreeMap<(usize, usize), Vec<Opening>> = BTreeMap::new();
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        let mut settings: BTreeMap<Uuid, Arc<TopicSettings>> = BTreeMap::new();
        for key in keys {
            let Some(topic) = image.topic(key.topic_id) else { continue };
            let Some(partition) = topic.partition(key.partition) else { continue };
            let shard = self.shard_of(&key);
            if self.registry.get(key.topic_id, key.partition).is_some() {
                // Also to one that is to go: until it does it says what it knows.
                let known = before.and_then(|it| it.partition(key.topic_id, key.partition));
                if !known.is_some_and(|known| known.has_same_wish(partition)) {
                    self.shards[shard].send(Command::Wish(key, self.wish(partition)));
                }
                continue;
            }
            if !self.is_own(&key, partition) {
                continue;
            }
            let state = self.directory.state();
            let is_new = state.group(&key, |group| group.is_none_or(|group| group.removed));
            if is_new && !may_make {
                continue;
            }
            if is_new && !*has_room.get_or_insert_with(|| self.directory.has_room()) {
                self.unmade.insert(key);
                continue;
            }
            if is_new {
                new.push((key, self.creation(&key, partition)));
            }
            let of_topic = || Arc::new(TopicSettings::new(&effective, topic.name()));
            let settings = Arc::clone(settings.entry(key.topic_id).or_insert_with(of_topic));
            let count = counts.entry(shard).or_default();
            let part = openings.entry((*count / OPENINGS_MAX, shard)).or_default();
            let (topic, wish) = (topic.name().into(), Some(self.wish(partition)));
            part.push(Opening { key, topic, settings, is_new, wish });
            *count += 1;
        }
        if has_room == Some(false) {
            let partitions = self.unmade.len();
            tracing::warn!(partitions, "the disk is full: replicas wait to be made here");
        }
        let new: Vec<_> = new.iter().map(|(key, records)| (*key, &records[..])).collect();
        self.directory.create_all(&new, offset)?;
        let openings = openings.into_iter().map(|((_, shard), part)| (shard, part));
        self.ask_each(openings, Command::Open).await.into_iter().collect()
    }

    /// What a new replica here learns in the step that creates it: who founded its group, if this
    /// replica is one of them.
    fn creation(&self, key: &GroupKey, partition: &Partition) -> Arc<[StateRecord]> {
        let (is_first_life, own) = self.directory.state().group(key, |group| {
            (group.is_none(), self.seat.id(group.map_or(0, |group| group.life + 1)))
        });
        let founders = ids((&partition.replicas, &partition.directories));
        let is_founder = partition.is_founding && is_first_life && founders.contains(&own);
        match &*founders {
            [_] if is_founder && self.is_alone => self.seat.first_records().into(),
            _ if is_founder => Seat::founding_records(&Voters::of(founders)).into(),
            _ => Seat::founding_records(&Voters::of([])).into(),
        }
    }

    fn configure(&self, image: &MetadataImage, records: &[MetadataRecord]) {
        let configured = records.iter().filter_map(|record| match record {
            // What a broker may have is nothing to its topics.
            MetadataRecord::Config { resource, name, .. } if name != MEANS => Some(resource),
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

    /// What concerns replicas, by the shards that have them.
    fn by_shard<T>(&self, all: Vec<T>, key: impl Fn(&T) -> &GroupKey) -> BTreeMap<usize, Vec<T>> {
        let mut of_shards: BTreeMap<usize, Vec<T>> = BTreeMap::new();
        for one in all {
            of_shards.entry(self.shard_of(key(&one))).or_default().push(one);
        }
        of_shards
    }

    /// Sends shards their commands and waits for all answers; of shards that have ended there is
    /// none.
    async fn ask_each<T, R>(
        &self,
        of_shards: impl IntoIterator<Item = (usize, T)>,
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
        shard_of(lane_of(key), self.shards.len())
    }
}

/// The partitions of a topic.
fn keys_of(topic: &Topic) -> impl Iterator<Item = GroupKey> {
    let topic_id = topic.id();
    topic.partitions().zip(0..).map(move |(_, partition)| GroupKey { topic_id, partition })
}

/// Whether a start removes `orphans` of the replicas that were `found`.
fn may_remove(orphans: usize, found: usize) -> bool {
    orphans <= REMOVED_MIN || orphans * REMOVED_SHARE <= found
}

/// The partitions that are others after a record. What is said of some of thousands isn't looked
/// for in all of them.
fn changed_partitions(record: &MetadataRecord, before: &MetadataImage) -> Vec<GroupKey> {
    let key = |topic_id, partition| GroupKey { topic_id, partition };
    match record {
        MetadataRecord::Partition { topic_id, index, .. } => vec![key(*topic_id, *index)],
        MetadataRecord::Leaders(reports) => {
            reports.iter().map(|report| key(report.topic_id, report.index)).collect()
        }
        MetadataRecord::TopicDeleted { id } => {
            before.topic(*id).into_iter().flat_map(keys_of).collect()
        }
        _ => Vec::new(),
    }
}

/// Replicas in their first life.
fn ids((brokers, directories): (&[i32], &[Uuid])) -> Arc<[ReplicaId]> {
    let id = |(&broker, &Uuid(directory))| ReplicaId { broker, life: 0, directory };
    brokers.iter().zip(directories).map(id).collect()
}

#[cfg(test)]
mod tests;
