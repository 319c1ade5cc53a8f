//! The ids of idempotent producers, handed out to brokers in blocks (KIP-730).

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use logboom_protocol::ErrorCode;

use crate::MetadataImage;
use crate::decision::Decision;
use crate::record::MetadataRecord;

/// Ids of a block.
pub const PRODUCER_ID_BLOCK: i64 = 1_000;

/// All ids are handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerIdsExhausted;

impl ProducerIdsExhausted {
    /// The protocol's code.
    #[must_use]
    pub fn code(self) -> ErrorCode {
        ErrorCode::UNKNOWN_SERVER_ERROR
    }
}

impl fmt::Display for ProducerIdsExhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no producer ids are left")
    }
}

impl core::error::Error for ProducerIdsExhausted {}

/// Hands out the next block, half-open. No id is ever in two blocks; those that a broker didn't use
/// are lost when it ends.
///
/// # Errors
/// [`ProducerIdsExhausted`] after 2⁶³ of them.
pub fn allocate_producer_ids(
    image: &MetadataImage,
) -> Result<Decision<Range<i64>>, ProducerIdsExhausted> {
    let first = image.next_producer_id();
    let next_producer_id = first.checked_add(PRODUCER_ID_BLOCK).ok_or(ProducerIdsExhausted)?;
    let records = Vec::from([MetadataRecord::ProducerIdBlock { next_producer_id }]);
    Ok(Decision { records, response: first..next_producer_id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_follow_each_other_until_there_are_no_more() {
        let mut image = MetadataImage::default();
        for expected in [0..1_000, 1_000..2_000] {
            let decision = allocate_producer_ids(&image).unwrap();
            assert_eq!(decision.response, expected);
            image = image.with(&decision.records).unwrap();
        }
        let next_producer_id = i64::MAX - PRODUCER_ID_BLOCK + 1;
        image.apply(&MetadataRecord::ProducerIdBlock { next_producer_id }).unwrap();
        assert_eq!(allocate_producer_ids(&image), Err(ProducerIdsExhausted));
    }
}
