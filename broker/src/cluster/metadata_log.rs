//! The metadata log: a partition like any other, whose records make the image.
//!
//! A batch holds the records of one decision, so it is there wholly or not at all. Now and then a
//! batch begins with [`CHECKPOINT_KEY`] and holds everything that is known; the log start moves up
//! to it, and a start reads from there.
//!
//! Must always hold: what is read is committed, in its order, each record once.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use logboom_controller::image::ApplyError;
use logboom_controller::record::{BadRecord, BrokerRegistration};
use logboom_controller::{MetadataImage, MetadataRecord};
use logboom_protocol::records::{
    BatchBuilder, BatchError, CheckedBatch, Codec, Inflater, ProducedBatch, RawBatches,
};
use logboom_protocol::units::Uuid;
use logboom_raft::ReplicaId;
use logboom_storage::state::GroupKey;
use logboom_storage::{CompactionOptions, Found, LogOptions, LogView, ReadUntil, StorageError};

use crate::clock::now_ms;
use crate::config::QuorumVoter;
use crate::partition::{
    Append, AppendError, Appended, Command, Partition, ShardHandle, Throttled, TimestampType,
    TopicSettings, Until,
};

/// The partition of the metadata log; its topic id is the reference's.
pub(crate) const METADATA: GroupKey = GroupKey { topic_id: METADATA_TOPIC_ID, partition: 0 };

/// The reference's name of its topic.
pub(crate) const METADATA_TOPIC: &str = "__cluster_metadata";

const METADATA_TOPIC_ID: Uuid = {
    let mut id = [0; 16];
    id[15] = 1;
    Uuid(id)
};

/// The key of the first record of a batch that holds everything.
const CHECKPOINT_KEY: &[u8] = b"checkpoint";

/// Bytes behind a checkpoint that are worth another one, if they are four times as many as it took.
pub(crate) const CHECKPOINT_ABOVE_BYTES: usize = 1 << 20;

/// The most bytes of one decision's records.
pub(crate) const DECISION_BYTES_MAX: usize = 64 << 20;

/// Bytes that are read at once.
const READ_BYTES: u32 = 4 << 20;

/// Why the metadata log can't be read.
#[derive(Debug)]
pub(crate) enum MetadataLogError {
    /// The log itself.
    Storage(StorageError),
    /// A batch of it.
    Batch(BatchError),
    /// A record that isn't one.
    Record {
        /// Where it stands.
        offset: i64,
        /// What is wrong with it.
        error: BadRecord,
    },
    /// A record that doesn't fit what stands before it.
    Apply {
        /// Where it stands.
        offset: i64,
        /// What is wrong with it.
        error: ApplyError,
    },
}

impl fmt::Display for MetadataLogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("metadata log: ")?;
        match self {
            Self::Storage(error) => error.fmt(f),
            Self::Batch(error) => error.fmt(f),
            Self::Record { offset, error } => write!(f, "offset {offset}: {error}"),
            Self::Apply { offset, error } => write!(f, "offset {offset}: {error}"),
        }
    }
}

impl std::error::Error for MetadataLogError {}

/// How the metadata log is kept: nothing goes by age or size, only behind a checkpoint.
pub(crate) fn settings() -> TopicSettings {
    let log = LogOptions { retention_ms: -1, segment_bytes: 128 << 20, ..LogOptions::default() };
    TopicSettings {
        compaction: CompactionOptions {
            segment_bytes: log.segment_bytes,
            min_dirty_ratio: 1.0,
            min_lag_ms: 0,
            max_lag_ms: i64::MAX,
            delete_retention_ms: 0,
        },
        log,
        max_message_bytes: DECISION_BYTES_MAX,
        timestamp_type: TimestampType::CreateTime,
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: i64::MAX,
        compression: None,
        is_compacted: false,
        is_deleted: false,
        write_caching: false,
        flush_messages: i64::MAX,
        flush_ms: u64::MAX,
        delete_delay_ms: 0,
        throttled: Throttled::default(),
        min_insync_replicas: 1,
    }
}

/// What has come of appends, in their order.
pub(super) type Appends = Vec<oneshot::Receiver<Result<Appended, AppendError>>>;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// What has changed, in order.
    pub(super) records: Vec<MetadataRecord>,
    /// Whether the image was made anew, so that the records aren't all that has changed.
    pub(super) is_whole: bool,
}

/// A node that the log names, whether that is known to be committed or not.
#[derive(Debug, Clone)]
pub(crate) struct Foreseen {
    /// Where it is reached.
    pub(crate) place: QuorumVoter,
    pub(crate) directory: Uuid,
}

