//! The committed layer as bytes: what is kept beside the log and handed to a reset follower.
//!
//! Everything is big-endian. The parts follow one another without gaps.
//!
//! | at | bytes | type | field |
//! | ---: | ---: | --- | --- |
//! | 0 | 8 | | magic `LBPROD\0\0` |
//! | 8 | 2 | `u16` | version, 1 |
//! | 10 | 2 | | zeros |
//! | 12 | 4 | `i32` | partition |
//! | 16 | 16 | | topic id |
//! | 32 | 8 | `i64` | offset: the state holds the log below it (exclusive) |
//! | 40 | 4 | `u32` | number of producers |
//! | 44 | 4 | `u32` | number of aborted transactions |
//! | 48 | | | the producers, ids ascending |
//! | | | | the aborted transactions, last offsets ascending |
//! | | 4 | `u32` | CRC-32 (IEEE) of everything before it |
//!
//! A producer, 39 bytes and its batches:
//!
//! | at | bytes | type | field |
//! | ---: | ---: | --- | --- |
//! | 0 | 8 | `i64` | producer id |
//! | 8 | 2 | `i16` | epoch |
//! | 10 | 4 | `i32` | coordinator epoch of its last marker, −1 before the first |
//! | 14 | 8 | `i64` | offset of its last record or marker (inclusive) |
//! | 22 | 8 | `i64` | greatest timestamp of its last batch or marker, milliseconds |
//! | 30 | 8 | `i64` | offset of the first record of its open transaction, −1 if none is |
//! | 38 | 1 | `u8` | number of batches, 0 to 5 |
//! | 39 | | | the batches, offsets ascending |
//!
//! A batch, 24 bytes:
//!
//! | at | bytes | type | field |
//! | ---: | ---: | --- | --- |
//! | 0 | 4 | `i32` | sequence number of its last record |
//! | 4 | 4 | `i32` | last offset minus base offset, the same for the sequence numbers |
//! | 8 | 8 | `i64` | last offset (inclusive) |
//! | 16 | 8 | `i64` | greatest timestamp, milliseconds |
//!
//! An aborted transaction, 32 bytes:
//!
//! | at | bytes | type | field |
//! | ---: | ---: | --- | --- |
//! | 0 | 8 | `i64` | producer id |
//! | 8 | 8 | `i64` | offset of its first record (inclusive) |
//! | 16 | 8 | `i64` | offset of its marker (inclusive) |
//! | 24 | 8 | `i64` | last stable offset (exclusive) |
//!
//! Must always hold: any bytes give a state that the log could have given, or an error. Nothing
//! is allocated for a number of parts, only for parts that are there: at most
//! [`DECODED_BYTES_PER_BYTE`] bytes for each byte of the snapshot.

use std::fmt;

use logboom_protocol::units::Uuid;

use super::committed::{AbortedTransaction, Committed};
use super::entry::{BATCHES_PER_PRODUCER, BatchTrace, ProducerEntry, RecentBatches};
use super::{Layers, Producers, ProducersOptions};
use crate::state::GroupKey;

const MAGIC: [u8; 8] = *b"LBPROD\0\0";
const VERSION: u16 = 1;
const RESERVED: [u8; 2] = [0; 2];

const HEAD_BYTES: usize = 48;
const PRODUCER_BYTES: usize = 39;
const BATCH_BYTES: usize = 24;
const ABORTED_BYTES: usize = 32;
const CRC_BYTES: usize = 4;

const NO_TRANSACTION: i64 = -1;

/// Memory that decoding takes at most for each byte of the snapshot.
const DECODED_BYTES_PER_BYTE: usize = 12;

// A node of a B-tree is at least five elevenths full, and an entry may come without batches.
const _: () = {
    const PLACE: usize = size_of::<i64>() + size_of::<ProducerEntry>() + 2 * size_of::<u64>();
    const PER_PRODUCER: usize = PLACE * 11 / 5;
    assert!(PER_PRODUCER <= PRODUCER_BYTES * DECODED_BYTES_PER_BYTE);
    assert!(size_of::<AbortedTransaction>() * 2 <= ABORTED_BYTES * DECODED_BYTES_PER_BYTE);
};

