//! The sparse index of a segment: where batches lie, and how late timestamps get.
//!
//! | bytes | field of an entry |
//! | ---: | --- |
//! | 4 | base offset of a batch − base offset of the segment, `u32` |
//! | 4 | where the batch begins in the segment's file, `u32` |
//! | 8 | greatest timestamp of the batches before it in the segment, `i64`; the least if none |
//! | 4 | CRC-32 of the first 21 bytes of the batch: what its own CRC doesn't cover, and that CRC |
//! | 4 | CRC-32 of the 20 bytes before |
//!
//! An index is derived: it is made from the segment, checked against it, and made again when it
//! doesn't fit. It is never believed over the log.
//!
//! Must always hold: offsets and positions of the entries grow, timestamps don't shrink; an index
//! says how far it goes, and of what lies beyond it says nothing.

use std::path::Path;

use logboom_protocol::records::{BatchHeader, RawBatch};

use crate::scan::LENGTH_OVERHEAD;
use crate::segment::HEADER_BYTES;

/// Bytes of an entry in a file.
pub(crate) const ENTRY_BYTES: usize = 24;

/// Bytes at the start of a batch that an entry's checksum covers.
pub(crate) const PREFIX_BYTES: usize = 21;

/// Where one batch lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    /// Base offset of the batch, relative to the segment's.
    pub(crate) relative_offset: u32,
    /// Where the batch begins in the file.
    pub(crate) position: u32,
    /// The greatest timestamp of all batches before this one in the segment.
    pub(crate) max_timestamp_before: i64,
    /// CRC-32 of the batch's first bytes.
    pub(crate) prefix_crc: u32,
}

impl IndexEntry {
    fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..4].copy_from_slice(&self.relative_offset.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.position.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.max_timestamp_before.to_be_bytes());
        bytes[16..20].copy_from_slice(&self.prefix_crc.to_be_bytes());
        let crc = crc32fast::hash(&bytes[..20]);
        bytes[20..].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> Option<Self> {
        let field = |at: usize| bytes[at..].first_chunk::<4>().copied().unwrap_or_default();
        if crc32fast::hash(&bytes[..20]).to_be_bytes() != field(20) {
            return None;
        }
        Some(Self {
            relative_offset: u32::from_be_bytes(field(0)),
            position: u32::from_be_bytes(field(4)),
            max_timestamp_before: i64::from_be_bytes(*bytes[8..].first_chunk()?),
            prefix_crc: u32::from_be_bytes(field(16)),
        })
    }
}

/// The index of a segment, in memory: right as far as it covers the segment, silent beyond.
///
/// **Invariant:** it covers the segment from its first batch on, without a part left out. What
/// couldn't be read on the way is passed over and remembered: then the timestamps aren't known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Index {
    entries: Vec<IndexEntry>,
    /// Bytes of the file from one entry to the next, at least.
    interval_bytes: u32,
    /// The greatest timestamp of all batches that were noted.
    max_timestamp: i64,
    /// Where the part that is covered ends in the file, exclusive.
    covers: u32,
    /// The offset behind it, relative to the segment's base offset.
    covers_offset: i64,
    /// Whether a part below `covers` was passed over.
    gaps: bool,
    /// Whether the next batch is the first behind such a part: it has an entry, as nobody walks
    /// there from the one before.
    behind_gap: bool,
    /// Whether something stands at `covers` behind which no batch can be found.
    blocked: bool,
    /// Entries below this position are a file's word and were not made by this process.
    from_file: u32,
}

impl Index {
    /// The index that covers nothing of a segment yet.
    pub(crate) fn new(interval_bytes: u32) -> Self {
        Self {
            entries: Vec::new(),
            interval_bytes,
            max_timestamp: i64::MIN,
            covers: HEADER_BYTES,
            covers_offset: 0,
            gaps: false,
            behind_gap: false,
            blocked: false,
            from_file: 0,
        }
    }

