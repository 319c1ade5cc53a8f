//! What must always hold of the metadata.
//!
//! - Whatever image a broker publishes is the fold of a committed prefix of the metadata log, and
//!   no older than the one before it: images at one offset are the same everywhere.
//! - A checkpoint says what the records before it have made.
//! - A broker has another data directory only after it was removed.
//! - What was promised to an operator holds when he is told so, on the broker that tells him.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use logboom_controller::{MetadataImage, MetadataRecord};
use logboom_protocol::records::{CheckedBatch, Inflater};
use logboom_storage::state::GroupKey;

use super::cluster::Cluster;
use super::groups::{METADATA_GROUP, Subject, place};
use super::operators::{Answered, Promise};
use super::oracle::{Committed, Violation};
use super::plan::MILLISECOND;
use super::queue::Event;

/// What is committed of the metadata.
pub(super) struct Metadata {
    /// The images, by the offsets of the log that they follow up to, exclusive.
    images: BTreeMap<i64, MetadataImage>,
    inflater: Inflater,
}

impl Metadata {
    pub(super) fn new() -> Self {
        let images = BTreeMap::from([(0, MetadataImage::default())]);
        Self { images, inflater: Inflater::default() }
    }

    pub(super) fn newest(&self) -> &MetadataImage {
        self.images.last_key_value().expect("one is there from the beginning").1
    }

    /// Up to where the newest image follows, exclusive.
    pub(super) fn end(&self) -> i64 {
        *self.images.last_key_value().expect("one is there from the beginning").0
    }

    /// Whether a broker is one of the cluster.
    pub(super) fn has(&self, broker: i32) -> bool {
        self.newest().broker(broker).is_some()
    }

    /// Adds the batches that are committed since; returns their records.
    fn follow(&mut self, log: &Committed) -> Result<Vec<MetadataRecord>, Violation> {
        let mut all = Vec::new();
        for (bytes, end) in log.batches_from(self.end()) {
            let (is_checkpoint, records) = self.records(bytes)?;
            if is_checkpoint {
                let image = MetadataImage::load(records).map_err(|error| format!("{error:?}"))?;
                if image != *self.newest() {
                    return Err(format!("the checkpoint before {end} isn't what was before it"));
                }
                self.images.insert(end, image);
                continue;
            }
            self.check_directories(&records)?;
            let image = self.newest().with(&records).map_err(|error| format!("{error:?}"))?;
            self.images.insert(end, image);
            all.extend(records);
        }
        Ok(all)
    }

    /// Nobody comes with another data directory who wasn't removed before.
    fn check_directories(&self, records: &[MetadataRecord]) -> Result<(), Violation> {
        for record in records {
            let MetadataRecord::Broker(new) = record else { continue };
            let known = self.newest().node(new.id).map(|known| known.directory_id);
            if known.is_some_and(|known| known != new.directory_id) {
                return Err(format!("broker {} comes with another data directory", new.id));
            }
        }
        Ok(())
    }

    /// The records of a batch, and whether it is a checkpoint.
    fn records(&mut self, bytes: &Bytes) -> Result<(bool, Vec<MetadataRecord>), Violation> {
        let batch = CheckedBatch::check(bytes.clone()).map_err(|error| format!("{error:?}"))?;
        let records = batch.records(&mut self.inflater).map_err(|error| format!("{error:?}"))?;
        let (mut is_checkpoint, mut all) = (false, Vec::new());
        for record in records.iter() {
            let record = record.map_err(|error| format!("{error:?}"))?;
            if record.key.is_some() {
                is_checkpoint = true;
                continue;
            }
            let value = Bytes::copy_from_slice(record.value.unwrap_or_default());
            all.push(MetadataRecord::decode(&value).map_err(|error| format!("{error:?}"))?);
        }
        Ok((is_checkpoint, all))
    }

    /// The offset of an image, at or behind an offset.
    fn find(&self, image: &MetadataImage, from: i64) -> Option<i64> {
        let mut images = self.images.range(from..);
        images.find(|(_, known)| *known == image).map(|(offset, _)| *offset)
    }

    /// The last offset at or behind one whose image is the same: who publishes that image may know
    /// as much.
    fn last_same(&self, offset: i64) -> i64 {
        let mut images = self.images.range(offset..);
        let first = images.next().map(|(_, image)| image);
        let same = images.rev().find(|(_, image)| Some(*image) == first);
        same.map_or(offset, |(same, _)| *same)
    }

    /// Whether a promise holds in some image between two offsets, both included.
    fn keeps(&self, promise: &Promise, since: i64, until: i64) -> bool {
        self.images.range(since..=until.max(since)).any(|(_, image)| promise(image))
    }
}

impl Cluster {
    /// Has everybody who sees everything know what is committed of the metadata.
    pub(super) fn follow_metadata(&mut self) -> Result<(), Violation> {
        for record in self.metadata.follow(&self.subjects[METADATA_GROUP].log)? {
            self.totals.records += 1;
            self.tell(|| format!("metadata: {record:?}"));
            match record {
                MetadataRecord::Partition { topic_id, index: partition, .. } => {
                    self.know(GroupKey { topic_id, partition });
                }
                MetadataRecord::TopicDeleted { id } => {
                    let gone = self.subjects.iter_mut().enumerate();
                    for (group, subject) in gone.filter(|(_, it)| it.key.topic_id == id) {
                        subject.is_deleted = true;
                        self.clients.iter_mut().for_each(|client| client.give_up(group));
                    }
                }
                // Who is removed is stopped, as an operator would.
                MetadataRecord::BrokerRemoved { id } => {
                    let at = place(id);
                    let time = self.now + self.chance.between(1, 200) * MILLISECOND;
                    self.queue.push(time, Event::Stops { at, start: self.brokers[at].starts });
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn know(&mut self, key: GroupKey) {
        if !self.subjects.iter().any(|subject| subject.key == key) {
            self.subjects.push(Subject::new(key));
            self.clients.iter_mut().for_each(|client| client.outbox.push(Default::default()));
        }
    }

    /// Looks at what a broker's tasks have made of the metadata, and at what they have answered.
    pub(super) fn observe_metadata(&mut self, at: usize) -> Result<(), Violation> {
        let Some(process) = &mut self.brokers[at].process else { return Ok(()) };
        let published = process.published.load_full();
        if !Arc::ptr_eq(&published, &process.known.0) {
            let found = self.metadata.find(&published, process.known.1);
            let offset = found.ok_or_else(|| {
                format!("{at}: what it publishes behind {} isn't committed", process.known.1)
            })?;
            process.known = (published, offset);
        }
        let known = self.metadata.last_same(process.known.1);
        let answered = std::mem::take(&mut *process.answered.borrow_mut());
        for Answered { what, since, promise } in answered {
            let Some(promise) = promise else { continue };
            if !self.metadata.keeps(&promise, since, known) {
                return Err(format!(
                    "{at}: says that it is done, and up to {known} it isn't: {what}"
                ));
            }
            self.totals.requests += 1;
            self.tell(|| format!("{at}: it is done: {what}"));
        }
        self.check_changed(at)
    }
}