/// A place in the metadata log, and the hand that writes to it.
pub(crate) struct MetadataLog {
    partition: Arc<Partition>,
    shard: ShardHandle,
    /// Up to where it was read, exclusive; 0 where nothing was.
    offset: i64,
    /// As [`CHECKPOINT_ABOVE_BYTES`].
    checkpoint_above: usize,
    /// Bytes that the last checkpoint took.
    checkpoint_bytes: usize,
    /// Bytes of the batches behind it.
    later_bytes: usize,
    inflater: Inflater,
}

impl MetadataLog {
    /// The beginning of the log.
    ///
    /// - `shard`: where its partition is.
    pub(crate) fn new(partition: Arc<Partition>, shard: ShardHandle) -> Self {
        Self {
            partition,
            shard,
            offset: 0,
            checkpoint_above: CHECKPOINT_ABOVE_BYTES,
            checkpoint_bytes: 0,
            later_bytes: 0,
            inflater: Inflater::default(),
        }
    }

    /// The same, with another measure for checkpoints.
    pub(crate) fn checkpoint_above(self, bytes: usize) -> Self {
        Self { checkpoint_above: bytes, ..self }
    }

    /// Its partition.
    pub(crate) fn partition(&self) -> &Arc<Partition> {
        &self.partition
    }

    /// Up to where it was read, exclusive.
    pub(crate) fn offset(&self) -> i64 {
        self.offset
    }

    /// Reads what is committed, and adds it to the image. Waits for the device where it must.
    ///
    /// # Errors
    /// [`MetadataLogError`]: the broker can't know what it should do.
    pub(super) fn read(&mut self, image: &mut MetadataImage) -> Result<Read, MetadataLogError> {
        self.read_until(image, ReadUntil::HighWatermark)
    }

    /// The nodes that are registered once all of the log is committed. Waits for the device where
    /// it must.
    ///
    /// - `image`: what was read so far.
    ///
    /// # Errors
    /// [`MetadataLogError`].
    pub(crate) fn foreseen_nodes(
        &self,
        image: &MetadataImage,
    ) -> Result<Vec<Foreseen>, MetadataLogError> {
        let (partition, shard) = (Arc::clone(&self.partition), self.shard.clone());
        let mut ahead = Self { offset: self.offset, ..Self::new(partition, shard) };
        let mut image = image.clone();
        ahead.read_until(&mut image, ReadUntil::End)?;
        let reached = |node: &BrokerRegistration| {
            let peer = node.peer.as_ref()?;
            let host = peer.host.to_string();
            let place = QuorumVoter { node: node.id, host, port: peer.port };
            Some(Foreseen { place, directory: node.directory_id })
        };
        Ok(image.nodes().filter_map(reached).collect())
    }

    fn read_until(
        &mut self,
        image: &mut MetadataImage,
        until: ReadUntil,
    ) -> Result<Read, MetadataLogError> {
        let mut read = Read::default();
        loop {
            let start = self.partition.view.log_start_offset();
            // What is missing is in the checkpoint with which the log begins, once that is known to
            // be committed.
            let is_jump = self.offset < start;
            let bytes = match batches(&self.partition.view, self.offset.max(start), until) {
                Ok(bytes) => bytes,
                // The log start moved meanwhile.
                Err(StorageError::OutOfRange { log_start_offset, .. })
                    if log_start_offset > self.offset =>
                {
                    continue;
                }
                Err(error) => return Err(MetadataLogError::Storage(error)),
            };
            if bytes.is_empty() {
                return Ok(read);
            }
            if is_jump {
                (self.offset, read.is_whole) = (start, true);
                (*image, read.records) = (MetadataImage::default(), Vec::new());
            }
            for batch in RawBatches::new(&bytes) {
                let batch = batch.map_err(MetadataLogError::Batch)?;
                let batch = bytes.slice_ref(batch.bytes());
                let batch = CheckedBatch::check(batch).map_err(MetadataLogError::Batch)?;
                let header = batch.header();
                if header.base_offset < self.offset {
                    continue;
                }
                self.offset = header.base_offset + i64::from(header.last_offset_delta) + 1;
                let is_checkpoint = self.apply(image, &batch, &mut read.records)?;
                self.note(is_checkpoint, batch.bytes().len());
            }
        }
    }