    /// Takes notice of the batch that begins at `position`. One that doesn't stand where the index
    /// ends is none of its business: who extends it comes to that batch in its turn.
    ///
    /// - `head`: the batch, or at least its header, as it lies in the file.
    pub(crate) fn note(
        &mut self,
        relative_offset: u32,
        position: u32,
        head: &[u8],
        max_timestamp: i64,
    ) {
        let Some(header) = head.first_chunk().map(BatchHeader::from_bytes) else { return };
        if position != self.covers {
            return;
        }
        let is_due = |last: &IndexEntry| position - last.position >= self.interval_bytes;
        if std::mem::take(&mut self.behind_gap) || self.entries.last().is_none_or(is_due) {
            self.entries.push(IndexEntry {
                relative_offset,
                position,
                max_timestamp_before: self.max_timestamp,
                prefix_crc: prefix_crc(head),
            });
        }
        self.max_timestamp = self.max_timestamp.max(max_timestamp);
        // The batch was checked before, so its length is one.
        let length = u32::try_from(header.length).unwrap_or(0);
        self.covers = position.saturating_add(length).saturating_add(LENGTH_OVERHEAD);
        self.covers_offset = i64::from(relative_offset) + i64::from(header.last_offset_delta) + 1;
    }

    /// Takes notice of a batch that was read from the segment.
    pub(crate) fn note_read(
        &mut self,
        segment_base_offset: i64,
        position: u32,
        batch: &RawBatch<'_>,
    ) {
        let header = batch.header();
        let relative = u32::try_from(header.base_offset - segment_base_offset);
        self.note(relative.unwrap_or(u32::MAX), position, batch.bytes(), header.max_timestamp);
    }

    /// Goes on behind a part that was fenced: as if nothing had been there.
    ///
    /// - `offset`: the first one behind it, relative to the segment's base offset.
    pub(crate) fn pass_over(&mut self, position: u32, offset: i64) {
        (self.gaps, self.behind_gap) = (true, true);
        (self.covers, self.covers_offset) = (position, offset);
    }

    /// Goes on behind a batch that is damaged: whoever looks for a timestamp is to come by it.
    pub(crate) fn pass_over_damage(&mut self, position: u32, offset: i64) {
        self.pass_over(position, offset);
        self.max_timestamp = i64::MAX;
    }

    /// Ends for good: behind what stands there no batch can be found.
    pub(crate) fn block(&mut self) {
        self.blocked = true;
    }

    /// Up to which position of the file it is complete, exclusive.
    pub(crate) fn covers(&self) -> u32 {
        self.covers
    }

    /// The offset behind what it covers, relative to the segment's base offset.
    pub(crate) fn covers_offset(&self) -> i64 {
        self.covers_offset
    }

    /// Whether looking into a segment that ends at `log_bytes` takes a walk over no more than
    /// `walk_bytes` behind the index, or nothing can be done about it.
    pub(crate) fn reaches(&self, log_bytes: u32, walk_bytes: u32) -> bool {
        self.blocked || self.covers.saturating_add(walk_bytes) >= log_bytes
    }

    /// Whether it covers a segment that ends at `log_bytes`, with nothing passed over.
    pub(crate) fn is_whole(&self, log_bytes: u32) -> bool {
        self.covers == log_bytes && !self.gaps
    }

    /// Whether an entry was read from a file, and not made from the segment by this process.
    pub(crate) fn is_hearsay(&self, entry: &IndexEntry) -> bool {
        entry.position < self.from_file
    }

    /// The last entry at or before `relative_offset`, or `None` where the segment begins later.
    pub(crate) fn floor_offset(&self, relative_offset: u32) -> Option<IndexEntry> {
        let after = self.entries.partition_point(|entry| entry.relative_offset <= relative_offset);
        self.entries.get(after.checked_sub(1)?).copied()
    }

    /// The last entry that begins at or before `position`.
    pub(crate) fn floor_position(&self, position: u32) -> Option<IndexEntry> {
        let after = self.entries.partition_point(|entry| entry.position <= position);
        self.entries.get(after.checked_sub(1)?).copied()
    }

    /// The entry from which to look for the first batch with a timestamp of at least `timestamp`;
    /// `None` where that is the first batch of the segment.
    pub(crate) fn floor_timestamp(&self, timestamp: i64) -> Option<IndexEntry> {
        // Behind the last entry before which all timestamps are less.
        let after = self.entries.partition_point(|entry| entry.max_timestamp_before < timestamp);
        self.entries.get(after.saturating_sub(1)).copied()
    }

