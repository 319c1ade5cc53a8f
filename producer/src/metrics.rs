//! What a producer counts, by the `metrics` facade: once a batch, never once a record. The crate's
//! doc lists it.

use metrics::counter;

use crate::batch::Batch;
use crate::queue::Verdict;

/// Counts what an answer means.
pub(crate) fn answered(batch: &Batch, verdict: &Verdict) {
    let records = u64::from(batch.record_count().unsigned_abs());
    match verdict {
        Verdict::Appended(_) => {
            counter!("logboom_producer_records_total").increment(records);
            counter!("logboom_producer_bytes_total").increment(batch.bytes() as u64);
            counter!("logboom_producer_batches_total").increment(1);
        }
        // One record can't be divided.
        Verdict::TooLarge(error) if records == 1 => {
            failed(records);
            tracing::warn!(%error, "a record is too large");
        }
        Verdict::Refused(error) => {
            failed(records);
            tracing::warn!(%error, records, "records were refused");
        }
        Verdict::Again { error, .. }
        | Verdict::OutOfOrder { error, .. }
        | Verdict::TooLarge(error) => {
            counter!("logboom_producer_retries_total").increment(1);
            tracing::debug!(%error, records, "a batch is sent again");
        }
    }
}

/// So many records have failed.
pub(crate) fn failed(records: u64) {
    if records > 0 {
        counter!("logboom_producer_failed_records_total").increment(records);
    }
}
