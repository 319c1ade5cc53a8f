//! Records as batches of the partition.

use logboom_groups::record::GroupRecord;
use logboom_protocol::records::{BatchBuilder, BatchError, Codec, Inflater, ProducedBatch};

/// Bytes of records after which a batch is closed.
const BATCH_BYTES: usize = 512 << 10;

/// Batches that are being made of records, in order.
#[derive(Default)]
pub(super) struct Batches {
    closed: Vec<ProducedBatch>,
    open: Option<BatchBuilder>,
    /// Bytes of all records.
    bytes: usize,
    inflater: Inflater,
}

impl Batches {
    /// Adds a record.
    ///
    /// # Errors
    /// What the format can't hold.
    pub(super) fn add(&mut self, record: &GroupRecord, now_ms: i64) -> Result<(), BatchError> {
        let encoded = record.encode().expect("a coordinator checks the names that it takes");
        let open = self.open.get_or_insert_with(|| BatchBuilder::new(Codec::None));
        let before = open.uncompressed_bytes();
        open.append(now_ms, Some(&encoded.key), encoded.value.as_deref(), &[])?;
        self.bytes += open.uncompressed_bytes() - before;
        if open.uncompressed_bytes() >= BATCH_BYTES {
            self.close()?;
        }
        Ok(())
    }

    /// Bytes of the records.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes all batches.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub(super) fn take(&mut self) -> Result<Vec<ProducedBatch>, BatchError> {
        self.close()?;
        self.bytes = 0;
        Ok(std::mem::take(&mut self.closed))
    }

    fn close(&mut self) -> Result<(), BatchError> {
        if let Some(open) = self.open.take() {
            self.closed.push(ProducedBatch::check(open.build()?, &mut self.inflater)?);
        }
        Ok(())
    }
}
