//! Record batches: the unit in which records travel, are checked, stored and replicated.
//!
//! ```text
//!   &[u8] ── length, magic ──▶ RawBatch ── CRC-32C, header ──▶ CheckedBatch ──▶ Records
//!                                                               │      │
//!                     every record, as a producer may send them │      │ as a replica has it
//!                                                               ▼      ▼
//!                                           ProducedBatch ── stamp ──▶ StampedBatch ──▶ log
//! ```
//!
//! Only format v2 (magic 2) exists here; older formats were removed from Kafka with version 4.
//!
//! **Invariant:** a batch's bytes are never changed in place. What a leader stamps (base offset,
//! leader epoch) lies before the part that the CRC covers and is handed out as a new header; what
//! compaction leaves of a batch ([`Retainer`]) is another one.
//!
//! Source: Apache Kafka documentation, "Record Batch"; KIP-98; `docs/format.md` has the byte table.

mod batch;
mod builder;
mod compression;
mod control;
mod error;
mod header;
pub mod layout;
mod produced;
mod record;
mod retain;
mod source;
mod stamped;
mod walk;

pub use batch::{CheckedBatch, RawBatch, RawBatches};
pub use builder::{BatchBuilder, HeaderRef, ProducerState};
pub use compression::{Codec, Inflater};
pub use control::{ControlRecord, ControlType, end_transaction_batch};
pub use error::BatchError;
pub use header::{Attributes, BatchHeader, TimestampType};
pub use produced::{ProducedBatch, Stamps};
pub use record::{Header, Headers, Record, RecordCursor, RecordIter, Records};
pub use retain::{Retained, Retainer, emptied_batch, gap_batch};
pub use stamped::StampedBatch;
pub use walk::RecordSummary;

/// CRC-32C (Castagnoli) of `parts` one after the other, as a batch carries it.
///
/// # Panics
/// Never: a CRC-32 has 32 bits.
#[must_use]
pub fn crc32c(parts: &[&[u8]]) -> u32 {
    if let [whole] = parts {
        return crc_fast::crc32_iscsi(whole);
    }
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    for part in parts {
        digest.update(part);
    }
    u32::try_from(digest.finalize()).expect("a CRC-32 has 32 bits")
}

#[cfg(test)]
mod tests;
