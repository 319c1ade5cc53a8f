//! The metadata log on our own storage: records in, image out.
//!
//! A batch holds the records of one decision, so it is there wholly or not at all. Now and then a
//! batch begins with [`CHECKPOINT_KEY`] and holds everything that is known; the log start moves up
//! to it, and a start reads from there.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use logboom_controller::image::ApplyError;
use logboom_controller::record::BadRecord;
use logboom_controller::{MetadataImage, MetadataRecord};
use logboom_protocol::records::{
    BatchBuilder, BatchError, CheckedBatch, Codec, Inflater, RawBatches, StampedBatch,
};
use logboom_protocol::units::{LeaderEpoch, Offset, Uuid};
use logboom_raft::{Effects, Group};
use logboom_storage::state::GroupKey;
use logboom_storage::{
    Directory, Finding, Found, Log, LogOptions, LogView, ReadUntil, StorageError,
};

use crate::clock::now_ms;
use crate::partition::Seat;

/// The partition of the metadata log; its topic id is the reference's.
pub(crate) const METADATA: GroupKey = GroupKey { topic_id: METADATA_TOPIC_ID, partition: 0 };

const METADATA_TOPIC_ID: Uuid = {
    let mut id = [0; 16];
    id[15] = 1;
    Uuid(id)
};

/// The key of the first record of a batch that holds everything.
const CHECKPOINT_KEY: &[u8] = b"checkpoint";

/// Bytes behind a checkpoint that are worth another one, if they are four times as many as it took.
const CHECKPOINT_ABOVE_BYTES: usize = 1 << 20;

/// The most bytes of one decision's records.
pub(crate) const DECISION_BYTES_MAX: usize = 64 << 20;

/// Bytes that are read at once.
const READ_BYTES: u32 = 4 << 20;

/// Why the metadata log can't be read or written.
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
fn metadata_options() -> LogOptions {
    LogOptions { retention_ms: -1, segment_bytes: 128 << 20, ..LogOptions::default() }
}

/// Opens the metadata log, which is created where there is none; its group leads then.
///
/// # Errors
/// What the storage says.
pub(crate) fn open_metadata(
    directory: &Directory,
    seat: &Seat,
) -> Result<(Log, Group, Vec<Finding>), StorageError> {
    let is_new = directory.state().group(&METADATA, |group| group.is_none());
    if is_new {
        directory.create_all(&[METADATA], 0, &seat.first_records())?;
    }
    let (mut log, findings) = directory.open_log(METADATA, metadata_options())?;
    let group = if is_new {
        seat.lead_first(directory, &METADATA)
    } else {
        seat.lead(directory, vec![&mut log]).remove(0)
    };
    Ok((log, group, findings))
}

/// The metadata log of a broker that is its own and only controller.
pub(crate) struct MetadataLog {
    log: Log,
    /// The log as a member of its Raft group, in which it leads.
    group: Group,
    /// Bytes that the last checkpoint took.
    checkpoint_bytes: usize,
    /// Bytes of the batches behind it.
    later_bytes: usize,
}

impl MetadataLog {
    /// Reads the log, whose group leads; returns the image that its records make.
    ///
    /// # Errors
    /// [`MetadataLogError`]: the broker can't know what it should do.
    pub(crate) fn load(log: Log, group: Group) -> Result<(Self, MetadataImage), MetadataLogError> {
        let mut image = MetadataImage::default();
        let mut offset = log.view().log_start_offset();
        let mut inflater = Inflater::default();
        let mut loaded = Self { log, group, checkpoint_bytes: 0, later_bytes: 0 };
        loop {
            let bytes = read(loaded.log.view(), offset).map_err(MetadataLogError::Storage)?;
            if bytes.is_empty() {
                return Ok((loaded, image));
            }
            for batch in RawBatches::new(&bytes) {
                let batch = batch.map_err(MetadataLogError::Batch)?;
                let batch = bytes.slice_ref(batch.bytes());
                let batch = CheckedBatch::check(batch).map_err(MetadataLogError::Batch)?;
                let header = batch.header();
                offset = header.base_offset + i64::from(header.last_offset_delta) + 1;
                let is_checkpoint = apply(&mut image, &batch, &mut inflater)?;
                loaded.note(is_checkpoint, batch.bytes().len());
            }
        }
    }

    /// Counts a batch.
    fn note(&mut self, is_checkpoint: bool, bytes: usize) {
        if is_checkpoint {
            (self.checkpoint_bytes, self.later_bytes) = (bytes, 0);
        } else {
            self.later_bytes += bytes;
        }
    }

    /// Appends the records of one decision.
    ///
    /// # Errors
    /// What the log says; nothing was appended.
    pub(crate) fn append(&mut self, records: &[MetadataRecord]) -> Result<(), MetadataLogError> {
        self.append_batch(None, records.iter())
    }

