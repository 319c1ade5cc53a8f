//! The header of a segment file, and the names of a partition's files.
//!
//! | at | bytes | field of the header |
//! | ---: | ---: | --- |
//! | 0 | 8 | magic `LBSEG\0\0\0` |
//! | 8 | 2 | version, 1 |
//! | 10 | 2 | zeros |
//! | 12 | 4 | partition |
//! | 16 | 16 | topic id |
//! | 32 | 8 | base offset |
//! | 40 | 4 | generation |
//! | 44 | 4 | epoch in which the segment was made |
//! | 48 | 8 | salt |
//! | 56 | 4 | zeros |
//! | 60 | 4 | CRC-32 of the 60 bytes before |
//!
//! Behind it lie record batches, back to back, as on the wire; behind them zeros up to the end of
//! the reserved space.

use std::path::{Path, PathBuf};

use logboom_protocol::units::Uuid;

use crate::state::GroupKey;

/// Bytes of the header; the first batch begins behind it.
pub(crate) const HEADER_BYTES: u32 = 64;

const MAGIC: [u8; 8] = *b"LBSEG\0\0\0";
const VERSION: u16 = 1;

/// What the header of a segment file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) key: GroupKey,
    pub(crate) base_offset: i64,
    pub(crate) generation: u32,
    pub(crate) epoch: i32,
    pub(crate) salt: u64,
}

impl SegmentHeader {
    pub(crate) fn to_bytes(self) -> [u8; HEADER_BYTES as usize] {
        let mut bytes = [0; HEADER_BYTES as usize];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.key.partition.to_be_bytes());
        bytes[16..32].copy_from_slice(&self.key.topic_id.0);
        bytes[32..40].copy_from_slice(&self.base_offset.to_be_bytes());
        bytes[40..44].copy_from_slice(&self.generation.to_be_bytes());
        bytes[44..48].copy_from_slice(&self.epoch.to_be_bytes());
        bytes[48..56].copy_from_slice(&self.salt.to_be_bytes());
        let crc = crc32fast::hash(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// Reads a header, or says what is wrong with it.
    pub(crate) fn from_bytes(bytes: &[u8; HEADER_BYTES as usize]) -> Result<Self, &'static str> {
        if bytes[..8] != MAGIC {
            return Err("no segment file");
        }
        if crc32fast::hash(&bytes[..60]).to_be_bytes() != bytes[60..] {
            return Err("wrong checksum");
        }
        if bytes[8..10] != VERSION.to_be_bytes() {
            return Err("a version that this build does not read; use the build that wrote it");
        }
        let field = |at: usize| bytes[at..].first_chunk::<4>().copied().unwrap_or_default();
        let wide = |at: usize| bytes[at..].first_chunk::<8>().copied().unwrap_or_default();
        let topic_id = Uuid(bytes[16..].first_chunk().copied().unwrap_or_default());
        Ok(Self {
            key: GroupKey { topic_id, partition: i32::from_be_bytes(field(12)) },
            base_offset: i64::from_be_bytes(wide(32)),
            generation: u32::from_be_bytes(field(40)),
            epoch: i32::from_be_bytes(field(44)),
            salt: u64::from_be_bytes(wide(48)),
        })
    }
}

/// The directory of a partition's files.
pub(crate) fn partition_dir(root: &Path, key: &GroupKey) -> PathBuf {
    root.join(PARTITIONS).join(key.to_string())
}

/// Whose directory it is; `None` where it isn't a partition's.
pub(crate) fn partition_of(dir: &Path) -> Option<GroupKey> {
    let name = dir.file_name()?.to_str()?;
    let (topic_id, partition) = name.rsplit_once('-')?;
    let key = GroupKey { topic_id: topic_id.parse().ok()?, partition: partition.parse().ok()? };
    (key.to_string() == name).then_some(key)
}

/// The directory of all partitions' directories.
pub(crate) const PARTITIONS: &str = "partitions";

/// What a file of a partition's directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FileName {
    /// A segment: record batches.
    Segment {
        /// Its base offset.
        base_offset: i64,
        /// Its generation.
        generation: u32,
    },
    /// The sparse index of a segment.
    Index {
        /// The segment's base offset.
        base_offset: i64,
        /// The segment's generation.
        generation: u32,
    },
    /// A snapshot of the producer state.
    Producers {
        /// It holds for everything below, exclusive.
        offset: i64,
    },
}

impl FileName {
    /// The file's path in its partition's directory.
    pub(crate) fn path(self, dir: &Path) -> PathBuf {
        dir.join(match self {
            Self::Segment { base_offset, generation } => {
                format!("{base_offset:020}-{generation:06}.log")
            }
            Self::Index { base_offset, generation } => {
                format!("{base_offset:020}-{generation:06}.index")
            }
            Self::Producers { offset } => format!("{offset:020}.producers"),
        })
    }

    /// The name behind a path, or `None` for a file that isn't ours.
    pub(crate) fn parse(path: &Path) -> Option<Self> {
        let (stem, ending) = path.file_name()?.to_str()?.rsplit_once('.')?;
        if ending == "producers" {
            return Some(Self::Producers { offset: stem.parse().ok()? });
        }
        let (base_offset, generation) = stem.split_once('-')?;
        let (base_offset, generation) = (base_offset.parse().ok()?, generation.parse().ok()?);
        match ending {
            "log" => Some(Self::Segment { base_offset, generation }),
            "index" => Some(Self::Index { base_offset, generation }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader {
        let key = GroupKey { topic_id: Uuid([3; 16]), partition: 12 };
        SegmentHeader { key, base_offset: 1 << 40, generation: 7, epoch: 2, salt: u64::MAX - 1 }
    }

    #[test]
    fn a_header_reads_back_and_every_flipped_bit_is_found() {
        let bytes = header().to_bytes();
        assert_eq!(SegmentHeader::from_bytes(&bytes), Ok(header()));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::from_bytes(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn names_read_back_and_foreign_files_are_none_of_ours() {
        let dir = Path::new("d");
        for name in [
            FileName::Segment { base_offset: 0, generation: 0 },
            FileName::Segment { base_offset: i64::MAX, generation: u32::MAX },
            FileName::Index { base_offset: 77, generation: 3 },
            FileName::Producers { offset: 5 },
        ] {
            assert_eq!(FileName::parse(&name.path(dir)), Some(name));
        }
        for foreign in ["lost+found", "a.log", "1.log", "1-2.txt", ".producers", "x-1.index"] {
            assert_eq!(FileName::parse(&dir.join(foreign)), None, "{foreign}");
        }
    }
}