    /// The greatest timestamp of all batches below `log_bytes`; `None` without batches, or where it
    /// doesn't know all of them.
    pub(crate) fn max_timestamp(&self, log_bytes: u32) -> Option<i64> {
        (!self.entries.is_empty() && self.is_whole(log_bytes)).then_some(self.max_timestamp)
    }

    /// The contents of an index file, for what it covers.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FILE_HEADER_BYTES + self.entries.len() * ENTRY_BYTES);
        bytes.extend(MAGIC);
        bytes.extend(self.covers.to_be_bytes());
        bytes.extend(self.interval_bytes.to_be_bytes());
        bytes.extend(self.max_timestamp.to_be_bytes());
        let count = u32::try_from(self.entries.len()).expect("fewer entries than bytes of a log");
        bytes.extend(count.to_be_bytes());
        let crc = crc32fast::hash(&bytes);
        bytes.extend(crc.to_be_bytes());
        self.entries.iter().for_each(|entry| bytes.extend(entry.to_bytes()));
        bytes
    }

    /// Reads an index file; `None` for anything that is not wholly right, which is then made anew
    /// from the segment. It covers what lies below its last entry: from there on the segment is to
    /// be read again, which also shows whether it is the index of this segment.
    ///
    /// - `log_bytes`: where the segment's log ends. The index may be that of a shorter log.
    pub(crate) fn from_bytes(bytes: &[u8], log_bytes: u32) -> Option<Self> {
        let (header, entries) = bytes.split_first_chunk::<FILE_HEADER_BYTES>()?;
        let field = |at: usize| header[at..].first_chunk::<4>().copied().unwrap_or_default();
        let crc = crc32fast::hash(&header[..FILE_HEADER_BYTES - 4]);
        if header[..8] != MAGIC || crc.to_be_bytes() != field(FILE_HEADER_BYTES - 4) {
            return None;
        }
        let (chunks, rest) = entries.as_chunks::<ENTRY_BYTES>();
        if !rest.is_empty() || chunks.len() != u32::from_be_bytes(field(24)) as usize {
            return None;
        }
        let mut entries: Vec<IndexEntry> =
            chunks.iter().map(IndexEntry::from_bytes).collect::<Option<_>>()?;
        let covers = u32::from_be_bytes(field(8));
        if covers > log_bytes || !is_sound(&entries, covers) {
            return None;
        }
        let last = entries.pop()?;
        Some(Self {
            entries,
            max_timestamp: last.max_timestamp_before,
            covers: last.position,
            covers_offset: last.relative_offset.into(),
            from_file: last.position,
            ..Self::new(u32::from_be_bytes(field(12)))
        })
    }
}

/// Whether entries may be those of a segment that ends at `covers`.
fn is_sound(entries: &[IndexEntry], covers: u32) -> bool {
    let grows = entries.windows(2).all(|pair| {
        pair[0].relative_offset < pair[1].relative_offset
            && pair[0].position < pair[1].position
            && pair[0].max_timestamp_before <= pair[1].max_timestamp_before
    });
    grows
        && entries.last().is_none_or(|last| last.position < covers)
        && entries.first().is_none_or(|first| first.position == HEADER_BYTES)
}

/// What an entry remembers of the start of its batch.
pub(crate) fn prefix_crc(head: &[u8]) -> u32 {
    crc32fast::hash(&head[..PREFIX_BYTES.min(head.len())])
}

/// Magic, log bytes, interval, greatest timestamp, number of entries, CRC-32.
const FILE_HEADER_BYTES: usize = 8 + 4 + 4 + 8 + 4 + 4;
const MAGIC: [u8; 8] = *b"LBIDX\0\0\x01";

