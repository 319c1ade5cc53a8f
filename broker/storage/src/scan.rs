//! Reading through a segment's file, batch by batch, without believing anything.
//!
//! Recovery reads the tail so, the verifier a whole file, and an index is made anew so.

use std::path::Path;

use logboom_protocol::records::{BatchError, BatchHeader, RawBatch, layout};

use crate::disk::ReadAt;
use crate::error::{Damage, Doing as _, StorageError};
use crate::state::EpochStart;

/// Bytes that are read at once; a batch larger than that is read in one piece.
const PIECE_BYTES: usize = 1 << 20;

/// What is expected of the batches of a segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'a> {
    /// Every epoch of the log with its first offset, oldest first.
    pub(crate) epochs: &'a [EpochStart],
    /// Whether offsets may be missing between batches, as compaction leaves it.
    pub(crate) gaps: bool,
}

/// Where a scan is, and where it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Bytes from the start of the file.
    pub(crate) position: u32,
    /// The offset that the next batch should have.
    pub(crate) offset: i64,
}

/// Why a scan ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// At the given length.
    Limit,
    /// At zeros: nothing was written there.
    Zeros,
    /// At something that is no batch of this log.
    Damaged(Damage),
}

/// The epoch of the batch with that offset.
pub(crate) fn epoch_at(epochs: &[EpochStart], offset: i64) -> Option<i32> {
    let after = epochs.partition_point(|start| start.start_offset <= offset);
    Some(epochs.get(after.checked_sub(1)?)?.epoch)
}

/// Checks a batch by itself and by its relation to what stands before it.
pub(crate) fn check_batch(
    batch: &RawBatch<'_>,
    offset: i64,
    expected: &Expected<'_>,
) -> Result<(), Damage> {
    let header = batch.header();
    batch.check().map_err(Damage::Batch)?;
    let base = header.base_offset;
    if base < offset || (base > offset && !expected.gaps) {
        return Err(Damage::Relation { field: "base offset", expected: offset, found: base });
    }
    // Below the log start the epochs are forgotten, and the first segment may begin there.
    match epoch_at(expected.epochs, base) {
        Some(epoch) if header.leader_epoch != epoch => {
            let found = header.leader_epoch.into();
            Err(Damage::Relation { field: "leader epoch", expected: epoch.into(), found })
        }
        _ => Ok(()),
    }
}