    /// Adds the records of a batch; returns whether it took the place of all before it.
    fn apply(
        &mut self,
        image: &mut MetadataImage,
        batch: &CheckedBatch,
        changed: &mut Vec<MetadataRecord>,
    ) -> Result<bool, MetadataLogError> {
        let mut is_checkpoint = false;
        let base_offset = batch.header().base_offset;
        let records = batch.records(&mut self.inflater).map_err(MetadataLogError::Batch)?;
        for (record, offset) in records.iter().zip(base_offset..) {
            let record = record.map_err(MetadataLogError::Batch)?;
            if record.key == Some(CHECKPOINT_KEY) {
                (*image, is_checkpoint) = (MetadataImage::default(), true);
                continue;
            }
            let value = Bytes::copy_from_slice(record.value.unwrap_or_default());
            let record = MetadataRecord::decode(&value)
                .map_err(|error| MetadataLogError::Record { offset, error })?;
            image.apply(&record).map_err(|error| MetadataLogError::Apply { offset, error })?;
            // What a checkpoint says was known before.
            changed.extend((!is_checkpoint).then_some(record));
        }
        Ok(is_checkpoint)
    }

    /// Counts a batch.
    fn note(&mut self, is_checkpoint: bool, bytes: usize) {
        if is_checkpoint {
            (self.checkpoint_bytes, self.later_bytes) = (bytes, 0);
        } else {
            self.later_bytes += bytes;
        }
    }

    /// Whether a checkpoint is worth what it takes.
    pub(super) fn wants_checkpoint(&self) -> bool {
        self.later_bytes >= self.checkpoint_above.max(4 * self.checkpoint_bytes)
    }

    /// Appends batches, all or none of them; what comes of each is received.
    ///
    /// - `epoch`: in which they were decided; in another they are refused.
    pub(super) fn append(&self, batches: Vec<ProducedBatch>, epoch: i32) -> Appends {
        let (appends, results) = batches
            .into_iter()
            .map(|batch| {
                let (reply, result) = oneshot::channel();
                let partition = Arc::clone(&self.partition);
                let until = Until::Committed;
                let epoch = Some(epoch);
                (Append { partition, batch, until, epoch, reply, permit: None }, result)
            })
            .unzip();
        self.shard.send(Command::Append(appends));
        results
    }

    /// Has another broker decide.
    pub(super) fn resign(&self) {
        self.shard.send(Command::Resign(METADATA));
    }

    /// Has these follow the log without a vote, where this broker leads it.
    pub(super) fn observe(&self, observers: Arc<[ReplicaId]>) {
        self.shard.send(Command::Observe(METADATA, observers));
    }

    /// The other brokers that answer this one.
    pub(super) async fn there(&self) -> Vec<i32> {
        let (reply, there) = oneshot::channel();
        self.shard.send(Command::There(METADATA, reply));
        there.await.unwrap_or_default()
    }

    /// Lets go of what stands before a checkpoint.
    ///
    /// - `offset`: where it begins.
    pub(super) async fn drop_before(&self, offset: i64) {
        let (reply, moved) = oneshot::channel();
        self.shard.send(Command::DeleteRecords(METADATA, offset, reply));
        if let Ok(Err(error)) = moved.await {
            tracing::warn!(%error, "what stands before the checkpoint stays");
        }
    }
}

/// The batch of one decision.
///
/// # Errors
/// What the format can't hold.
pub(super) fn decision(records: &[MetadataRecord]) -> Result<ProducedBatch, BatchError> {
    batch(None, records)
}

/// The batch that stands for all before it.
///
/// # Errors
/// What the format can't hold.
pub(super) fn checkpoint(image: &MetadataImage) -> Result<ProducedBatch, BatchError> {
    batch(Some(CHECKPOINT_KEY), &image.records().collect::<Vec<_>>())
}

fn batch(key: Option<&[u8]>, records: &[MetadataRecord]) -> Result<ProducedBatch, BatchError> {
    let mut builder = BatchBuilder::new(Codec::None);
    let now_ms = now_ms();
    if let Some(key) = key {
        builder.append(now_ms, Some(key), None, &[])?;
    }
    for record in records {
        let value = record.encode().expect("a decision checks what it writes");
        builder.append(now_ms, None, Some(&value), &[])?;
    }
    ProducedBatch::check(builder.build()?, &mut Inflater::default())
}

fn batches(view: &Arc<LogView>, from: i64, until: ReadUntil) -> Result<Bytes, StorageError> {
    match view.read(from, READ_BYTES, until)? {
        Found::Nothing => Ok(Bytes::new()),
        Found::Batches(bytes) => Ok(bytes),
        Found::Cold(cold) => cold.run(),
    }
}

#[cfg(test)]
mod tests;