/// Why bytes are no snapshot of this partition.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnapshotError {
    /// They end too early.
    Short {
        /// The field that isn't whole.
        field: &'static str,
        /// Bytes that there are, the checksum included.
        present: usize,
    },
    /// They don't begin as a snapshot does.
    Magic {
        /// The first eight.
        found: [u8; 8],
    },
    /// This version of the format is unknown here.
    Version {
        /// The version.
        found: u16,
    },
    /// They are not those that were written.
    Checksum {
        /// The CRC-32 at their end.
        stored: u32,
        /// The CRC-32 of what is before it.
        computed: u32,
    },
    /// They are the snapshot of another partition.
    Foreign {
        /// Of this one.
        found: GroupKey,
    },
    /// A field has a value that no log gives.
    Field {
        /// The field.
        field: &'static str,
        /// Bytes from the start of the snapshot to the end of the field.
        end: usize,
        /// The value.
        found: i64,
    },
    /// There are bytes between the last part and the checksum.
    Trailing {
        /// How many.
        bytes: usize,
    },
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("producer snapshot: ")?;
        match self {
            Self::Short { field, present } => {
                write!(f, "its {present} bytes end before or within the {field}")
            }
            Self::Magic { found } => write!(f, "magic {}", found.escape_ascii()),
            Self::Version { found } => write!(
                f,
                "version {found}; this build reads {VERSION}, use the build that wrote it"
            ),
            Self::Checksum { stored, computed } => {
                write!(f, "CRC-32 {stored:08x}, {computed:08x} computed")
            }
            Self::Foreign { found } => write!(f, "it is that of {found}"),
            Self::Field { field, end, found } => write!(f, "{field} {found} before byte {end}"),
            Self::Trailing { bytes } => write!(f, "{bytes} bytes too many"),
        }
    }
}

impl std::error::Error for SnapshotError {}

impl Producers {
    /// The committed layer as bytes, to be named by [`Self::committed_offset`].
    ///
    /// # Panics
    /// Past 2³² producers or aborted transactions, for which there is no memory.
    #[must_use]
    pub fn snapshot(&self, key: &GroupKey) -> Vec<u8> {
        let nothing = Committed::default();
        let committed = self.committed().unwrap_or(&nothing);
        let number = |count| u32::try_from(count).expect("fewer than 2^32 fit into memory");
        let mut bytes = Vec::with_capacity(encoded_bytes(committed));
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_be_bytes());
        bytes.extend(RESERVED);
        bytes.extend(key.partition.to_be_bytes());
        bytes.extend(key.topic_id.0);
        bytes.extend(self.committed_offset().to_be_bytes());
        bytes.extend(number(committed.producer_count()).to_be_bytes());
        bytes.extend(number(committed.aborted().len()).to_be_bytes());
        for (producer_id, entry) in committed.producers() {
            put_producer(&mut bytes, producer_id, entry);
        }
        for aborted in committed.aborted() {
            put_aborted(&mut bytes, aborted);
        }
        let crc = crc32fast::hash(&bytes);
        bytes.extend(crc.to_be_bytes());
        bytes
    }

    /// The most bytes that a snapshot can have at this moment; an empty state needs none.
    pub(crate) fn snapshot_bytes_max(&self) -> usize {
        self.committed().map_or(0, |committed| {
            HEAD_BYTES
                + committed.producer_count() * (PRODUCER_BYTES + BATCHES_PER_PRODUCER * BATCH_BYTES)
                + committed.aborted().len() * ABORTED_BYTES
                + CRC_BYTES
        })
    }

    /// The state that a snapshot holds. The log from any offset at or below
    /// [`Self::committed_offset`] is to be recorded next.
    ///
    /// NB: a snapshot of one's own that is named beyond the end of the log is not to be loaded;
    /// the log lost something. A leader's is, by a replica that is reset.
    ///
    /// # Errors
    /// [`SnapshotError`]: the bytes are damaged, newer than this program, or another partition's.
    pub fn load(
        bytes: &[u8],
        key: &GroupKey,
        options: ProducersOptions,
    ) -> Result<Self, SnapshotError> {
        let mut source = Source::open(bytes)?;
        let reserved = i16::from_be_bytes(source.take("zeros")?);
        source.refuse_if(reserved != 0, "zeros", reserved.into())?;
        let partition = source.i32("partition")?;
        let found = GroupKey { partition, topic_id: Uuid(source.take("topic id")?) };
        if found != *key {
            return Err(SnapshotError::Foreign { found });
        }
        let offset = source.i64("offset")?;
        source.refuse_if(offset < 0, "offset", offset)?;
        let mut committed = source.committed(offset)?;
        if !source.rest.is_empty() {
            return Err(SnapshotError::Trailing { bytes: source.rest.len() });
        }
        // The limit may have been lowered since.
        committed.enforce(options.producers_max);
        let mut producers = Self::new(offset, options);
        if !committed.is_empty() {
            producers.layers = Some(Box::new(Layers { committed, ..Layers::default() }));
        }
        Ok(producers)
    }
}

