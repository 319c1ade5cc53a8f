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
//! Must always hold: offsets and positions of the entries grow, timestamps don't shrink.

use std::path::Path;

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

/// The index of a segment, in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Index {
    entries: Vec<IndexEntry>,
    /// Bytes of the file from one entry to the next, at least.
    interval_bytes: u32,
    /// The greatest timestamp of all batches.
    max_timestamp: i64,
}

impl Index {
    /// The index of a segment without batches.
    pub(crate) fn new(interval_bytes: u32) -> Self {
        Self { entries: Vec::new(), interval_bytes, max_timestamp: i64::MIN }
    }

    /// Takes notice of the batch that begins at `position`; they come in order.
    ///
    /// - `prefix`: the first bytes of the batch, as they lie in the file.
    pub(crate) fn note(
        &mut self,
        relative_offset: u32,
        position: u32,
        prefix: &[u8],
        max_timestamp: i64,
    ) {
        let due =
            self.entries.last().is_none_or(|last| position - last.position >= self.interval_bytes);
        if due {
            self.entries.push(IndexEntry {
                relative_offset,
                position,
                max_timestamp_before: self.max_timestamp,
                prefix_crc: crc32fast::hash(&prefix[..PREFIX_BYTES.min(prefix.len())]),
            });
        }
        self.max_timestamp = self.max_timestamp.max(max_timestamp);
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
    /// `None` if no batch has one.
    pub(crate) fn floor_timestamp(&self, timestamp: i64) -> Option<IndexEntry> {
        if self.max_timestamp < timestamp {
            return None;
        }
        // Behind the last entry before which all timestamps are less.
        let after = self.entries.partition_point(|entry| entry.max_timestamp_before < timestamp);
        self.entries.get(after.saturating_sub(1)).copied()
    }

    /// The greatest timestamp of all batches, or `None` without batches.
    pub(crate) fn max_timestamp(&self) -> Option<i64> {
        (!self.entries.is_empty()).then_some(self.max_timestamp)
    }

    /// The contents of an index file for a segment whose log is `log_bytes` long.
    pub(crate) fn to_bytes(&self, log_bytes: u32) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FILE_HEADER_BYTES + self.entries.len() * ENTRY_BYTES);
        bytes.extend(MAGIC);
        bytes.extend(log_bytes.to_be_bytes());
        bytes.extend(self.interval_bytes.to_be_bytes());
        bytes.extend(self.max_timestamp.to_be_bytes());
        let count = u32::try_from(self.entries.len()).expect("fewer entries than bytes of a log");
        bytes.extend(count.to_be_bytes());
        let crc = crc32fast::hash(&bytes);
        bytes.extend(crc.to_be_bytes());
        self.entries.iter().for_each(|entry| bytes.extend(entry.to_bytes()));
        bytes
    }

    /// Reads an index file for a segment whose log is `log_bytes` long; `None` for anything that
    /// is not wholly right, which is then made anew from the segment.
    pub(crate) fn from_bytes(bytes: &[u8], log_bytes: u32) -> Option<Self> {
        let (header, entries) = bytes.split_first_chunk::<FILE_HEADER_BYTES>()?;
        let field = |at: usize| header[at..].first_chunk::<4>().copied().unwrap_or_default();
        let crc = crc32fast::hash(&header[..FILE_HEADER_BYTES - 4]);
        if header[..8] != MAGIC || crc.to_be_bytes() != field(FILE_HEADER_BYTES - 4) {
            return None;
        }
        if u32::from_be_bytes(field(8)) != log_bytes {
            return None;
        }
        let (chunks, rest) = entries.as_chunks::<ENTRY_BYTES>();
        if !rest.is_empty() || chunks.len() != u32::from_be_bytes(field(24)) as usize {
            return None;
        }
        let entries: Vec<IndexEntry> =
            chunks.iter().map(IndexEntry::from_bytes).collect::<Option<_>>()?;
        let grows = entries.windows(2).all(|pair| {
            pair[0].relative_offset < pair[1].relative_offset
                && pair[0].position < pair[1].position
                && pair[0].max_timestamp_before <= pair[1].max_timestamp_before
        });
        let within = entries.last().is_none_or(|last| last.position < log_bytes)
            && entries.first().is_none_or(|first| first.position == HEADER_BYTES);
        if !grows || !within {
            return None;
        }
        let interval_bytes = u32::from_be_bytes(field(12));
        let max_timestamp = i64::from_be_bytes(*header[16..].first_chunk()?);
        Some(Self { entries, interval_bytes, max_timestamp })
    }
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

    /// Batches of 100 offsets and 1,000 bytes, timestamps as given.
    fn index(timestamps: &[i64]) -> Index {
        let mut index = Index::new(2000);
        for (i, &timestamp) in timestamps.iter().enumerate() {
            let i = u32::try_from(i).unwrap();
            index.note(i * 100, HEADER_BYTES + i * 1000, &[1; 61], timestamp);
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
        assert_eq!(
            [at(0), at(5), at(6), at(9), at(10)],
            [Some(0), Some(0), Some(200), Some(200), None]
        );
    }

    #[test]
    fn a_file_reads_back_and_every_flipped_bit_is_found() {
        let index = index(&[5, 4, 9, 3, 3, 8]);
        let bytes = index.to_bytes(6064);
        assert_eq!(Index::from_bytes(&bytes, 6064), Some(index));
        assert_eq!(Index::from_bytes(&bytes, 6065), None, "another length of the log");
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