    fn append_batch<'a>(
        &mut self,
        key: Option<&[u8]>,
        records: impl Iterator<Item = &'a MetadataRecord>,
    ) -> Result<(), MetadataLogError> {
        let mut builder = BatchBuilder::new(Codec::None);
        let now_ms = now_ms();
        if let Some(key) = key {
            builder.append(now_ms, Some(key), None, &[]).map_err(MetadataLogError::Batch)?;
        }
        for record in records {
            let value = record.encode().expect("a decision checks what it writes");
            builder.append(now_ms, None, Some(&value), &[]).map_err(MetadataLogError::Batch)?;
        }
        let batch = builder.build().map_err(MetadataLogError::Batch)?;
        let batch = CheckedBatch::check(batch).map_err(MetadataLogError::Batch)?;
        let base = Offset::from_wire(self.log.end_offset()).expect("a log's end is an offset");
        let epoch = LeaderEpoch::from_wire(self.group.epoch()).expect("a leader has an epoch");
        let bytes = batch.bytes().len();
        let stamped = StampedBatch::by_broker(&batch, base, epoch);
        self.log.append(&[stamped]).map_err(MetadataLogError::Storage)?;
        self.group.appended(self.log.end_offset(), &mut Effects::default());
        self.note(key.is_some(), bytes);
        Ok(())
    }

    /// Flushes what was appended; waits for it.
    ///
    /// # Errors
    /// What the log says.
    pub(crate) fn flush_now(&mut self) -> Result<(), MetadataLogError> {
        self.log.flush_now().map_err(MetadataLogError::Storage)?;
        self.commit();
        Ok(())
    }

    /// What is flushed is committed: nobody else has a vote.
    fn commit(&mut self) {
        self.group.flushed(self.log.flushed_offset(), &mut Effects::default());
        self.log.set_high_watermark(self.group.commit().offset);
    }

    /// Asks for a flush of what was appended; `None` where there is nothing.
    pub(crate) fn flush(
        &mut self,
        done: impl FnOnce(Result<(), StorageError>) + Send + 'static,
    ) -> Option<i64> {
        self.log.flush(Box::new(done))
    }

    /// The flush that reached up to `offset` succeeded.
    pub(crate) fn on_flushed(&mut self, offset: i64) {
        self.log.on_flushed(offset);
        self.commit();
    }

    /// The flush failed; nothing more becomes durable.
    pub(crate) fn on_flush_failed(&mut self) {
        self.log.on_flush_failed();
    }

    /// The offset behind the last record.
    pub(crate) fn end_offset(&self) -> i64 {
        self.log.end_offset()
    }

    /// Writes everything down anew and drops what stood before, where that is worth it. Waits for
    /// the device.
    ///
    /// # Errors
    /// What the log says; what is there stays.
    pub(crate) fn checkpoint(&mut self, image: &MetadataImage) -> Result<(), MetadataLogError> {
        if self.later_bytes < CHECKPOINT_ABOVE_BYTES.max(4 * self.checkpoint_bytes) {
            return Ok(());
        }
        let start = self.log.end_offset();
        let records: Vec<MetadataRecord> = image.records().collect();
        self.append_batch(Some(CHECKPOINT_KEY), records.iter())?;
        self.flush_now()?;
        self.log.set_log_start(start).map_err(MetadataLogError::Storage)?;
        self.group.move_start(start, &mut Effects::default());
        self.group.stored(self.group.issued(), &mut Effects::default());
        Ok(())
    }

    /// Closes the log; see [`Log::close`].
    ///
    /// # Errors
    /// What the log says.
    pub(crate) fn close(self) -> Result<(), MetadataLogError> {
        self.log.close().map_err(MetadataLogError::Storage)
    }
}

fn read(view: &Arc<LogView>, offset: i64) -> Result<Bytes, StorageError> {
    match view.read(offset, READ_BYTES, ReadUntil::HighWatermark)? {
        Found::Nothing => Ok(Bytes::new()),
        Found::Batches(bytes) => Ok(bytes),
        Found::Cold(cold) => cold.run(),
    }
}

/// Adds the records of a batch; returns whether it took the place of all before it.
fn apply(
    image: &mut MetadataImage,
    batch: &CheckedBatch,
    inflater: &mut Inflater,
) -> Result<bool, MetadataLogError> {
    let mut is_checkpoint = false;
    let base_offset = batch.header().base_offset;
    for (record, offset) in
        batch.records(inflater).map_err(MetadataLogError::Batch)?.iter().zip(base_offset..)
    {
        let record = record.map_err(MetadataLogError::Batch)?;
        if record.key == Some(CHECKPOINT_KEY) {
            (*image, is_checkpoint) = (MetadataImage::default(), true);
            continue;
        }
        let value = Bytes::copy_from_slice(record.value.unwrap_or_default());
        let record = MetadataRecord::decode(&value)
            .map_err(|error| MetadataLogError::Record { offset, error })?;
        image.apply(&record).map_err(|error| MetadataLogError::Apply { offset, error })?;
    }
    Ok(is_checkpoint)
}

#[cfg(test)]
mod tests;