fn encoded_bytes(committed: &Committed) -> usize {
    let batches: usize = committed.producers().map(|(_, e)| usize::from(e.batches.count())).sum();
    HEAD_BYTES
        + committed.producer_count() * PRODUCER_BYTES
        + batches * BATCH_BYTES
        + committed.aborted().len() * ABORTED_BYTES
        + CRC_BYTES
}

fn put_producer(bytes: &mut Vec<u8>, producer_id: i64, entry: &ProducerEntry) {
    let first_offset = entry.current_txn_first_offset.unwrap_or(NO_TRANSACTION);
    bytes.extend(producer_id.to_be_bytes());
    bytes.extend(entry.epoch.to_be_bytes());
    bytes.extend(entry.coordinator_epoch.to_be_bytes());
    bytes.extend(entry.last_offset.to_be_bytes());
    bytes.extend(entry.last_timestamp.to_be_bytes());
    bytes.extend(first_offset.to_be_bytes());
    bytes.push(entry.batches.count());
    for batch in entry.batches.as_slice() {
        bytes.extend(batch.last_sequence.to_be_bytes());
        bytes.extend(batch.last_offset_delta.to_be_bytes());
        bytes.extend(batch.last_offset.to_be_bytes());
        bytes.extend(batch.timestamp.to_be_bytes());
    }
}

fn put_aborted(bytes: &mut Vec<u8>, aborted: &AbortedTransaction) {
    bytes.extend(aborted.producer_id.to_be_bytes());
    bytes.extend(aborted.first_offset.to_be_bytes());
    bytes.extend(aborted.last_offset.to_be_bytes());
    bytes.extend(aborted.last_stable_offset.to_be_bytes());
}

/// The bytes of a snapshot from some part on.
struct Source<'a> {
    rest: &'a [u8],
    /// Bytes of the snapshot before the checksum.
    end: usize,
}

impl<'a> Source<'a> {
    /// Checks magic, checksum and version, and stops behind the version.
    fn open(bytes: &'a [u8]) -> Result<Self, SnapshotError> {
        let short = SnapshotError::Short { field: "checksum", present: bytes.len() };
        let (content, stored) = bytes.split_last_chunk().ok_or(short)?;
        let mut source = Self { rest: content, end: content.len() };
        let magic = source.take("magic")?;
        if magic != MAGIC {
            return Err(SnapshotError::Magic { found: magic });
        }
        let (stored, computed) = (u32::from_be_bytes(*stored), crc32fast::hash(content));
        if stored != computed {
            return Err(SnapshotError::Checksum { stored, computed });
        }
        let version = u16::from_be_bytes(source.take("version")?);
        if version != VERSION {
            return Err(SnapshotError::Version { found: version });
        }
        Ok(source)
    }

    fn committed(&mut self, offset: i64) -> Result<Committed, SnapshotError> {
        let producer_count = u32::from_be_bytes(self.take("number of producers")?);
        let aborted_count = u32::from_be_bytes(self.take("number of aborted transactions")?);
        let mut committed = Committed::default();
        let mut previous_id = -1;
        for _ in 0..producer_count {
            let producer_id = self.i64("producer id")?;
            self.refuse_if(producer_id <= previous_id, "producer id", producer_id)?;
            previous_id = producer_id;
            let entry = self.producer(offset)?;
            let first_offset = entry.current_txn_first_offset.unwrap_or(NO_TRANSACTION);
            let is_alone = committed.restore_producer(producer_id, entry);
            self.refuse_if(!is_alone, "first offset shared with another producer", first_offset)?;
        }
        let mut previous_offset = -1;
        for _ in 0..aborted_count {
            let aborted = self.aborted(previous_offset, offset)?;
            previous_offset = aborted.last_offset;
            committed.restore_aborted(aborted);
        }
        Ok(committed)
    }

