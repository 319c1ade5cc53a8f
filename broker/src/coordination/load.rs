//! From a partition's log to its coordinator. Waits for the device: not for a shard's thread.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use logboom_groups::record::{Decoded, GroupRecord};
use logboom_groups::{Coordinator, Options};
use logboom_protocol::records::{BatchError, CheckedBatch, Inflater, RawBatches};
use logboom_storage::{Found, LogView, ReadUntil, StorageError};

/// Bytes that are read at once.
const READ_BYTES: u32 = 1 << 20;
/// The type of a transaction's end in the key of its record: two bytes version, then this.
const ABORTED: &[u8] = &[0, 0];
const COMMITTED: &[u8] = &[0, 1];

/// Why a partition can't be read.
#[derive(Debug)]
pub(super) enum LoadError {
    /// The log.
    Storage(StorageError),
    /// A batch of it.
    Batch(BatchError),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(error) => error.fmt(f),
            Self::Batch(error) => error.fmt(f),
        }
    }
}

/// A coordinator that has replayed its partition.
pub(super) struct Loaded {
    pub(super) coordinator: Coordinator,
    /// Records.
    pub(super) records: usize,
    /// Of them, those of kinds that aren't known here.
    pub(super) unknown: usize,
    /// And those that are broken; the first says so in the log.
    pub(super) broken: usize,
}

/// Replays a partition up to its high watermark.
///
/// # Errors
/// [`LoadError`]: what is there can't be known.
pub(super) fn load(view: &Arc<LogView>, options: Options) -> Result<Loaded, LoadError> {
    let coordinator = Coordinator::new(options);
    let mut loaded = Loaded { coordinator, records: 0, unknown: 0, broken: 0 };
    let mut inflater = Inflater::default();
    let mut offset = view.log_start_offset();
    loop {
        let bytes = read(view, offset).map_err(LoadError::Storage)?;
        if bytes.is_empty() {
            return Ok(loaded);
        }
        for batch in RawBatches::new(&bytes) {
            let batch = batch.map_err(LoadError::Batch)?;
            let batch = CheckedBatch::check(bytes.slice_ref(batch.bytes()));
            let batch = batch.map_err(LoadError::Batch)?;
            let header = batch.header();
            offset = header.base_offset + i64::from(header.last_offset_delta) + 1;
            loaded.take(&batch, &mut inflater)?;
        }
    }
}

fn read(view: &Arc<LogView>, offset: i64) -> Result<Bytes, StorageError> {
    match view.read(offset, READ_BYTES, ReadUntil::HighWatermark)? {
        Found::Nothing => Ok(Bytes::new()),
        Found::Batches(bytes) => Ok(bytes),
        Found::Cold(cold) => cold.run(),
    }
}

impl Loaded {
    fn take(&mut self, batch: &CheckedBatch, inflater: &mut Inflater) -> Result<(), LoadError> {
        let attributes = batch.header().attributes;
        let producer_id = attributes.is_transactional().then_some(batch.header().producer_id);
        let records = batch.records(inflater).map_err(LoadError::Batch)?;
        for record in &records {
            let record = record.map_err(LoadError::Batch)?;
            self.records += 1;
            // What a coordinator keeps must not keep the log's bytes.
            let key = Bytes::copy_from_slice(record.key.unwrap_or_default());
            let value = record.value.map(Bytes::copy_from_slice);
            match producer_id {
                Some(id) if attributes.is_control() => self.end_transaction(id, &key),
                _ => self.take_record(producer_id, &key, value.as_ref()),
            }
        }
        Ok(())
    }

    fn end_transaction(&mut self, producer_id: i64, key: &Bytes) {
        match key.get(2..) {
            Some(COMMITTED) => self.coordinator.end_transaction(producer_id, true),
            Some(ABORTED) => self.coordinator.end_transaction(producer_id, false),
            _ => self.unknown += 1,
        }
    }

    fn take_record(&mut self, producer_id: Option<i64>, key: &Bytes, value: Option<&Bytes>) {
        match (GroupRecord::decode(key, value), producer_id) {
            (Ok(Decoded::Known(record)), Some(id)) => {
                self.coordinator.replay_in_transaction(id, record);
            }
            (Ok(Decoded::Known(record)), None) => self.coordinator.replay(record),
            (Ok(Decoded::Unknown(_)), _) => self.unknown += 1,
            (Err(error), _) => {
                if self.broken == 0 {
                    tracing::error!(%error, "a record of a group is passed over");
                }
                self.broken += 1;
            }
        }
    }
}