/// Writes an index file. It needs no flush: a file that a power cut tears is made anew.
pub(crate) fn write(
    disk: &dyn crate::disk::Disk,
    path: &Path,
    bytes: &[u8],
) -> std::io::Result<()> {
    match disk.remove(path) {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    disk.create(path)?.write_at(0, &[bytes])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header of a batch of `count` offsets and `bytes` bytes.
    fn head(count: i32, bytes: i32) -> [u8; 61] {
        let mut head = [1; 61];
        head[8..12].copy_from_slice(&(bytes - 12).to_be_bytes());
        head[23..27].copy_from_slice(&(count - 1).to_be_bytes());
        head
    }

    /// Batches of 100 offsets and 1,000 bytes, timestamps as given.
    fn index(timestamps: &[i64]) -> Index {
        let mut index = Index::new(2000);
        for (i, &timestamp) in timestamps.iter().enumerate() {
            let i = u32::try_from(i).unwrap();
            index.note(i * 100, HEADER_BYTES + i * 1000, &head(100, 1000), timestamp);
        }
        index
    }

    #[test]
    fn an_entry_stands_at_the_first_batch_and_every_interval() {
        let index = index(&[5, 4, 9, 3, 3, 8]);
        let positions: Vec<u32> = index.entries.iter().map(|e| e.position).collect();
        assert_eq!(positions, [64, 2064, 4064]);
        assert_eq!(index.floor_offset(0).unwrap().relative_offset, 0);
        assert_eq!(index.floor_offset(199).unwrap().relative_offset, 0);
        assert_eq!(index.floor_offset(200).unwrap().relative_offset, 200);
        assert_eq!(index.floor_position(4063).unwrap().position, 2064);
        assert_eq!(index.floor_position(u32::MAX).unwrap().position, 4064);
        assert_eq!(Index::new(1).floor_offset(7), None);
    }

    #[test]
    fn a_timestamp_is_looked_for_where_it_may_first_occur() {
        let index = index(&[5, 4, 9, 3, 3, 8]);
        let at = |timestamp| index.floor_timestamp(timestamp).map(|entry| entry.relative_offset);
        assert_eq!([at(0), at(5), at(6), at(9)], [Some(0), Some(0), Some(200), Some(200)]);
        assert_eq!((index.max_timestamp(6064), index.max_timestamp(7064)), (Some(9), None));
    }

    #[test]
    fn an_index_says_how_far_it_goes_and_takes_only_what_comes_next() {
        let mut index = index(&[5, 4]);
        assert_eq!((index.covers(), index.covers_offset()), (2064, 200));
        index.note(300, 3064, &head(100, 1000), 99);
        assert_eq!((index.covers(), index.max_timestamp(3064)), (2064, None), "a batch is missing");
        assert!(index.is_whole(2064) && !index.is_whole(3064));
        assert!(!index.reaches(3064, 999) && index.reaches(3064, 1000));
        index.pass_over(3064, 300);
        index.note(300, 3064, &head(100, 1000), 1);
        assert_eq!((index.covers(), index.max_timestamp(4064)), (4064, None), "may be too small");
        assert!(!index.is_whole(4064));
        index.pass_over_damage(5064, 500);
        index.note(500, 5064, &head(100, 1000), 1);
        assert_eq!(index.floor_timestamp(9).unwrap().position, 3064, "not behind the damage");
    }

    #[test]
    fn a_file_reads_back_up_to_its_last_entry_and_every_flipped_bit_is_found() {
        let index = index(&[5, 4, 9, 3, 3, 8]);
        let bytes = index.to_bytes();
        let mut read = Index::from_bytes(&bytes, 6064).unwrap();
        assert_eq!((read.covers(), read.covers_offset(), read.max_timestamp), (4064, 400, 9));
        for (i, timestamp) in [(4, 3), (5, 8)] {
            read.note(i * 100, HEADER_BYTES + i * 1000, &head(100, 1000), timestamp);
        }
        assert!(read.is_hearsay(&read.entries[1]) && !read.is_hearsay(&read.entries[2]));
        assert_eq!(Index { from_file: 0, ..read }, index);
        assert_eq!(Index::from_bytes(&bytes, 6063), None, "the log is shorter");
        assert!(Index::from_bytes(&bytes, 7064).is_some(), "the log went on");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Index::from_bytes(&flipped, 6064), None, "bit {bit}");
        }
        for cut in 0..bytes.len() {
            assert_eq!(Index::from_bytes(&bytes[..cut], 6064), None);
        }
    }
}