    fn producer(&mut self, offset: i64) -> Result<ProducerEntry, SnapshotError> {
        let epoch = i16::from_be_bytes(self.take("producer epoch")?);
        let coordinator_epoch = self.i32("coordinator epoch")?;
        let last_offset = self.offset("producer's last offset", 0, offset)?;
        let last_timestamp = self.i64("producer's last timestamp")?;
        let first_offset = self.i64("transaction's first offset")?;
        let is_within = (NO_TRANSACTION..=last_offset).contains(&first_offset);
        self.refuse_if(!is_within, "transaction's first offset", first_offset)?;
        let [count] = self.take("number of batches")?;
        let is_too_many = usize::from(count) > BATCHES_PER_PRODUCER;
        self.refuse_if(is_too_many, "number of batches", i64::from(count))?;
        let mut batches = RecentBatches::default();
        let mut floor = 0;
        for _ in 0..count {
            let batch = self.batch(floor, last_offset)?;
            floor = batch.last_offset.saturating_add(1);
            batches.push(batch);
        }
        Ok(ProducerEntry {
            epoch,
            coordinator_epoch,
            last_offset,
            last_timestamp,
            current_txn_first_offset: (first_offset != NO_TRANSACTION).then_some(first_offset),
            batches,
        })
    }

    /// A batch whose offsets lie in `floor..=last`.
    fn batch(&mut self, floor: i64, last: i64) -> Result<BatchTrace, SnapshotError> {
        let last_sequence = self.i32("batch's last sequence")?;
        self.refuse_if(last_sequence < 0, "batch's last sequence", i64::from(last_sequence))?;
        let last_offset_delta = self.i32("batch's offset delta")?;
        let delta = i64::from(last_offset_delta);
        self.refuse_if(delta < 0, "batch's offset delta", delta)?;
        let last_offset = self.offset("batch's last offset", floor, last.saturating_add(1))?;
        self.refuse_if(last_offset - delta < floor, "batch's offset delta", delta)?;
        let timestamp = self.i64("batch's timestamp")?;
        Ok(BatchTrace { last_sequence, last_offset_delta, last_offset, timestamp })
    }

    /// A transaction whose marker lies behind `previous` and before `offset`.
    fn aborted(&mut self, previous: i64, offset: i64) -> Result<AbortedTransaction, SnapshotError> {
        let producer_id = self.i64("aborted producer id")?;
        self.refuse_if(producer_id < 0, "aborted producer id", producer_id)?;
        let first_offset = self.offset("aborted first offset", 0, offset)?;
        let floor = previous.max(first_offset) + 1;
        let last_offset = self.offset("aborted last offset", floor, offset)?;
        let end = last_offset.saturating_add(2);
        let last_stable_offset = self.offset("aborted last stable offset", 0, end)?;
        Ok(AbortedTransaction { producer_id, first_offset, last_offset, last_stable_offset })
    }

    fn take<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], SnapshotError> {
        let present = self.end + CRC_BYTES;
        let short = SnapshotError::Short { field, present };
        let (&bytes, rest) = self.rest.split_first_chunk().ok_or(short)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// An offset in `start..end`.
    fn offset(&mut self, field: &'static str, start: i64, end: i64) -> Result<i64, SnapshotError> {
        let offset = self.i64(field)?;
        self.refuse_if(!(start..end).contains(&offset), field, offset)?;
        Ok(offset)
    }

    fn i32(&mut self, field: &'static str) -> Result<i32, SnapshotError> {
        Ok(i32::from_be_bytes(self.take(field)?))
    }

    fn i64(&mut self, field: &'static str) -> Result<i64, SnapshotError> {
        Ok(i64::from_be_bytes(self.take(field)?))
    }

    fn refuse_if(&self, bad: bool, field: &'static str, found: i64) -> Result<(), SnapshotError> {
        let end = self.end - self.rest.len();
        if bad { Err(SnapshotError::Field { field, end, found }) } else { Ok(()) }
    }
}