/// Reads batches from `start` up to `limit` bytes of the file, and hands each good one with its
/// position to `each`.
///
/// # Errors
/// What the device says; damage is not an error but an [`End`].
pub(crate) fn scan(
    file: &dyn ReadAt,
    path: &Path,
    start: Place,
    limit: u32,
    expected: &Expected<'_>,
    each: &mut dyn FnMut(u32, &RawBatch<'_>),
) -> Result<(Place, End), StorageError> {
    let mut place = start;
    let mut buffer = Vec::new();
    let mut piece_bytes = PIECE_BYTES;
    loop {
        let left = limit.saturating_sub(place.position) as usize;
        if left == 0 {
            return Ok((place, End::Limit));
        }
        buffer.resize(left.min(piece_bytes), 0);
        let read = file.read_at(place.position.into(), &mut buffer).doing("read", path)?;
        if read == 0 {
            // The file is shorter than it should be.
            return Ok((place, End::Limit));
        }
        let piece = &buffer[..read];
        let (next, end) = scan_piece(piece, place, expected, each);
        let progress = next.position > place.position;
        place = next;
        match end {
            None => {}
            // The batch goes on behind the piece, if there is anything behind it.
            Some(Damage::Batch(BatchError::Truncated { needed, .. }))
                if needed <= left && read == buffer.len() && (progress || needed > read) =>
            {
                piece_bytes = needed.max(PIECE_BYTES);
            }
            Some(damage) => {
                let end = if is_zeros(file, path, place.position, limit)? {
                    End::Zeros
                } else {
                    End::Damaged(damage)
                };
                return Ok((place, end));
            }
        }
    }
}

/// Scans what is in memory; returns the place behind the last good batch, and what stopped it.
fn scan_piece(
    piece: &[u8],
    start: Place,
    expected: &Expected<'_>,
    each: &mut dyn FnMut(u32, &RawBatch<'_>),
) -> (Place, Option<Damage>) {
    let mut place = start;
    let mut rest = piece;
    while !rest.is_empty() {
        let (batch, behind) = match RawBatch::split_first(rest) {
            Ok(split) => split,
            Err(error) => return (place, Some(Damage::Batch(error))),
        };
        if let Err(damage) = check_batch(&batch, place.offset, expected) {
            return (place, Some(damage));
        }
        let header = batch.header();
        each(place.position, &batch);
        // The check saw that the sum exists.
        place.offset = header.base_offset + i64::from(header.last_offset_delta) + 1;
        place.position += u32::try_from(batch.bytes().len()).unwrap_or(u32::MAX);
        rest = behind;
    }
    (place, None)
}

/// Whether nothing but zeros lies from `position` on as far as a batch's header reaches, which is
/// what space looks like that was reserved and not written.
fn is_zeros(
    file: &dyn ReadAt,
    path: &Path,
    position: u32,
    limit: u32,
) -> Result<bool, StorageError> {
    let mut head = [0; layout::HEADER_BYTES];
    let bytes = head.len().min(limit.saturating_sub(position) as usize);
    let read = file.read_at(position.into(), &mut head[..bytes]).doing("read", path)?;
    Ok(head[..read].iter().all(|&byte| byte == 0))
}

/// What lies behind the end of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// Nothing was written there.
    Zeros,
    /// Bytes, but no batch that continues the offsets.
    Garbage,
    /// A batch that continues the offsets: whole, with the right epoch, and its base offset at or
    /// behind the end.
    Batch(Place),
}

/// Looks at what lies behind the end of a scan. A search that has to look into too much finds no
/// batch.
///
/// # Errors
/// What the device says.
pub(crate) fn look_behind(
    file: &dyn ReadAt,
    path: &Path,
    end: Place,
    limit: u32,
    expected: &Expected<'_>,
) -> Result<Behind, StorageError> {
    let gaps = Expected { gaps: true, ..*expected };
    let mut position = behind_refused(file, path, end, limit, expected)?;
    let (mut buffer, mut budget_bytes) = (Vec::new(), SEARCH_BYTES_MAX);
    let mut behind =
        if is_zeros(file, path, end.position, limit)? { Behind::Zeros } else { Behind::Garbage };
    while position < limit {
        let left = limit.saturating_sub(position) as usize;
        buffer.resize(left.min(2 * PIECE_BYTES), 0);
        let read = file.read_at(position.into(), &mut buffer).doing("read", path)?;
        let piece = &buffer[..read];
        // Only the first half is looked at, so that most batches are whole within the piece.
        let starts = if read == left { read } else { read.min(PIECE_BYTES) };
        // Reserved space, which is most of what is looked through here, is passed over quickly.
        if piece.iter().any(|&byte| byte != 0) {
            behind = Behind::Garbage;
            let mut tail = Tail { file, path, limit, piece, position, end, budget_bytes };
            if let Some(place) = tail.find_batch(starts, &gaps)? {
                return Ok(Behind::Batch(place));
            }
            budget_bytes = tail.budget_bytes;
        }
        position += u32::try_from(starts.max(1)).unwrap_or(u32::MAX);
    }
    Ok(behind)
}

/// Where to look for a batch behind the one that was refused at `end`.
///
/// Where its header is the one expected, everything within its length is its payload, and a batch
/// in a record's value is none of this log's.
fn behind_refused(
    file: &dyn ReadAt,
    path: &Path,
    end: Place,
    limit: u32,
    expected: &Expected<'_>,
) -> Result<u32, StorageError> {
    let mut head = [0; layout::HEADER_BYTES];
    let read = file.read_at(end.position.into(), &mut head).doing("read", path)?;
    let header = BatchHeader::from_bytes(&head);
    let is_expected = read == head.len()
        && header.magic == layout::MAGIC
        && header.base_offset == end.offset
        && Some(header.leader_epoch) == epoch_at(expected.epochs, end.offset);
    let size = u32::try_from(header.length).ok();
    let size = size.and_then(|length| length.checked_add(LENGTH_OVERHEAD));
    let behind = size.filter(|_| is_expected).and_then(|size| end.position.checked_add(size));
    Ok(behind.map_or(end.position + 1, |behind| behind.min(limit)))
}

/// Whether the batch that was refused at `at` had been written to its end, so that something has
/// changed it since: a write that was cut short leaves sectors as they were reserved, zeros.
///
/// # Errors
/// What the device says.
pub(crate) fn was_whole(
    file: &dyn ReadAt,
    path: &Path,
    at: Place,
    limit: u32,
    expected: &Expected<'_>,
) -> Result<bool, StorageError> {
    let header_bytes = u32::try_from(layout::HEADER_BYTES).unwrap_or(u32::MAX);
    let header = u64::from(at.position) + u64::from(header_bytes);
    if header > limit.into() || has_empty_sector(file, path, at.position, header_bytes)? {
        return Ok(false);
    }
    // Where the header isn't the one that was written, its length says nothing.
    let behind = behind_refused(file, path, at, limit, expected)?;
    let bytes = behind - at.position;
    Ok(bytes == 1 || (behind < limit && !has_empty_sector(file, path, at.position, bytes)?))
}

/// What a device writes as a whole, at least.
const SECTOR_BYTES: u32 = 512;

/// Whether a part of a file has nothing but zeros in one of its sectors, of which more than a few
/// bytes belong to it.
fn has_empty_sector(
    file: &dyn ReadAt,
    path: &Path,
    position: u32,
    bytes: u32,
) -> Result<bool, StorageError> {
    let end = position.saturating_add(bytes);
    let (mut at, mut buffer) = (position, [0; SECTOR_BYTES as usize]);
    while at < end {
        let next = (at / SECTOR_BYTES + 1).saturating_mul(SECTOR_BYTES).min(end);
        let part = &mut buffer[..(next - at) as usize];
        let read = file.read_at(at.into(), part).doing("read", path)?;
        // A few bytes of what was written may be zeros: the first ones of an offset, the last one
        // of a record.
        let is_telling = part.len() >= LENGTH_OVERHEAD as usize;
        if is_telling && part[..read].iter().all(|&byte| byte == 0) {
            return Ok(true);
        }
        at = next;
    }
    Ok(false)
}

/// Bytes of a batch that its length doesn't count.
pub(crate) const LENGTH_OVERHEAD: u32 = 12;

const _: () = assert!(LENGTH_OVERHEAD as usize == layout::LENGTH_OVERHEAD);

/// How many offsets a lost byte can stand for at the most: compressed records are small.
const OFFSETS_PER_BYTE_MAX: i64 = 256;

/// A piece of a file in which a batch is looked for.
struct Tail<'a> {
    file: &'a dyn ReadAt,
    path: &'a Path,
    limit: u32,
    piece: &'a [u8],
    /// Where the piece begins in the file.
    position: u32,
    /// Where the log ended before what was refused.
    end: Place,
    /// Bytes whose checksums may still be computed.
    budget_bytes: u64,
}

