//! Reading a segment from its first batch to its last, in large pieces, every batch checked.

use logboom_protocol::records::{BatchError, RawBatch};

use super::super::{LogView, Segment};
use super::{CleanError, Pace};
use crate::error::{Damage, Doing as _, StorageError};
use crate::scan::{self, Expected, Place};
use crate::segment::HEADER_BYTES;

/// Bytes that are read at once; a batch larger than that is read in one piece.
const PIECE_BYTES: usize = 1 << 20;

/// What a reader says to a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    GoOn,
    Stop,
}

/// Is given every batch.
pub(super) type Each<'a> = dyn FnMut(&RawBatch<'_>, &mut dyn Pace) -> Result<Step, CleanError> + 'a;

/// A reading of one segment.
pub(super) struct Reading<'a> {
    pub(super) view: &'a LogView,
    pub(super) segment: &'a Segment,
    pub(super) buffer: &'a mut Vec<u8>,
}

impl Reading<'_> {
    /// Hands every batch to `each` until that says to stop; returns how many bytes were read.
    pub(super) fn run(
        &mut self,
        pace: &mut dyn Pace,
        each: &mut Each<'_>,
    ) -> Result<u64, CleanError> {
        let Self { view, segment, buffer } = self;
        let (path, epochs) = (segment.path(&view.shared, &view.key), view.epochs());
        let file = segment.open(&view.shared, &view.key)?;
        let (end, mut total) = (segment.end(), 0);
        let mut at = Place { position: HEADER_BYTES, offset: segment.base_offset };
        let corrupt = |at: Place, what| StorageError::corrupt(&path, at.position.into(), what);
        let expected = Expected { epochs: &epochs, gaps: false };
        let mut wanted = PIECE_BYTES;
        while at.position < end.position {
            view.check_there()?;
            let left = (end.position - at.position) as usize;
            buffer.resize(wanted.min(left), 0);
            let read = file.file.read_at(at.position.into(), buffer).doing("read", &path)?;
            if read < buffer.len() {
                let present = u64::from(at.position) + read as u64;
                let what = Damage::Short { expected: end.position.into(), present };
                return Err(corrupt(at, what).into());
            }
            total += read as u64;
            if !pace.moved(read) {
                return Err(CleanError::Stopped);
            }
            let mut rest = &buffer[..read];
            let begun = at.position;
            wanted = PIECE_BYTES;
            while !rest.is_empty() {
                let (batch, behind) = match RawBatch::split_first(rest) {
                    Ok(split) => split,
                    // It goes on behind the piece, if the segment does.
                    Err(BatchError::Truncated { needed, .. })
                        if needed <= (end.position - at.position) as usize
                            && (at.position > begun || needed > read) =>
                    {
                        wanted = needed.max(PIECE_BYTES);
                        break;
                    }
                    Err(error) => return Err(corrupt(at, Damage::Batch(error)).into()),
                };
                scan::check_batch(&batch, at.offset, &expected).map_err(|it| corrupt(at, it))?;
                at.offset = end_of(&batch);
                at.position += u32::try_from(batch.bytes().len()).unwrap_or(u32::MAX);
                rest = behind;
                if each(&batch, pace)? == Step::Stop {
                    return Ok(total);
                }
            }
        }
        if at.offset != end.offset {
            let (expected, found) = (end.offset, at.offset);
            let what = Damage::Relation { field: "end offset", expected, found };
            return Err(corrupt(at, what).into());
        }
        Ok(total)
    }
}

/// The offset behind a batch.
pub(super) fn end_of(batch: &RawBatch<'_>) -> i64 {
    batch.header().base_offset + i64::from(batch.header().last_offset_delta) + 1
}

/// Whether a batch belongs to a transaction, or ends one.
pub(super) fn is_of_transaction(batch: &RawBatch<'_>) -> bool {
    let attributes = batch.header().attributes;
    attributes.is_transactional() || attributes.is_control()
}

/// Records that can't be read, though their checksum is right.
pub(super) fn broken(view: &LogView, segment: &Segment, error: BatchError) -> CleanError {
    let path = segment.path(&view.shared, &view.key);
    StorageError::corrupt(&path, 0, Damage::Batch(error)).into()
}
