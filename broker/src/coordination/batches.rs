//! Records as batches of the partition.

use logboom_groups::record::GroupRecord;
use logboom_protocol::records::{BatchBuilder, BatchError, Codec, Inflater, ProducedBatch};

/// Bytes of records after which a batch is closed.
const BATCH_BYTES: usize = 512 << 10;

/// Makes batches of records, in order.
///
/// # Errors
/// What the format can't hold.
pub(super) fn build(
    records: &[GroupRecord],
    now_ms: i64,
) -> Result<Vec<ProducedBatch>, BatchError> {
    let (mut batches, mut inflater) = (Vec::new(), Inflater::default());
    let mut builder = BatchBuilder::new(Codec::None);
    for record in records {
        let encoded = record.encode().expect("a coordinator checks the names that it takes");
        builder.append(now_ms, Some(&encoded.key), encoded.value.as_deref(), &[])?;
        if builder.uncompressed_bytes() >= BATCH_BYTES {
            let full = std::mem::replace(&mut builder, BatchBuilder::new(Codec::None));
            batches.push(ProducedBatch::check(full.build()?, &mut inflater)?);
        }
    }
    if builder.record_count() > 0 {
        batches.push(ProducedBatch::check(builder.build()?, &mut inflater)?);
    }
    Ok(batches)
}