/// Bytes of which checksums are computed behind one refused batch at the most. Only records that
/// were made to look like batches of this log need so many; then the search ends undecided.
const SEARCH_BYTES_MAX: u64 = 4 << 30;

impl Tail<'_> {
    /// The first batch at or behind `offset` that begins in the first `starts` bytes.
    fn find_batch(
        &mut self,
        starts: usize,
        expected: &Expected<'_>,
    ) -> Result<Option<Place>, StorageError> {
        for at in candidates(self.piece, starts) {
            let position = self.position + u32::try_from(at).unwrap_or(u32::MAX);
            let Some(head) = self.piece[at..].first_chunk() else { continue };
            let Some(bytes) = self.plausible(position, &BatchHeader::from_bytes(head), expected)
            else {
                continue;
            };
            if self.budget_bytes < bytes as u64 {
                return Ok(None);
            }
            self.budget_bytes -= bytes as u64;
            let base_offset = match self.piece[at..].get(..bytes) {
                Some(batch) => base_if_good(batch, self.end.offset, expected),
                None => self.read_whole(position, bytes, expected)?,
            };
            if let Some(offset) = base_offset {
                return Ok(Some(Place { position, offset }));
            }
        }
        Ok(None)
    }

    /// Bytes of a batch at `position` with this header, if one may stand there.
    fn plausible(
        &self,
        position: u32,
        header: &BatchHeader,
        expected: &Expected<'_>,
    ) -> Option<usize> {
        let bytes = usize::try_from(header.length).ok()? + layout::LENGTH_OVERHEAD;
        let is_within = bytes >= layout::HEADER_BYTES && bytes <= (self.limit - position) as usize;
        let lost_bytes = i64::from(position - self.end.position);
        let offset_max = self.end.offset.saturating_add(lost_bytes * OFFSETS_PER_BYTE_MAX);
        // A batch without records, as compaction leaves it, stands for any number of offsets.
        let is_next = lost_bytes == i64::try_from(layout::HEADER_BYTES).unwrap_or(0);
        let continues =
            header.base_offset >= self.end.offset && (is_next || header.base_offset <= offset_max);
        let has_epoch = epoch_at(expected.epochs, header.base_offset) == Some(header.leader_epoch);
        (is_within && continues && has_epoch && header.last_offset_delta >= 0).then_some(bytes)
    }

    /// Looks at a batch that doesn't fit into the piece.
    fn read_whole(
        &self,
        position: u32,
        bytes: usize,
        expected: &Expected<'_>,
    ) -> Result<Option<i64>, StorageError> {
        let mut batch = vec![0; bytes];
        let read = self.file.read_at(position.into(), &mut batch).doing("read", self.path)?;
        Ok(base_if_good(&batch[..read], self.end.offset, expected))
    }
}

fn base_if_good(bytes: &[u8], offset: i64, expected: &Expected<'_>) -> Option<i64> {
    let (batch, _) = RawBatch::split_first(bytes).ok()?;
    check_batch(&batch, offset, expected).is_ok().then(|| batch.header().base_offset)
}

/// Places at which a batch may begin: those with the magic in its place and a plausible length.
fn candidates(piece: &[u8], starts: usize) -> impl Iterator<Item = usize> + '_ {
    (0..starts).filter(|&at| {
        piece.get(at + layout::MAGIC_AT) == Some(&layout::MAGIC.cast_unsigned())
            && piece[at..at + 4].iter().all(|&byte| byte < 0x80)
            && piece[at + layout::LENGTH_AT] < 0x80
    })
}
